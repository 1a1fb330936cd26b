/** The page of documents as a browser shows it: hostile text stays text, nothing runs or is loaded, it fits, is dark or printed, and can be read. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnnotatedDocument } from '../../src/data/documents/document.js'
import { documentsPage } from '../../src/report/documents_page.js'
import { type Chromium, openChromium, type View } from '../support/chromium.js'
import { HARD_TEXTS, hardDocuments, mentions } from '../support/documents_case.js'
import { HOSTILE, MARKUP } from '../support/hostile.js'
import { CONTRAST, OVERFLOW } from '../support/page_checks.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('page of documents')

const TYPES = ['Sign', MARKUP, 'a', 'b', 'c', 'd', 'e']

/** Hostile ids, types and texts, each with an entity, and one that the input says already, across it. */
function documents(): AnnotatedDocument[] {
  const hostile = HOSTILE.map((text, i): AnnotatedDocument => {
    const words = `${text} fever ${text}`
    const at = words.indexOf('fever')
    return {
      id: text,
      passages: [
        {
          text: words,
          type: i === 0 ? 'title' : text,
          given: [{ type: text, spans: [{ start: at - 2, end: at + 3 }] }],
        },
      ],
      found: [mentions(words, TYPES[i % TYPES.length])],
    }
  })
  const whole: AnnotatedDocument = {
    passages: [{ text: MARKUP, given: [] }],
    found: [[{ type: MARKUP, spans: [{ start: 0, end: MARKUP.length }] }]],
  }
  return [...hardDocuments(), ...hostile, whole]
}

const page = documentsPage({ title: MARKUP, types: TYPES, replace: false })
const text =
  page.head() +
  documents()
    .map((one) => page.document(one))
    .join('') +
  page.foot()

test('text of documents is in the page as it is, entities with their types', () => {
  const plain = (html: string) => html.replace(/<small>.*?<\/small>/gs, '').replace(/<[^>]*>/g, '')
  const [first] = hardDocuments()
  const shown = plain(page.document(first))
  for (const words of HARD_TEXTS[0]) assert.ok(shown.includes(words))
  assert.match(
    page.document(first),
    /Severe <mark class="e0">fever<small><bdi>Sign<\/bdi><\/small><\/mark> in/,
  )
})

test('what the input says is dotted, also where it crosses what was found', () => {
  const crossing = {
    passages: [{ text: 'high fever now', given: [{ type: 'x', spans: [{ start: 2, end: 7 }] }] }],
  }
  const html = (replace: boolean) =>
    documentsPage({ title: '', types: ['Sign'], replace }).document({
      ...crossing,
      found: [[{ type: 'Sign', spans: [{ start: 5, end: 10 }] }]],
    })
  assert.match(
    html(false),
    /hi<span class="given">gh <\/span><mark class="e0"><span class="given">fe<\/span>ver<small>/,
  )
  assert.not.match(html(true), /given/)
})

const opened = await openChromium()
const file = join(temporaryFolder(), 'page.html')
writeFileSync(file, text)

const DESK: View = { width: 1200, height: 900 }
const PHONE: View = { width: 320, height: 844, mobile: true }
const PAPER: View = { width: 794, height: 1123, media: 'print', dark: true }

function check(name: string, run: (chromium: Chromium) => Promise<void>): void {
  if ('reason' in opened) skip(test, name, opened.reason)
  else test(name, () => run(opened.chromium))
}

check('nothing runs, nothing is loaded, nothing is complained of', async (chromium) => {
  const { said, asked } = await chromium.load(file, DESK)
  assert.equal(said, [])
  assert.is(asked.length, 1)
  assert.is(await chromium.evaluate('window.broken'), undefined)
  assert.is(await chromium.evaluate("document.querySelectorAll('script, img').length"), 0)
  assert.is(await chromium.evaluate("document.querySelectorAll('style').length"), 1)
  assert.is(await chromium.evaluate('document.title'), MARKUP)
  assert.is(await chromium.evaluate("document.querySelectorAll('article').length"), documents().length)
  const marks = documents().reduce((sum, { found }) => sum + found.flat().length, 0)
  assert.is(await chromium.evaluate("document.querySelectorAll('article mark').length"), marks)
})

check('it is as wide as the window, on a desk, on phones and on paper', async (chromium) => {
  await chromium.load(file, PHONE)
  for (const view of [PHONE, { ...PHONE, width: 390 }, DESK, PAPER]) {
    await chromium.show(view)
    assert.equal(await chromium.evaluate(OVERFLOW), [], `at ${view.width}`)
    assert.is(await chromium.evaluate('document.documentElement.scrollWidth'), view.width)
  }
})

check('dark is dark, paper is white, and all text can be read', async (chromium) => {
  const ground = 'getComputedStyle(document.body).backgroundColor'
  for (const [view, colour] of [
    [DESK, 'rgb(255, 255, 255)'],
    [{ ...DESK, dark: true }, 'rgb(13, 17, 23)'],
    [PAPER, 'rgb(255, 255, 255)'],
  ] as const) {
    await chromium.load(file, view)
    assert.is(await chromium.evaluate(ground), colour)
    const worst = (await chromium.evaluate(CONTRAST)) as { ratio: number }
    assert.ok(worst.ratio >= 4.5, JSON.stringify(worst))
  }
})

test.after(() => {
  if ('chromium' in opened) opened.chromium.close()
})

test.run()
