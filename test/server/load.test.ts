/** Many at once, many in all, and bodies of any kind: right answers, bounded memory, and a server that lives on. */
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import { parseBody } from '../../src/server/body.js'
import { inputForm } from '../../src/server/inputs.js'
import { Refusal } from '../../src/server/refusal.js'
import { evaluateLines, loadTask } from '../../src/training/finetuning/model.js'
import { openTask } from '../../src/training/finetuning/model_node.js'
import { fuzz, fuzzCount } from '../support/fuzz.js'
import { random } from '../support/random.js'
import { get, openServerCase, post, type ServerCase } from '../support/server_case.js'
import { taskModel } from '../support/task_model.js'

const test = suite('server, load')
const folder = await taskModel('entities')
let one: ServerCase

test.before(async () => {
  one = await openServerCase(folder)
})
test.after(() => one.close())

const words = ['the', 'patient', 'had', 'fever', 'and', 'cough', 'zinc', '.', 'q10', '\u{1f912}', 'e\u0301']

/** Texts, and what `predict` prints for each, worked out one at a time. */
async function known(count: number): Promise<{ text: string; want: string }[]> {
  const { integer, pick } = random(21)
  const texts = Array.from({ length: count }, () =>
    Array.from({ length: integer(1, 40) }, () => pick(words)).join(' '),
  )
  const { task, context } = openTask(folder)
  const device = openCpu({ threads: 1 })
  try {
    const predictor = await loadTask(openTask(folder), device)
    const print = task.printer({ format: 'jsonl', colour: false, entity: 'ENTITY' })
    const made: { text: string; want: string }[] = []
    for (const text of texts) {
      const items = task.parse(text, { file: 'x', line: 1 }, context)
      const [answers] = await evaluateLines(predictor, task, [items], context)
      made.push({ text, want: print(text, items, answers).trimEnd() })
    }
    return made
  } finally {
    await device.destroy()
  }
}

const texts = await known(64)

/** `clients` ask at a time, `count` in all, each its own text; every answer is checked. */
async function ask(clients: number, count: number): Promise<void> {
  let next = 0
  const client = async () => {
    while (next < count) {
      const { text, want } = texts[next++ % texts.length]
      const answer = await post(one.url, { text })
      if (answer.status !== 200 || answer.text !== want) assert.is(answer.text, want)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

test('64 clients at once get the answers that each would get alone, in fewer batches than requests', async () => {
  const batches = async () =>
    Number(/^bioalbert_batch_pieces_count (\d+)/m.exec((await get(one.url, '/metrics')).text)?.[1])
  const before = await batches()
  await ask(64, 640)
  const made = (await batches()) - before
  assert.ok(made < 320, `${made} batches for 640 requests`)
})

/** `count` requests over 32 connections, 25 in a packet, so that the client costs little; all must get 200. */
async function storm(count: number): Promise<void> {
  const { hostname, port } = new URL(one.url)
  const packet = texts
    .slice(0, 25)
    .map(({ text }) => {
      const body = JSON.stringify({ text })
      return `POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    })
    .join('')
  let left = count
  let answered = 0
  const client = () =>
    new Promise<void>((resolve, reject) => {
      let text = ''
      const send = () => {
        left -= 25
        if (left < 0) socket.end()
        else socket.write(packet)
      }
      const socket = connect(Number(port), hostname, send)
      socket.on('error', reject).on('close', () => resolve())
      socket.on('data', (chunk) => {
        text += chunk
        if (text.split('HTTP/1.1 200 OK').length - 1 < 25 || !text.endsWith('}')) return
        answered += 25
        text = ''
        send()
      })
    })
  await Promise.all(Array.from({ length: 32 }, client))
  assert.is(answered, count)
}

test('memory does not grow over 20,000 requests', async () => {
  await storm(4_000)
  const before = process.memoryUsage.rss()
  await storm(16_000)
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  assert.ok(grown < 96, `grew by ${grown.toFixed(1)} MiB`)
})

const bodies = {
  seeds: [
    '{"text": "The patient had fever and cough."}',
    '{"texts": ["fever", "cough \\ud83e\\udd12 and e\\u0301", "", "\\u0000\\u0007\\u202e"]}',
    '{"text": "\\ud800 fever \\udc00"}',
    `{"text": ${JSON.stringify('fever and cough '.repeat(600))}}`,
    '{"pairs": [{"sentence1": "fever", "sentence2": "cough\\tand"}, {"sentence1": "", "sentence2": "x"}]}',
    '{"question": "which fever", "context": "fever and cough"}',
    '{"text": "x", "texts": []}',
    '[[[[{"text": 1e999}]]]]',
  ],
  dictionary: [
    '"text"',
    '"texts"',
    '"pairs"',
    '{',
    '}',
    '[',
    ']',
    '\\ud800',
    '"__proto__":',
    'null',
    '\u{1f912}',
    '\r\n\t',
    '1e999',
    ',',
  ],
}

test('bodies of any bytes become lines or a refusal', async () => {
  const forms = ['entities', 'similarity', 'answers'].map(inputForm)
  const found = { lines: 0, refused: 0 }
  const result = await fuzz({
    ...bodies,
    count: fuzzCount(2_000),
    run(bytes) {
      for (const form of forms)
        try {
          const { lines } = form.read(parseBody(bytes))
          assert.ok(
            lines.length > 0 && lines.length <= 256 && lines.every((line) => typeof line === 'string'),
          )
          found.lines++
        } catch (error) {
          if (!(error instanceof Refusal)) throw error
          assert.is(error.status, 400)
          assert.match(error.message, /found .*, expected /s)
          found.refused++
        }
    },
  })
  assert.ok(found.lines > result.cases / 100 && found.refused > result.cases / 10, JSON.stringify(found))
  if (process.env.BIOALBERT_FUZZ) console.log(result, found)
})

test('bodies of any bytes get 200 or 4xx over HTTP, and the server lives on', async () => {
  const statuses = new Map<number, number>()
  await fuzz({
    ...bodies,
    seed: 2,
    count: 500,
    async run(bytes) {
      const { status, json } = await post(one.url, bytes)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (![200, 400, 413].includes(status)) throw new Error(`answered ${status}`)
      if (status !== 200) assert.type(json.error?.message, 'string')
    },
  })
  for (const status of [200, 400]) assert.ok((statuses.get(status) ?? 0) > 5, `${[...statuses]}`)
  assert.is((await post(one.url, { text: texts[0].text })).text, texts[0].want)
})

const hostile: Record<string, string> = {
  'one word': 'a'.repeat(100_000),
  spaces: ' '.repeat(500_000),
  controls: '\u0001\u0007\u001b'.repeat(20_000),
  'lone surrogates': '\ud800'.repeat(6_000),
  'astral characters': '\u{1f912}'.repeat(6_000),
  'full stops': '.'.repeat(10_000),
  'combining marks': `e${'\u0301'.repeat(30_000)}`,
  lines: 'fever\n'.repeat(8_000),
  'a megabyte': 'the patient had fever and cough. '.repeat(31_000),
}
for (const [what, text] of Object.entries(hostile))
  test(`a text of ${what} gets an answer or a refusal, and others are served meanwhile`, async () => {
    const asked = post(one.url, { text })
    let slowest = 0
    let open = true
    const { status, json } = await Promise.race([
      asked.finally(() => {
        open = false
      }),
      (async (): Promise<never> => {
        while (open) {
          const start = performance.now()
          await get(one.url, '/health')
          slowest = Math.max(slowest, performance.now() - start)
        }
        return new Promise(() => undefined)
      })(),
    ])
    assert.ok(status === 200 || status === 413, `${status}`)
    if (status === 200) assert.is(json.text, text)
    assert.ok(slowest < 2000, `/health took ${slowest.toFixed(0)} ms`)
  })

test.run()
