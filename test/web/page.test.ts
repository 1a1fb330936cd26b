/**
 * The page in a browser, on WebGPU in software: what it shows is what the command line computes, files go in and out, runs can be
 * held, keys are enough, and texts stay texts. The tests follow each other on one page, as a person would.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Chromium } from '../support/chromium.js'
import { MARKUP } from '../support/hostile.js'
import { CONTRAST, OVERFLOW } from '../support/page_checks.js'
import { choose, click, drop, press, textOf, type, until } from '../support/page_user.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'
import { toySentences, tsv } from '../support/toy_ner.js'
import { toyFolder, toyOptions, toyRun } from '../support/toy_run.js'
import {
  DESK,
  openWebCase,
  PHONE,
  type PredictedEntity,
  type PredictedLine,
  predictInNode,
  readLines,
  saved,
  saveInto,
  unzip,
} from '../support/web_case.js'

const test = suite('page')

const TEXT = 'The patient had severe fever and cough, and \u{1d6fc}-zinc was treated with q10.'
/** A label may be markup; one without spaces, which would end a column. */
const HOSTILE_TYPE = '<img/src=x/onerror=window.broken=1>'

const opened = await openWebCase({ webgpu: true })
const model = join(temporaryFolder(), 'model')
if (!('reason' in opened)) {
  const toys = toyFolder(undefined, HOSTILE_TYPE)
  await toyRun(toyOptions(toys, { totalSteps: 80, evalEvery: 20, learningRate: 3e-3 }), { out: model })
}
const folder = temporaryFolder()
const train = join(folder, 'train.tsv')
const dev = join(folder, 'devel.tsv')
writeFileSync(train, tsv(toySentences(1, 40, 'Symptom')))
writeFileSync(dev, tsv(toySentences(2, 12, 'Symptom')))
let downloads = ''

function check(name: string, run: (chromium: Chromium) => Promise<void>): void {
  if ('reason' in opened) skip(test, name, opened.reason)
  else test(name, () => run(opened.chromium))
}

const address = () => ('reason' in opened ? '' : opened.server.url)

/** What the page marks, with its type and probability, in code points of the text. */
async function entitiesShown(chromium: Chromium): Promise<PredictedEntity[]> {
  const rows = `[...document.querySelectorAll('#found-rows tr')].map((row) => {
    const [text, type, confidence, place] = [...row.cells].map((cell) => cell.textContent)
    const [start, end] = place.split(' to ').map(Number)
    return { start, end, type, text, score: parseFloat(confidence) / 100 }
  })`
  return (await chromium.evaluate(rows)) as PredictedEntity[]
}

const isTold = "!document.querySelector('#copy-json').disabled"

async function annotate(chromium: Chromium, text: string): Promise<PredictedEntity[]> {
  await click(chromium, '#text-clear')
  await until(chromium, "document.querySelector('#copy-json').disabled")
  await type(chromium, text)
  await until(chromium, isTold)
  return entitiesShown(chromium)
}

/** Scores of two devices agree; on the page they have three digits, and 99.9% stands for all above. */
function same(shown: readonly PredictedEntity[], node: readonly PredictedEntity[]): void {
  const bare = (entities: readonly PredictedEntity[]) => entities.map(({ score: _, ...rest }) => rest)
  assert.equal(bare(shown), bare(node))
  for (const [i, { score }] of node.entries())
    assert.ok(
      Math.abs(Math.min(score, 0.999) - shown[i].score) < 0.0012,
      `${score} is shown as ${shown[i].score}`,
    )
}

check('it loads from its own server alone, without a complaint, and finds the device', async (chromium) => {
  const { said, asked } = await chromium.load(address(), DESK)
  assert.equal(said, [])
  await until(chromium, "/^Device: ./.test(document.querySelector('#device').textContent)")
  const heard = chromium.heard()
  assert.equal(heard.said, [])
  assert.ok(asked.length >= 4, asked.join(', '))
  for (const url of heard.asked) assert.ok(url.startsWith(address()) || url.startsWith('data:'), url)
  assert.is(await chromium.evaluate("document.querySelector('#no-webgpu').hidden"), true)
  assert.is(
    await chromium.evaluate("document.querySelectorAll('[style], script:not([src]), style').length"),
    0,
  )
  const policy = (await fetch(address())).headers.get('content-security-policy') ?? ''
  assert.match(policy, "default-src 'none'; script-src 'self'")
  await chromium.evaluate(`(() => {
    const script = document.createElement('script')
    script.textContent = 'window.broken = 1'
    document.body.append(script)
  })()`)
  assert.is(await chromium.evaluate('window.broken'), undefined, 'the policy is in force')
  await chromium.load(address(), DESK)
  await until(chromium, "/^Device: ./.test(document.querySelector('#device').textContent)")
  downloads = await saveInto(chromium)
})

check('the tabs are worked with keys', async (chromium) => {
  const at = () => chromium.evaluate('document.activeElement.id')
  const shown = () =>
    chromium.evaluate(
      "[...document.querySelectorAll('[role=tabpanel]')].filter((e) => !e.hidden).map((e) => e.id).join()",
    )
  await press(chromium, 'Tab')
  assert.is(await at(), 'tab-annotate')
  for (const [key, id] of [
    ['ArrowRight', 'finetune'],
    ['ArrowRight', 'write'],
    ['ArrowRight', 'annotate'],
    ['ArrowLeft', 'write'],
    ['Home', 'annotate'],
    ['End', 'write'],
    ['Home', 'annotate'],
  ]) {
    await press(chromium, key)
    assert.is(await at(), `tab-${id}`)
    assert.is(await shown(), id)
    const selected = "document.querySelectorAll('[role=tab][aria-selected=true]').length"
    assert.is(await chromium.evaluate(selected), 1)
  }
  const outline = await chromium.evaluate('getComputedStyle(document.activeElement).outlineWidth')
  assert.is(outline, '3px', 'the focus is seen')
  await press(chromium, 'Tab')
  assert.is(await at(), 'model-folder', 'the other tabs are no stops')
  await press(chromium, 'Tab', true)
  assert.is(await at(), 'tab-annotate')
})

check('a folder that is no model, and a text that is too long, are refused in words', async (chromium) => {
  const long = join(folder, 'long.txt')
  writeFileSync(long, 'fever '.repeat(200_000))
  await drop(chromium, [long])
  await until(chromium, "document.querySelector('#annotate-error').textContent !== ''")
  assert.match(await textOf(chromium, '#annotate-error'), 'long.txt has 1.2 MB')
  assert.is(await chromium.evaluate("document.querySelector('#text').value"), '')
  const short = join(folder, 'short.txt')
  writeFileSync(short, 'severe fever')
  await drop(chromium, [short])
  await until(chromium, "document.querySelector('#text').value === 'severe fever'")
  await until(chromium, "document.querySelector('#annotate-error').textContent === ''")
  const other = temporaryFolder()
  writeFileSync(join(other, 'notes.txt'), 'none')
  await drop(chromium, [other])
  await until(chromium, "document.querySelector('#model-error').textContent !== ''")
  assert.match(await textOf(chromium, '#model-error'), /config\.json/)
})

check('a dropped model finds in a typed text what the command line finds', async (chromium) => {
  await drop(chromium, [model])
  await until(chromium, "document.querySelector('#model-state').textContent.startsWith('For entities')")
  assert.is(await textOf(chromium, '#model-error'), '')
  const [{ entities }] = predictInNode(model, TEXT)
  assert.ok(entities.length >= 3, 'enough to compare')
  same(await annotate(chromium, TEXT), entities)
  const marked = "[...document.querySelectorAll('#text-mirror mark')].map((e) => e.textContent).join('|')"
  assert.is(await chromium.evaluate(marked), entities.map(({ text }) => text).join('|'))
  assert.match(await textOf(chromium, '#found'), new RegExp(`^${entities.length} entit`))
  assert.match(await textOf(chromium, '#found-facts'), /ms|s for \d+ pieces of text on ./)
})

check('the JSON that is saved is that of the command line, line by line', async (chromium) => {
  const text = `${TEXT}\n\n  cough \u{1f912} and fever .\n`
  await annotate(chromium, text)
  await click(chromium, '#save-json')
  const found = readLines(readFileSync(await saved(downloads, 'entities.jsonl'), 'utf8'))
  const wanted = predictInNode(model, text)
  assert.is(found.length, 3)
  const bare = (lines: readonly PredictedLine[]) =>
    lines.map((line) => ({ ...line, entities: line.entities.map(({ score: _, ...rest }) => rest) }))
  assert.equal(bare(found), bare(wanted))
  for (const [i, line] of wanted.entries())
    for (const [k, { score }] of line.entities.entries())
      assert.ok(Math.abs(found[i].entities[k].score - score) <= 2e-4, `${score} is saved as another`)
})

check('of a text that is typed in a hurry the newest is what is shown', async (chromium) => {
  await click(chromium, '#text-clear')
  const words = TEXT.split(/(?<= )/)
  for (const word of words) await type(chromium, word)
  const wanted = predictInNode(model, TEXT)[0].entities
  await until(
    chromium,
    `${isTold} && document.querySelectorAll('#found-rows tr').length === ${wanted.length}`,
  )
  same(await entitiesShown(chromium), wanted)
  const heights =
    "document.querySelector('#text').scrollHeight - document.querySelector('#text').clientHeight"
  assert.is(await chromium.evaluate(heights), 0, 'the text area shows all of its text')
})

check('an entity of the list is selected in the text', async (chromium) => {
  await chromium.evaluate("document.querySelector('#found-rows button').focus()")
  await press(chromium, 'Enter')
  const selected =
    "(() => { const t = document.querySelector('#text'); return t.value.slice(t.selectionStart, t.selectionEnd) })()"
  const first = await chromium.evaluate("document.querySelector('#found-rows button').textContent")
  assert.is(await chromium.evaluate(selected), first)
  assert.is(await chromium.evaluate('document.activeElement.id'), 'text')
})

check('hostile text and hostile labels stay text', async (chromium) => {
  const text = `fever ${MARKUP} cough ${HOSTILE_TYPE}`
  const before = await chromium.evaluate("document.querySelectorAll('img, script, style').length")
  const shown = await annotate(chromium, text)
  same(shown, predictInNode(model, text)[0].entities)
  assert.ok(
    shown.some((entity) => entity.type === HOSTILE_TYPE),
    'a label with markup was found',
  )
  assert.ok((await textOf(chromium, '#text-mirror')).includes(MARKUP))
  assert.is(await chromium.evaluate("document.querySelectorAll('img, script, style').length"), before)
  assert.is(await chromium.evaluate('window.broken'), undefined)
})

check('numbers that are none are refused at their field', async (chromium) => {
  await click(chromium, '#tab-finetune')
  await choose(chromium, '#train-input', [train])
  await choose(chromium, '#dev-input', [dev])
  await until(chromium, "document.querySelector('#dev-name').textContent.startsWith('devel.tsv')")
  await chromium.evaluate("document.querySelector('#rate').value = 'fast'")
  await click(chromium, '#finetune-run .primary')
  assert.match(await textOf(chromium, '#finetune-run .error'), 'Learning rate: found fast, expected a number')
  assert.is(await chromium.evaluate('document.activeElement.id'), 'rate')
  assert.is(await chromium.evaluate("document.activeElement.getAttribute('aria-invalid')"), 'true')
})

const stepShown =
  "Number(/^Step ([\\d,]+)/.exec(document.querySelector('#finetune-run .where').textContent)?.[1] ?? 0)"

check('twenty steps of fine-tuning are shown, paused and gone on with', async (chromium) => {
  const set = { rate: '3e-3', epochs: '4', batch: '8', seed: '7' }
  for (const [id, value] of Object.entries(set))
    await chromium.evaluate(`document.querySelector('#${id}').value = '${value}'`)
  await click(chromium, '#finetune-run .primary')
  await until(chromium, `${stepShown} > 0`, 120)
  const [pause, stop] = [
    '#finetune-run .row button:nth-of-type(2)',
    '#finetune-run .row button:nth-of-type(3)',
  ]
  await click(chromium, pause)
  await until(chromium, `document.querySelector('${pause}').textContent === 'Resume'`)
  const held = await chromium.evaluate(stepShown)
  assert.ok(Number(held) < 20, `held at step ${held}`)
  await new Promise((resolve) => setTimeout(resolve, 700))
  assert.is(await chromium.evaluate(stepShown), held)
  assert.is(
    await chromium.evaluate("document.querySelector('#write-run .primary').disabled"),
    true,
    'one run at a time',
  )
  await click(chromium, pause)
  await until(chromium, "!document.querySelector('#finetune-result').hidden", 240)
  assert.is(await chromium.evaluate(stepShown), 20)
  assert.match(
    await textOf(chromium, '#finetune-scores'),
    /^20 steps done.*precision .*% recall|^20 steps done\..*recall/,
  )
  const labels = (await chromium.evaluate(
    "[...document.querySelectorAll('#finetune-run svg')].map((e) => e.getAttribute('aria-label'))",
  )) as string[]
  const [, first, last] = /from (\d+\.\d+) to (\d+\.\d+)/.exec(labels[0]) ?? []
  assert.ok(Number(last) < Number(first), labels[0])
  assert.match(labels[1], /F1 of development by step, from .* best .*% at step \d+/)
  assert.ok(
    Number(await chromium.evaluate("document.querySelectorAll('#finetune-run svg circle').length")) >= 2,
  )
  assert.is(await chromium.evaluate(`document.querySelector('${stop}').hidden`), true)
})

check(
  'the model that is saved is read by the command line, and finds what it finds on the page',
  async (chromium) => {
    await click(chromium, '#download-zip')
    const archive = await saved(downloads, 'model.zip')
    const out = temporaryFolder()
    const names = await unzip(archive, out)
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'task.json'])
      assert.ok(names.includes(`model/${name}`), names.join(', '))
    await click(chromium, '#use-model')
    await until(chromium, "!document.querySelector('#annotate').hidden")
    assert.is(await textOf(chromium, '#model-name'), 'the model that was trained here')
    assert.match(await textOf(chromium, '#model-state'), 'Symptom')
    const [{ entities }] = predictInNode(join(out, 'model'), TEXT)
    assert.ok(entities.length > 0, 'something was learned')
    same(await annotate(chromium, TEXT), entities)
  },
)

check(
  'the tab Write learns letters, shows what it writes and what pairs of letters are worth',
  async (chromium) => {
    const { said } = chromium.heard()
    assert.equal(said, [])
    await click(chromium, '#tab-write')
    const text = tsv(toySentences(4, 60)).replace(/\t\w\n/g, ' ')
    await chromium.evaluate("document.querySelector('#write-text').focus()")
    await type(chromium, text)
    await click(chromium, 'input[value=small]')
    await chromium.evaluate("document.querySelector('#write-steps').value = '3'")
    await chromium.evaluate("document.querySelector('#write-letters').value = '20'")
    await click(chromium, '#write-run .primary')
    await until(chromium, "!document.querySelector('#write-result').hidden", 240)
    assert.match(
      await textOf(chromium, '#write-scores'),
      /^3 steps done.* [\d.]+ nats a letter.* [\d.]+ of counts of pairs/,
    )
    assert.ok((await textOf(chromium, '.sample')).length >= 20)
    const label = await chromium.evaluate(
      "document.querySelector('#write-run svg').getAttribute('aria-label')",
    )
    assert.match(String(label), /pairs of letters/)
  },
)

check('on a phone nothing is wider than the page, in any tab', async (chromium) => {
  await chromium.show(PHONE)
  for (const tab of ['annotate', 'finetune', 'write']) {
    await click(chromium, `#tab-${tab}`)
    // charts are drawn anew in the next frame
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.equal(await chromium.evaluate(OVERFLOW), [], tab)
    assert.is(await chromium.evaluate('document.documentElement.scrollWidth'), PHONE.width, tab)
  }
})

check(
  'all text has a contrast of 4.5 or more, light and dark, and every control has a name',
  async (chromium) => {
    for (const tab of ['annotate', 'finetune', 'write']) {
      for (const dark of [false, true]) {
        await chromium.show({ ...DESK, dark })
        await click(chromium, `#tab-${tab}`)
        await new Promise((resolve) => setTimeout(resolve, 250))
        const worst = (await chromium.evaluate(CONTRAST)) as { ratio: number }
        assert.ok(worst.ratio >= 4.5, `${tab}: ${JSON.stringify(worst)}`)
      }
      const { nodes } = await chromium.send('Accessibility.getFullAXTree')
      const named = [
        'button',
        'textbox',
        'tab',
        'radio',
        'image',
        'progressbar',
        'tabpanel',
        'tablist',
        'region',
      ]
      type Node = { ignored: boolean; role?: { value: string }; name?: { value: string } }
      const bare = (nodes as Node[])
        .filter(({ ignored, role }) => !ignored && named.includes(role?.value ?? ''))
        .filter(({ name }) => !name?.value)
      assert.equal(
        bare.map(({ role }) => role?.value),
        [],
        tab,
      )
    }
  },
)

check('nothing was complained of, and nobody else was asked', async (chromium) => {
  const { said, asked } = chromium.heard()
  assert.equal(said, [])
  for (const url of asked) assert.match(url, /^(http:\/\/127\.0\.0\.1:|blob:http:\/\/127\.0\.0\.1:|data:)/)
})

test.after(async () => {
  if ('close' in opened) await opened.close()
})

test.run()
