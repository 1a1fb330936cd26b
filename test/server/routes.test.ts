/** Every route, every way to ask wrongly, and every limit: the status, and words that say what was found and expected. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rejects } from '../support/failure.js'
import { get, openServerCase, post, type Runner, type ServerCase } from '../support/server_case.js'
import { taskModel } from '../support/task_model.js'

const test = suite('server, routes')
const folder = await taskModel('entities')
const json = { 'content-type': 'application/json' }
let one: ServerCase

test.before(async () => {
  one = await openServerCase(folder)
})
test.after(() => one.close())

test('/ says what is here, and its example works', async () => {
  const { status, headers, text } = await get(one.url, '/')
  assert.is(status, 200)
  assert.match(`${headers['content-type']}`, /^text\/plain/)
  assert.match(text, /a model for entities/)
  const [, body] = /-d '(.*)'/.exec(text) ?? []
  assert.is((await post(one.url, body)).status, 200)
  assert.ok(text.includes(`curl ${one.url}/v1/predict`), text)
})

test('/health, /ready, /metrics, /openapi.json', async () => {
  assert.equal((await get(one.url, '/health')).json, { status: 'ok' })
  assert.equal((await get(one.url, '/ready')).json, { status: 'ready' })
  const described = (await get(one.url, '/openapi.json')).json as { openapi: string; paths: object }
  assert.is(described.openapi, '3.1.0')
  for (const path of Object.keys(described.paths))
    assert.not((await get(one.url, path)).status === 404, `${path} is described and not there`)
})

test('/metrics counts requests by status, batches and pieces', async () => {
  const figure = async (line: string) => {
    const { text } = await get(one.url, '/metrics')
    return Number(
      text
        .split('\n')
        .find((found) => found.startsWith(`${line} `))
        ?.split(' ')[1] ?? 0,
    )
  }
  const ok = 'bioalbert_requests_total{route="/v1/predict",status="200"}'
  const bad = 'bioalbert_requests_total{route="/v1/predict",status="400"}'
  const names = [ok, bad, 'bioalbert_pieces_total', 'bioalbert_batch_pieces_count']
  const before = await Promise.all(names.map(figure))
  await post(one.url, { text: 'fever and cough' })
  await post(one.url, { text: 7 })
  const after = await Promise.all(names.map(figure))
  // [CLS] fever and cough [SEP]
  assert.equal(
    after.map((value, i) => value - before[i]),
    [1, 1, 5, 1],
  )
  assert.ok((await figure('bioalbert_request_seconds_sum{route="/v1/predict"}')) > 0)
  assert.ok((await figure('bioalbert_batch_seconds_total')) > 0)
  assert.is(await figure('bioalbert_queue_requests'), 0)
  assert.is(await figure('bioalbert_queue_pieces'), 0)
  const { text } = await get(one.url, '/metrics')
  for (const name of [
    'bioalbert_request_seconds_bucket',
    'bioalbert_batch_requests_sum',
    'process_resident_memory_bytes',
  ])
    assert.match(text, new RegExp(`^${name}`, 'm'))
})

const wrong: readonly [what: string, body: unknown, status: number, message: RegExp][] = [
  ['no JSON', '{"text": fever}', 400, /^found text that is no JSON, expected JSON$/],
  ['JSON that ends early', '{"text": "fever', 400, /^found no JSON at character 15 of 15, expected JSON$/],
  ['an empty body', '', 400, /found no body, expected JSON/],
  ['a list', '[]', 400, /^found an array, expected an object with text, or texts$/],
  ['null', 'null', 400, /^found null, expected an object/],
  ['no fields', {}, 400, /^found no fields, expected text, or texts$/],
  ['another field', { body: 'x' }, 400, /^found "body", expected text, or texts$/],
  ['a further field', { text: 'x', form: 1 }, 400, /^found the field "form", expected no other fields$/],
  ['both forms', { text: 'x', texts: ['x'] }, 400, /^found "text", "texts", expected either text, or texts$/],
  ['a number as text', { text: 7 }, 400, /^text: found a number, expected a string$/],
  ['a text for texts', { texts: 'x' }, 400, /^texts: found a string, expected an array$/],
  ['no texts', { texts: [] }, 400, /^texts: found 0, expected at least 1$/],
  ['too many texts', { texts: Array(257).fill('x') }, 400, /^texts: found 257, expected at most 256$/],
  ['null among texts', { texts: ['x', null] }, 400, /^texts\[1\]: found null, expected a string$/],
  [
    'a prototype',
    '{"text": "x", "__proto__": {"a": 1}}',
    400,
    /^found the field "__proto__", expected no other fields$/,
  ],
  [
    'bytes that are not UTF-8',
    Buffer.from('{"text": "\xff"}', 'latin1'),
    400,
    /^found bytes that are not UTF-8/,
  ],
  ['a deep nest', '['.repeat(400_000), 400, /found .*, expected/],
  ['a nest as text', `{"text": ${'['.repeat(9000)}${']'.repeat(9000)}}`, 400, /^text: found an array/],
  [
    'a long body',
    { text: 'x'.repeat(2 ** 20) },
    413,
    /^found more bytes, expected a body of at most 1048576$/,
  ],
]
for (const [what, body, status, message] of wrong)
  test(`${what}: ${status}`, async () => {
    const answer = await post(one.url, body)
    assert.is(answer.status, status, answer.text)
    assert.is(answer.json.error?.status, status)
    assert.match(answer.json.error?.message ?? '', message)
  })

test('pairs and questions name the field that is wrong', async () => {
  const cases: [string, unknown, RegExp][] = [
    ['inference', { sentence1: 'x' }, /^sentence2: found nothing, expected a string$/],
    [
      'inference',
      {
        pairs: [
          { sentence1: 'x', sentence2: 'y' },
          { sentence1: 'x', sentence2: ['y'] },
        ],
      },
      /^pairs\[1\]\.sentence2: found an array, expected a string$/,
    ],
    ['inference', { sentence1: 'x', sentence2: ' ' }, /^input:1: found "x\\t ", expected two sentences/],
    ['inference', { text: 'x' }, /^found "text", expected sentence1 and sentence2, or pairs$/],
    ['answers', { question: ' ', context: 'x' }, /^question: found a string, expected a question$/],
    [
      'answers',
      { questions: [{ question: 'x', context: '' }] },
      /^questions\[0\]\.context: found a string, expected a text$/,
    ],
  ]
  for (const task of ['inference', 'answers']) {
    const other = await openServerCase(await taskModel(task))
    try {
      for (const [, body, message] of cases.filter(([name]) => name === task)) {
        const { status, json } = await post(other.url, body)
        assert.is(status, 400)
        assert.match(json.error?.message ?? '', message)
      }
    } finally {
      await other.close()
    }
  }
})

test('another type, charset or encoding: 415', async () => {
  const body = '{"text": "x"}'
  const cases: Record<string, string>[] = [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'application/json; charset=latin1' },
    { ...json, 'content-encoding': 'gzip' },
  ]
  for (const headers of cases) {
    const { status, json: found } = await post(one.url, body, headers)
    assert.is(status, 415, JSON.stringify(headers))
    assert.match(found.error?.message ?? '', /^found .*, expected application\/json in UTF-8$/)
  }
  assert.is((await post(one.url, body, { 'content-type': 'Application/JSON; charset="UTF-8"' })).status, 200)
})

test('another method: 405 with Allow; another path: 404', async () => {
  const put = await get(one.url, '/v1/predict', 'PUT')
  assert.is(put.status, 405)
  assert.is(put.headers.allow, 'POST')
  assert.match(put.json.error?.message ?? '', /^found PUT, expected POST$/)
  assert.is((await get(one.url, '/v1/predict?x=1')).headers.allow, 'POST')
  assert.is((await get(one.url, '/health', 'DELETE')).headers.allow, 'GET')
  assert.is((await get(one.url, '/toString')).status, 404)
  assert.is((await get(one.url, '/v2')).status, 404)
  assert.is((await get(one.url, '/%ff')).status, 400)
})

test('a text of too many pieces for a request: 413, on the event loop and in the thread', async () => {
  const small = await openServerCase(folder, { limits: { requests: 9, pieces: 4096, seconds: 60 } })
  try {
    for (const words of [1100, 3000]) {
      const { status, json: found } = await post(small.url, { text: 'fever '.repeat(words) })
      assert.is(status, 413)
      assert.match(
        found.error?.message ?? '',
        /^found \d+ pieces of text, expected at most 1024 in a request$/,
      )
    }
    assert.is((await post(small.url, { text: 'fever '.repeat(500) })).status, 200)
  } finally {
    await small.close()
  }
})

/** A device that waits until it is let go. */
function held() {
  let let_go: () => void = () => undefined
  let gate: Promise<void> | undefined
  return {
    hold() {
      gate = new Promise((resolve) => {
        let_go = resolve
      })
    },
    release: () => let_go(),
    wrap: (inner: Runner): Runner => ({
      async logits(examples) {
        await gate
        return inner.logits(examples)
      },
    }),
  }
}

test('a full queue: 429 with Retry-After, and what was taken is answered', async () => {
  const { hold, release, wrap } = held()
  const small = await openServerCase(folder, { limits: { requests: 3, pieces: 4096, seconds: 60 } }, wrap)
  try {
    hold()
    const taken = [1, 2, 3].map((n) => post(small.url, { text: 'fever '.repeat(n) }))
    while (small.server.service.requests < 3) await pause(5)
    const more = await post(small.url, { text: 'cough' })
    assert.is(more.status, 429)
    assert.match(`${more.headers['retry-after']}`, /^[1-9]\d?$/)
    assert.match(
      more.json.error?.message ?? '',
      /^the queue is full: found 3 requests that wait, expected at most 3$/,
    )
    assert.is((await get(small.url, '/health')).status, 200)
    release()
    for (const { status } of await Promise.all(taken)) assert.is(status, 200)
    assert.is((await post(small.url, { text: 'cough' })).status, 200)
  } finally {
    release()
    await small.close()
  }
})

test('too many pieces that wait: 429', async () => {
  const { hold, release, wrap } = held()
  const small = await openServerCase(folder, { limits: { requests: 99, pieces: 4096, seconds: 60 } }, wrap)
  try {
    hold()
    const long = { text: 'fever '.repeat(500) }
    const taken = [...Array(12)].map(() => post(small.url, long))
    const statuses = async () => (await Promise.all(taken)).map(({ status }) => status)
    while (small.server.service.waitingPieces < 3400) await pause(5)
    const more = await post(small.url, long)
    assert.is(more.status, 429)
    assert.match(
      more.json.error?.message ?? '',
      /^the queue is full: found \d+ pieces that wait and \d+ more, expected at most 4096$/,
    )
    release()
    assert.ok((await statuses()).filter((status) => status === 200).length >= 6)
  } finally {
    release()
    await small.close()
  }
})

test('no answer in time: 503, and the next is answered', async () => {
  const { hold, release, wrap } = held()
  const small = await openServerCase(folder, { limits: { requests: 99, pieces: 4096, seconds: 0.3 } }, wrap)
  try {
    hold()
    const late = await post(small.url, { text: 'fever' })
    assert.is(late.status, 503)
    assert.is(late.json.error?.code, 'timeout')
    assert.is(small.server.service.requests, 0)
    release()
    assert.is((await post(small.url, { text: 'fever' })).status, 200)
  } finally {
    release()
    await small.close()
  }
})

test('a fault inside: 500 without its words, and the server lives on; a lost device: 503 and whoever runs it is told', async () => {
  let fault: string | undefined
  const lost: string[] = []
  const broken = await openServerCase(folder, { onLost: ({ message }) => lost.push(message) }, (inner) => ({
    async logits(examples) {
      if (fault === 'always' || (fault === 'once' && examples.some(({ ids }) => ids.length === 4))) {
        throw new Error('secret of the inside')
      }
      return inner.logits(examples)
    },
  }))
  const stderr = process.stderr.write
  process.stderr.write = () => true
  try {
    fault = 'once'
    const bad = await post(broken.url, { text: 'fever cough' })
    assert.is(bad.status, 500)
    assert.not.match(bad.text, /secret/)
    assert.is((await post(broken.url, { text: 'fever' })).status, 200)
    assert.equal(lost, [])
    fault = 'always'
    assert.is((await post(broken.url, { text: 'fever' })).status, 503)
    assert.is((await post(broken.url, { text: 'fever' })).status, 503)
    assert.is(lost.length, 1)
  } finally {
    process.stderr.write = stderr
    await broken.close()
  }
})

test('a model that gives no numbers is refused before anything listens', async () => {
  const folder = await taskModel('entities', { weight: Number.NaN })
  await rejects(openServerCase(folder), /no numbers/)
})

test('while it ends it takes nothing more, and answers what it has', async () => {
  const { hold, release, wrap } = held()
  const ending = await openServerCase(folder, {}, wrap)
  hold()
  const taken = post(ending.url, { text: 'fever' })
  while (ending.server.service.requests < 1) await pause(5)
  const closed = ending.server.close(10)
  await pause(20)
  await post(ending.url, { text: 'cough' }).then(
    ({ status }) => assert.is(status, 503),
    ({ code }) => assert.is(code, 'ECONNREFUSED'),
  )
  release()
  const { status, headers } = await taken
  assert.is(status, 200)
  assert.is(headers.connection, 'close')
  assert.is(await closed, true)
})

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test.run()
