/** Clients that are slow, leave, speak no HTTP, or send all at once: each gets its words or its end, and no other waits for them. */
import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { get, openServerCase, post, type Runner, raw, type ServerCase } from '../support/server_case.js'
import { taskModel } from '../support/task_model.js'

const test = suite('server, connections')
const folder = await taskModel('entities')
const times = { headers: 500, request: 3000, idle: 400, answer: 500 }
let one: ServerCase
let batches = 0
let gate: Promise<void> | undefined

test.before(async () => {
  const counted = (inner: Runner): Runner => ({
    async logits(examples) {
      await gate
      batches++
      return inner.logits(examples)
    },
  })
  one = await openServerCase(folder, { times, connections: 40, bodyLimit: 2 ** 16 }, counted)
})
test.after(() => one.close())

const asked = (body: string, more = '') =>
  `POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`
const body = '{"text": "fever and cough"}'
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const alive = async () =>
  assert.match(await raw(one.url, asked(body, 'connection: close\r\n')), /^HTTP\/1\.1 200 /)

test('what is no HTTP gets 400 and the end of its connection', async () => {
  const cases: (string | Uint8Array)[] = [
    'hello\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\nbad header\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n',
    `POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    new Uint8Array(1000).fill(255),
  ]
  for (const bytes of cases) {
    const text = await raw(one.url, bytes)
    assert.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(text))
    assert.is(JSON.parse(text.split('\r\n\r\n').at(-1) as string).error.status, 400)
  }
  await alive()
})

test('headers without end get 431', async () => {
  const text = await raw(one.url, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)
  assert.match(text, /^HTTP\/1\.1 431 /)
})

test('a head that trickles in gets 408 after its time, and others are served meanwhile', async () => {
  const start = performance.now()
  const slow = raw(one.url, 'POST /v1/predict HTTP/1.1\r\nhost: x\r\n')
  await alive()
  assert.match(await slow, /^HTTP\/1\.1 408 /)
  assert.ok(performance.now() - start < 3000)
})

test('a body that trickles in gets 408 after its time', async () => {
  const text = await raw(one.url, asked(body).slice(0, -5))
  assert.match(text, /^HTTP\/1\.1 408 /)
})

test('a connection without a request is ended', async () => {
  assert.match(await raw(one.url, asked(body)), /^HTTP\/1\.1 200 /)
  await raw(one.url, '')
})

test('a body that says it is too long is refused before it comes, and a chunked one once it is', async () => {
  const head = 'POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  assert.match(await raw(one.url, `${head}content-length: 99999999999\r\n\r\n`), /^HTTP\/1\.1 413 /)
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`
  const text = await raw(one.url, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(4)}`)
  assert.match(text, /^HTTP\/1\.1 413 /)
  await alive()
})

test('requests in one packet are answered in their order', async () => {
  const bodies = ['fever', 'cough', 'zinc and fever'].map((text) => JSON.stringify({ text }))
  const packet = bodies.map((one) => asked(one)).join('') + asked(body, 'connection: close\r\n')
  const text = await raw(one.url, packet)
  const found = [...text.matchAll(/\{"text":"(.*?)"/g)].map(([, found]) => found)
  assert.equal(found, ['fever', 'cough', 'zinc and fever', 'fever and cough'])
})

test('a client that leaves costs the device nothing', async () => {
  let open: () => void = () => undefined
  gate = new Promise((resolve) => {
    open = resolve
  })
  try {
    const first = post(one.url, { text: 'fever' })
    await until(() => one.server.service.requests === 1)
    await pause(20)
    const sockets = await Promise.all(Array.from({ length: 20 }, () => opened(one.url)))
    for (const socket of sockets) socket.write(asked(body))
    await until(() => one.server.service.requests === 21)
    for (const socket of sockets) socket.destroy()
    await until(() => one.server.service.requests === 1)
    assert.is(one.server.service.waitingPieces, 0)
    const before = batches
    open()
    assert.is((await first).status, 200)
    await alive()
    assert.is(batches, before + 2)
    const { text } = await get(one.url, '/metrics')
    assert.match(text, /^bioalbert_disconnects_total (2\d|[3-9]\d)$/m)
  } finally {
    open()
    gate = undefined
  }
})

test('more connections than allowed are not taken, and room comes back', async () => {
  const sockets = await Promise.all(Array.from({ length: 60 }, () => opened(one.url)))
  let ended = 0
  for (const socket of sockets) socket.on('close', () => ended++)
  await until(() => ended >= 20, 400)
  for (const socket of sockets) socket.destroy()
  await pause(50)
  await alive()
})

test('a client that does not read its answers is ended, and others are served', async () => {
  const socket = await opened(one.url)
  socket.on('error', () => undefined)
  socket.pause()
  const count = 12_000
  // far more answers than the buffers of both sides hold
  socket.write('GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(count))
  await pause(3 * times.answer)
  await alive()
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.resume()
  await until(() => socket.destroyed)
  const answers = text.split('HTTP/1.1 200 OK').length - 1
  assert.ok(answers > 0 && answers < count, `${answers} of ${count} answers`)
  await alive()
})

function opened(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket))
    socket.on('error', reject)
  })
}

async function until(condition: () => boolean, patience = 10_000): Promise<void> {
  const end = performance.now() + patience
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not come to that')
    await pause(5)
  }
}

test.run()
