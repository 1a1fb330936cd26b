/** What tests ask of a page in a browser, as expressions that it evaluates. */

/** Elements that reach out of the page to the right, but those inside of a frame that scrolls. */
export const OVERFLOW = `[...document.querySelectorAll('body *')].filter((e) =>
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 &&
  !e.closest('svg *') && ![...document.querySelectorAll('.scroll')].some((s) => s !== e && s.contains(e) && getComputedStyle(s).overflowX === 'auto')
).map((e) => e.tagName + '.' + e.className).slice(0, 5)`

/** Smallest contrast of a text with the ground that it stands on (WCAG 2.2), and where. */
export const CONTRAST = `(() => {
  const rgb = (text) => {
    const n = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number)
    const [r, g, b, a = 1] = n
    return text.startsWith('color(srgb') ? [r, g, b, a] : [r / 255, g / 255, b / 255, a]
  }
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor)
      if (c[3] === 1) return c
    }
    return [1, 1, 1, 1]
  }
  let worst = { ratio: 99 }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement
    if (!node.data.trim()) continue
    const style = getComputedStyle(e)
    const colour = rgb(e.closest('svg') ? style.fill : style.color)
    // a mirror of a text that stands in front of it
    if (colour[3] === 0) continue
    const [a, b] = [luminance(colour), luminance(ground(e.closest('svg')?.parentElement ?? e))].sort((x, y) => y - x)
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < worst.ratio) worst = { ratio, text: node.data.slice(0, 40), element: e.tagName + '.' + e.className }
  }
  return worst
})()`
