/** What a person does with a page, for tests: keys, text, files that are chosen and dropped; and waiting until something holds. */
import type { Chromium } from './chromium.js'
import { fail } from './failure.js'

const CODES: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  ' ': 32,
  End: 35,
  Home: 36,
  ArrowLeft: 37,
  ArrowRight: 39,
}

/** One key, down and up; with shift. */
export async function press(chromium: Chromium, key: string, shift = false): Promise<void> {
  const text = key === 'Enter' ? '\r' : key.length === 1 ? key : undefined
  const event = {
    key,
    code: key === ' ' ? 'Space' : key,
    windowsVirtualKeyCode: CODES[key],
    modifiers: shift ? 8 : 0,
  }
  await chromium.send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', text, ...event })
  await chromium.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
}

/** Text at the caret of what has the focus, as an input method enters it. */
export async function type(chromium: Chromium, text: string): Promise<void> {
  await chromium.send('Input.insertText', { text })
}

/** Files into an input, as its dialogue gives them. */
export async function choose(chromium: Chromium, selector: string, files: readonly string[]): Promise<void> {
  const { root } = await chromium.send('DOM.getDocument')
  const { nodeId } = await chromium.send('DOM.querySelector', {
    nodeId: (root as { nodeId: number }).nodeId,
    selector,
  })
  await chromium.send('DOM.setFileInputFiles', { nodeId, files })
}

/** Files or folders, dragged from outside and dropped on the page. */
export async function drop(chromium: Chromium, files: readonly string[]): Promise<void> {
  const data = { items: [], files, dragOperationsMask: 1 }
  for (const kind of ['dragEnter', 'dragOver', 'drop'])
    await chromium.send('Input.dispatchDragEvent', { type: kind, x: 100, y: 200, data })
}

/** A button, found by its words or a selector, pressed by a click in the page. */
export async function click(chromium: Chromium, selector: string): Promise<void> {
  await chromium.evaluate(`(() => {
    const e = document.querySelector(${JSON.stringify(selector)})
    if (!e || e.disabled || e.hidden) throw new Error('cannot be clicked: ' + ${JSON.stringify(selector)})
    e.click()
  })()`)
}

/** Waits until an expression of the page holds; throws with what the page shows where it does not within `seconds`. */
export async function until(chromium: Chromium, expression: string, seconds = 30): Promise<void> {
  const end = performance.now() + 1000 * seconds
  while (!(await chromium.evaluate(`!!(${expression})`))) {
    if (performance.now() > end) {
      const shown = await chromium.evaluate(
        "document.querySelector('main').innerText.replace(/\\n+/g, '\\n')",
      )
      fail(`not within ${seconds} s: ${expression}\nthe page shows:\n${shown}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Text of an element. */
export async function textOf(chromium: Chromium, selector: string): Promise<string> {
  return String(await chromium.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`))
}
