/** Texts that break out of a careless page: markup, ends of elements and attributes, overrides, controls, great length. */

export const MARKUP = `"><script>window.broken = 1</script><img src=x onerror="window.broken = 1"></style></title></svg><!--`
export const HOSTILE: readonly string[] = [
  MARKUP,
  `' onmouseover='window.broken = 1' style='position:fixed`,
  '</style><style>* { display: none }</style>',
  '\u202egnp.exe\u2066 \u0000\u0007\u001b[31m\ud800',
  'x'.repeat(4000),
  'javascript:window.broken=1//]]>&lt;script&gt;',
]

/** What a folder can be called: no slash, no zero, not too long. */
export const HOSTILE_FOLDER = '"><img src=x onerror=window.broken=1>\u202e\'<style>'

/** A profile's picture with all that a picture should not do. */
export const HOSTILE_SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="99" height="9" onload="parent.broken = 1"><script>parent.broken = 1; alert(1)</script><image href="http://localhost:9/asked.png"/><style>@import "http://localhost:9/asked.css";</style><foreignObject width="9" height="9"><body xmlns="http://www.w3.org/1999/xhtml" onload="parent.broken = 1"/></foreignObject></svg>`
