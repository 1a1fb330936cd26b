/** Servers that answer with mutated HTTP: a download gives the right file or a UserError, and nothing else. */
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../src/error.js'
import { listRepository, modelFiles } from '../../src/fetch/hub.js'
import { fail } from '../support/failure.js'
import { closeTransports, transport, tryDownload } from '../support/fetch_case.js'
import { type Random, random } from '../support/random.js'
import { folderWith } from '../support/temporary.js'
import { COMMIT, entriesOf, noise } from '../support/web_server.js'

const test = suite('fetch of mutated answers')
const count = Number(process.env.BIOALBERT_FUZZ || 500)
const bytes = noise(600)
const retries = { tries: 2, first: 0, longest: 0 }

test.after(closeTransports)

const tokens = [
  'Content-Length: 5\r\n',
  'bytes 0-599/600',
  'Content-Encoding: gzip\r\n',
  '206',
  '302',
  '429',
  '-1',
  '*',
]
tokens.push(
  'Location: /\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Retry-After: 0\r\n',
  '\r\n\r\n',
  '99999999999999999999',
)

function mutated(text: Buffer, r: Random): Buffer {
  let out = Buffer.from(text)
  for (let left = r.integer(1, 5); left > 0; left--) {
    // heads are short beside bodies, and more is to be broken there
    const at = r.integer(r.uniform() < 0.7 ? Math.min(out.length, 200) + 1 : out.length + 1)
    const kind = r.integer(5)
    const rest = out.subarray(at + (kind === 0 ? r.integer(1, 20) : 0))
    const put = kind === 1 ? r.pick(tokens) : kind === 2 ? String.fromCharCode(r.integer(256)) : ''
    if (kind === 3 && at < out.length) out[at] ^= 1 << r.integer(8)
    else if (kind === 4) out = out.subarray(0, at)
    else out = Buffer.concat([out.subarray(0, at), Buffer.from(put, 'latin1'), rest])
  }
  return out
}

function answer(status: string, headers: Record<string, string | number>, body: Uint8Array): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`), body])
}

/** Answers every request by what `answerTo` makes of its head, and closes. The draws depend on the case and its requests alone. */
async function raw(answerTo: (head: string, r: Random) => Buffer): Promise<{ url: string; end: () => void }> {
  const sockets = new Set<Socket>()
  const asked = new Map<string, number>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.once('data', (data) => {
      const head = data.toString('latin1')
      const k = /^GET \/(\d+)/.exec(head)?.[1] ?? '0'
      const n = asked.get(k) ?? 0
      asked.set(k, n + 1)
      socket.end(answerTo(head, random(Math.imul(Number(k), 65_537) + n)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const end = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, end }
}

/** Many at once, since most of a case is waiting. */
async function each(run: (k: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async () => {
    for (let k = next++; k < count; k = next++) {
      const started = performance.now()
      await run(k)
      if (performance.now() - started > 10_000) fail(`case ${k} took ${performance.now() - started} ms`)
    }
  }
  await Promise.all(Array.from({ length: 32 }, work))
}

function isFine(error: Error | undefined, what: string): void {
  if (error !== undefined && !(error instanceof UserError)) fail(`${what}: ${error.stack}`)
}

test(`${count} mutated answers to downloads, whole and in parts`, async () => {
  const whole = answer('200 OK', { 'Content-Length': 600, ETag: '"one"' }, bytes)
  const rest = answer(
    '206 Partial Content',
    { 'Content-Range': 'bytes 300-599/600', 'Content-Length': 300, ETag: '"one"' },
    bytes.subarray(300),
  )
  const server = await raw((head, r) => {
    const good = /^range: bytes=300-/im.test(head) ? rest : whole
    return r.uniform() < 0.9 ? mutated(good, r) : good
  })
  const from = transport({ timeouts: { connect: 1000, idle: 400 } })
  let fetched = 0
  await each(async (k) => {
    const r = random(k)
    const url = `${server.url}/${k}`
    const state = JSON.stringify({ url, etag: '"one"', size: 600 })
    const isPart = k % 2 === 0
    const folder = folderWith(
      isPart ? { part: bytes.subarray(0, 300), 'part.json': mutated(Buffer.from(state), r) } : {},
    )
    const isKnown = k % 4 < 2
    const wanted = isKnown ? { expected: bytes } : { most: 2000 }
    const { bytes: found, error } = await tryDownload(url, wanted, {
      folder,
      transport: from,
      retries,
    })
    isFine(error, `case ${k}`)
    assert.is(found === undefined, error !== undefined, `case ${k}`)
    if (found && isKnown) assert.ok(found.equals(bytes), `case ${k}: wrong bytes`)
    if (found) fetched++
    rmSync(folder, { recursive: true })
  })
  server.end()
  assert.ok(fetched > count / 20 && fetched < count, `${fetched} of ${count}`)
})

test(`${count} mutated answers of a hub`, async () => {
  const files = { 'config.json': bytes, 'model.safetensors': bytes, 'vocab.txt': bytes }
  const json = (value: unknown) => {
    const body = Buffer.from(JSON.stringify(value))
    return answer('200 OK', { 'Content-Type': 'application/json', 'Content-Length': body.length }, body)
  }
  // mutated inside too, with a length that fits, so that not all is lost before it is read
  const inside = (value: unknown, r: Random) => {
    const body = mutated(Buffer.from(JSON.stringify(value)), r)
    return answer('200 OK', { 'Content-Length': body.length }, body)
  }
  const server = await raw((head, r) => {
    const info = { _id: '1', id: 'o/r', sha: COMMIT, cardData: { license: 'mit' }, tags: ['license:mit'] }
    const value = head.includes('/revision/') ? info : entriesOf(files)
    return r.uniform() < 0.2 ? mutated(json(value), r) : r.uniform() < 0.4 ? inside(value, r) : json(value)
  })
  const options = {
    endpoint: server.url,
    transport: transport({ timeouts: { connect: 1000, idle: 400 } }),
    retries,
  }
  let listed = 0
  await each(async (k) => {
    try {
      const repository = { name: 'o/r', revision: 'main' }
      const listing = await listRepository(repository, { ...options, endpoint: `${server.url}/${k}` })
      for (const { path, size } of modelFiles('o/r', listing)) {
        assert.ok(['config.json', 'model.safetensors', 'vocab.txt'].includes(path), path)
        assert.ok(Number.isSafeInteger(size) && size >= 0)
      }
      listed++
    } catch (error) {
      isFine(error as Error, `case ${k}`)
    }
  })
  server.end()
  assert.ok(listed > count / 20 && listed < count, `${listed} of ${count}`)
})

test.run()
