/**
 * A text of 20,000 words in the editor: what the page does with it between two frames stays small, whoever enters it and whatever is
 * found. The worker is one that finds every fever and cough and computes nothing.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { drop, until } from '../support/page_user.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'
import { DESK, openWebCase } from '../support/web_case.js'

const test = suite('a long text on the page')

const WORKER = `window.Worker = class extends EventTarget {
  postMessage({ id, name, ask }) {
    const found = (text) => [...text.matchAll(/(severe )?(fever|cough)/g)].map((m) => (
      { start: m.index, end: m.index + m[0].length, type: 'Symptom', confidence: 0.5 + m[0].length / 100 }))
    const results = {
      open: () => ({ available: true, detail: 'none' }),
      load: () => ({ name: 'm', task: 'entities', labels: ['O', 'B-Symptom', 'I-Symptom'], parameters: 1, layers: 1, hiddenSize: 1, maxLength: 128 }),
      annotate: () => ({ entities: found(ask.text), milliseconds: 1, pieces: 1 }),
    }
    const result = results[name]()
    const answer = () => this.dispatchEvent(new MessageEvent('message', { data: { id, kind: 'result', result } }))
    setTimeout(answer, name === 'annotate' ? 500 : 0)
  }
}`

const words = 'the patient had severe fever and cough and was treated with zinc and q10 .'.split(' ')
const [LINES, WORDS] = [100, 200]
const text = Array.from({ length: LINES }, (_, line) =>
  Array.from({ length: WORDS }, (_, i) => words[(WORDS * line + i) % words.length]).join(' '),
).join('\n')
const MARKS = text.match(/fever|cough/g)!.length

/** Counts, at every frame, the marks and rows that have come since the last one; and all elements of lines, and readings of the text. */
const WATCH = `
  window.seen = { marks: 0, rows: 0, lines: 0, reads: 0, first: undefined, isDone: false }
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')
  const area = document.querySelector('#text')
  Object.defineProperty(area, 'value', { set, get: () => (seen.reads++, get.call(area)) })
  const mirror = document.querySelector('#text-mirror')
  const marks = mirror.getElementsByTagName('mark')
  const rows = document.querySelector('#found-rows').children
  let before = [0, 0]
  new MutationObserver((records) => {
    for (const { addedNodes } of records) seen.lines += addedNodes.length
  }).observe(mirror, { childList: true })
  const look = () => {
    seen.marks = Math.max(seen.marks, marks.length - before[0])
    seen.rows = Math.max(seen.rows, rows.length - before[1])
    before = [marks.length, rows.length]
    if (marks.length > 0) seen.first ??= marks[0].getBoundingClientRect().top > 0
    seen.isDone = marks.length === ${MARKS} && rows.length === 500
    requestAnimationFrame(look)
  }
  look()`

const opened = await openWebCase({ webgpu: false })
const name = 'a long text is entered, marked and changed in small pieces'

if ('reason' in opened) skip(test, name, opened.reason)
else
  test(name, async () => {
    const { chromium, server } = opened
    await chromium.send('Page.addScriptToEvaluateOnNewDocument', { source: WORKER })
    const { said } = await chromium.load(server.url, DESK)
    assert.equal(said, [])
    const model = join(temporaryFolder(), 'm')
    mkdirSync(model)
    writeFileSync(join(model, 'config.json'), '{}')
    await drop(chromium, [model])
    await until(chromium, "document.querySelector('#model-state').textContent.startsWith('For entities')")
    await chromium.evaluate(`{${WATCH}}`)
    // the browser tells of it in 199 events, one for every line and every end of one
    await chromium.evaluate(
      `document.querySelector('#text').focus(), document.execCommand('insertText', false, ${JSON.stringify(text)})`,
    )
    await chromium.evaluate('new Promise(requestAnimationFrame)')
    const entered = (await chromium.evaluate('seen')) as { lines: number; reads: number }
    assert.ok(entered.reads <= 5, `the text was read ${entered.reads} times`)
    assert.ok(entered.lines <= LINES + 1, `${entered.lines} elements for ${LINES} lines`)
    // the caret is at the end of the text, and in sight
    await until(chromium, 'seen.isDone', 120)
    const marked = (await chromium.evaluate('seen')) as { marks: number; rows: number; first: boolean }
    assert.ok(marked.marks <= 150, `${marked.marks} marks in one frame`)
    assert.ok(marked.rows <= 50, `${marked.rows} rows in one frame`)
    assert.ok(marked.first, 'lines in sight are marked first')
    const shown = "[...document.querySelectorAll('#text-mirror div')].map((e) => e.textContent).join('\\n')"
    assert.ok((await chromium.evaluate(shown)) === text, 'the mirror has another text')
    await chromium.evaluate('seen.lines = 0, seen.isDone = false')
    await chromium.evaluate(`{
      const area = document.querySelector('#text')
      area.setSelectionRange(0, 0)
      document.execCommand('insertText', false, 'x')
    }`)
    await until(chromium, "document.querySelector('#found-rows td:last-child').textContent === '17 to 29'")
    const changed = (await chromium.evaluate('seen')) as { lines: number }
    assert.ok(changed.lines <= 2, `a key drew ${changed.lines} lines`)
  })

test.after(async () => {
  if ('close' in opened) await opened.close()
})

test.run()
