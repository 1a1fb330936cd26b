/** The page as a browser shows it: nothing runs or is loaded, it fits a phone and paper, dark is dark, and text can be read. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { reportPage } from '../../src/report/page.js'
import { readFolders } from '../../src/report/read/folders.js'
import { type Chromium, openChromium, type View } from '../support/chromium.js'
import { MARKUP } from '../support/hostile.js'
import { CONTRAST, OVERFLOW } from '../support/page_checks.js'
import { hostileFolder } from '../support/report_folders.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('report in a browser')

const opened = await openChromium()
const folder = temporaryFolder()

async function hostileFile(): Promise<string> {
  const options = { title: MARKUP, examples: 5, command: [MARKUP, '\u202e'], versions: [] }
  const file = join(folder, 'report.html')
  writeFileSync(file, await reportPage(readFolders([hostileFolder()]), options))
  return file
}

const file = 'chromium' in opened ? await hostileFile() : ''

function check(name: string, run: (chromium: Chromium) => Promise<void>): void {
  if ('reason' in opened) skip(test, name, opened.reason)
  else test(name, () => run(opened.chromium))
}

const DESK: View = { width: 1200, height: 900 }
const PHONE: View = { width: 390, height: 844, mobile: true }
const PAPER: View = { width: 794, height: 1123, media: 'print', dark: true }

check('a page that misbehaves is noticed', async (chromium) => {
  const bad = join(folder, 'bad.html')
  writeFileSync(
    bad,
    '<!doctype html><meta http-equiv="Content-Security-Policy" content="style-src \'none\'"><body><p style="color: red">x<img src="missing.png"><script>window.broken = 1; console.log("ran")</script><div><svg width="2000" height="9"></svg></div>',
  )
  const { said, asked } = await chromium.load(bad, PHONE)
  assert.ok(
    said.some((line) => line.includes('ran')),
    'a script',
  )
  assert.ok(
    said.some((line) => line.includes('Content Security Policy')),
    'a style that the policy refuses',
  )
  assert.ok(
    asked.some((url) => url.endsWith('missing.png')),
    'an image',
  )
  assert.is(await chromium.evaluate('window.broken'), 1)
  assert.ok(Number(await chromium.evaluate('document.documentElement.scrollWidth')) >= 2000)
  const faint = join(folder, 'faint.html')
  writeFileSync(faint, '<!doctype html><body style="background: #fff"><p style="color: #999">x')
  await chromium.load(faint, DESK)
  const { ratio } = (await chromium.evaluate(CONTRAST)) as { ratio: number }
  assert.ok(Math.abs(ratio - 2.85) < 0.01, `contrast of #999 on white: ${ratio}`)
})

check(
  'nothing runs, nothing is loaded, nothing is complained of, whatever the names are',
  async (chromium) => {
    for (const view of [DESK, PHONE]) {
      const { said, asked } = await chromium.load(file, view)
      assert.equal(said, [])
      assert.ok(asked[0].endsWith('/report.html'))
      assert.equal(
        asked.slice(1).filter((url) => !url.startsWith('data:image/svg+xml;base64,')),
        [],
      )
      assert.is(await chromium.evaluate('window.broken'), undefined)
      assert.is(await chromium.evaluate('document.scripts.length'), 0)
      const odd = `[...document.querySelectorAll('*')].flatMap((e) => [...e.attributes]).filter((a) => /^(on|style$)/i.test(a.name)).length`
      assert.is(await chromium.evaluate(odd), 0)
      assert.is(await chromium.evaluate('document.title'), MARKUP)
      assert.is(await chromium.evaluate("document.querySelector('h1').textContent"), MARKUP)
      assert.is(await chromium.evaluate("document.querySelectorAll('style').length"), 1)
      assert.is(await chromium.evaluate("document.querySelectorAll('img').length"), 1)
    }
  },
)

check('the page is as wide as the window, on a desk, on phones and on paper', async (chromium) => {
  await chromium.load(file, PHONE)
  for (const view of [PHONE, { ...PHONE, width: 320 }, { ...PHONE, width: 700 }, DESK, PAPER]) {
    await chromium.show(view)
    assert.equal(await chromium.evaluate(OVERFLOW), [], `at ${view.width}`)
    const width = await chromium.evaluate('document.documentElement.scrollWidth')
    assert.is(width, view.width)
  }
  await chromium.show(PHONE)
  const scrolling = `[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).length`
  assert.ok(Number(await chromium.evaluate(scrolling)) > 0, 'wide tables scroll in their frames')
})

check('dark readers get a dark page with its pictures, paper stays white', async (chromium) => {
  const ground = 'getComputedStyle(document.body).backgroundColor'
  const picture = `getComputedStyle(document.querySelector('figure > svg > rect')).fill`
  await chromium.load(file, { ...DESK, dark: true })
  assert.is(await chromium.evaluate(ground), 'rgb(13, 17, 23)')
  assert.is(await chromium.evaluate(picture), 'rgb(13, 17, 23)')
  const lines = `[...document.querySelectorAll('figure > svg [stroke]')].filter((e) => getComputedStyle(e).stroke === 'rgb(29, 78, 216)').length`
  assert.is(await chromium.evaluate(lines), 0, 'no line keeps its colour of a light page')
  for (const view of [DESK, PAPER]) {
    await chromium.show(view)
    assert.is(await chromium.evaluate(ground), 'rgb(255, 255, 255)')
    assert.is(await chromium.evaluate(picture), 'rgb(255, 255, 255)')
  }
})

check('all text has a contrast of 4.5 or more, light and dark', async (chromium) => {
  for (const dark of [false, true]) {
    await chromium.load(file, { ...DESK, dark })
    const worst = (await chromium.evaluate(CONTRAST)) as { ratio: number }
    assert.ok(worst.ratio >= 4.5, JSON.stringify(worst))
  }
})

test.after(() => {
  if ('chromium' in opened) opened.chromium.close()
})

test.run()
