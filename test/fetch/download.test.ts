/** Downloads from servers that drop, stall, lie and send wrong bytes: the right file, or none under its name. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../src/error.js'
import { fail } from '../support/failure.js'
import { closeTransports, type Outcome, quick, tryDownload } from '../support/fetch_case.js'
import { random } from '../support/random.js'
import { folderWith } from '../support/temporary.js'
import { answerFor, closeServers, good, noise, serve, sha256 } from '../support/web_server.js'

const test = suite('download')
const bytes = noise(200_000)
const content = { bytes, etag: '"one"' }

test.after(async () => {
  await closeTransports()
  await closeServers()
})

function right({ bytes: found, error, names, reported }: Outcome, expected: Buffer = bytes): void {
  if (error) fail(`failed: ${error.stack}`)
  assert.ok(found?.equals(expected), 'the file is another')
  assert.equal(names, ['final'])
  assert.is(reported, expected.length)
}

function refused({ bytes: found, error }: Outcome, pattern: RegExp): void {
  assert.is(found, undefined, 'there is a file under the final name')
  if (!(error instanceof UserError)) fail(`no UserError: ${error?.stack}`)
  assert.match(error.message, pattern)
}

test('a connection that is dropped at random bytes costs only what had not come', async () => {
  const r = random(3)
  const server = await serve(good(content, (k) => (k < 12 ? 1 + r.integer(30_000) : undefined)))
  right(await tryDownload(server.url, { expected: bytes }))
  const ranges = server.requests.map(({ headers }) => Number(/\d+/.exec(headers.range ?? '0')?.[0]))
  assert.ok(
    ranges.every((from, i) => i === 0 || from > ranges[i - 1]),
    `${ranges}`,
  )
  assert.ok(server.requests.length > 5)
})

test('a server that gives nothing is asked so many times and no more', async () => {
  const server = await serve(good(content, () => 0))
  refused(await tryDownload(server.url, { expected: bytes }), /the connection was dropped \(tried 4 times\)/)
  assert.is(server.requests.length, 4)
})

test('a part of an earlier process is gone on with, under its ETag', async () => {
  const server = await serve(good(content))
  const { origin } = new URL(server.url)
  const folder = folderWith({
    part: bytes.subarray(0, 150_000),
    'part.json': JSON.stringify({ url: origin, etag: '"one"' }),
  })
  right(await tryDownload(origin, { expected: bytes }, { folder }))
  const { headers } = server.requests[0]
  assert.equal([headers.range, headers['if-range'], server.requests.length], ['bytes=150000-', '"one"', 1])
})

test('a part that was whole when the process ended is not asked for again', async () => {
  const server = await serve(good(content))
  right(await tryDownload(server.url, { expected: bytes }, { folder: folderWith({ part: bytes }) }))
  assert.is(server.requests.length, 0)
})

test('a part whose end nothing could check is thrown away', async () => {
  const server = await serve(good({ bytes }))
  const folder = folderWith({ part: 'of another file' })
  right(await tryDownload(server.url, {}, { folder }))
  assert.is(server.requests[0].headers.range, undefined)
})

test('an ETag that changes between attempts begins the file anew', async () => {
  const newer = { bytes: noise(180_000, 2), etag: '"two"' }
  const server = await serve((asked, response, k) =>
    k === 0 ? good(content, () => 90_000)(asked, response, k) : good(newer)(asked, response, k),
  )
  right(await tryDownload(server.url), newer.bytes)
})

test('a part that has rotted is found by the checksum, and begun anew once', async () => {
  const server = await serve(good(content))
  const folder = folderWith({ part: noise(1000, 9) })
  right(await tryDownload(server.url, { expected: bytes }, { folder }))
  assert.is(server.requests.length, 2)
})

test('a server that knows no ranges is read from the beginning', async () => {
  const server = await serve((_, response, k) => {
    response.writeHead(200, { 'content-length': bytes.length })
    if (k > 0) response.end(bytes)
    else response.write(bytes.subarray(0, 70_000), () => setTimeout(() => response.socket?.destroy(), 5))
  })
  right(await tryDownload(server.url, { expected: bytes }))
})

test('wrong bytes are named by both checksums and leave nothing, not even a part', async () => {
  const server = await serve(good({ bytes: noise(200_000, 5) }))
  const outcome = await tryDownload(server.url, { expected: bytes })
  refused(outcome, new RegExp(`SHA-256 is ${sha256(noise(200_000, 5))}, expected ${sha256(bytes)}`))
  assert.equal(outcome.names, [])
})

test('a checksum of git, as listings have for small files, is checked too', async () => {
  const server = await serve(good({ bytes: Buffer.from('hello\n') }))
  // git hash-object of that text
  const hex = 'ce013625030ba8dba906f756967f9e9ca394464a'
  right(await tryDownload(server.url, { checksum: { kind: 'git', hex } }), Buffer.from('hello\n'))
  const wrong = { kind: 'git', hex: `${hex.slice(0, 39)}b` } as const
  refused(await tryDownload(server.url, { checksum: wrong }), /git SHA-1 is ce0136.*, expected ce0136/)
})

test('busy servers are asked again, when they say', async () => {
  for (const status of [429, 500, 502, 503, 504, 408]) {
    const server = await serve((asked, response, k) =>
      k < 2 ? void response.writeHead(status).end() : good(content)(asked, response, k),
    )
    right(await tryDownload(server.url, { expected: bytes }))
    assert.is(server.requests.length, 3)
  }
  const server = await serve((asked, response, k) =>
    k < 1 ? void response.writeHead(429, { 'retry-after': '1' }).end() : good(content)(asked, response, k),
  )
  const started = performance.now()
  right(await tryDownload(server.url, { expected: bytes }))
  assert.ok(performance.now() - started > 990)
})

test('a server that wants an hour is not waited for', async () => {
  const server = await serve((_, response) => void response.writeHead(503, { 'retry-after': '3600' }).end())
  refused(await tryDownload(server.url), /answered 503, and wants to be asked again in 3600 s/)
  assert.is(server.requests.length, 1)
})

test('what is not there or not allowed is said at once', async () => {
  for (const [status, says] of [
    [404, /not found \(404\)/],
    [410, /not found/],
    [403, /access denied \(403\)/],
    [418, /answered 418/],
  ] as const) {
    const server = await serve((_, response) => void response.writeHead(status).end('no'))
    refused(await tryDownload(server.url), says)
    assert.is(server.requests.length, 1)
  }
})

test('a server that hangs before or amid an answer is left, and gone on with', async () => {
  const server = await serve((asked, response, k) => {
    if (k === 0) return
    const { status, headers, body } = answerFor(content, asked)
    response.writeHead(status, headers)
    if (k === 1) response.write(body.subarray(0, 50_000))
    else response.end(body)
  })
  right(await tryDownload(server.url, { expected: bytes }))
  assert.is(server.requests[2].headers.range, 'bytes=50000-')
  const mute = await serve(() => undefined)
  const retries = { ...quick, tries: 2 }
  refused(await tryDownload(mute.url, {}, { retries }), /no answer within the time allowed \(tried 2 times\)/)
})

test('a slow server is waited for while bytes come', async () => {
  const server = await serve((_, response) => {
    response.writeHead(200, { 'content-length': 1000 })
    let at = 0
    const more = setInterval(() => {
      response.write(bytes.subarray(at, at + 100))
      at += 100
      if (at === 1000) response.end(void clearInterval(more))
    }, 40)
  })
  right(await tryDownload(server.url, { expected: bytes.subarray(0, 1000) }), bytes.subarray(0, 1000))
})

const lies: Record<string, [headers: (from: number) => Record<string, string>, says: RegExp]> = {
  'of another start': [
    (from) => ({ 'content-range': `bytes ${from - 1}-199999/200000` }),
    /sent range "bytes/,
  ],
  'of another total': [
    (from) => ({ 'content-range': `bytes ${from}-199999/200001` }),
    /200001 bytes, expected/,
  ],
  'that ends before it starts': [(from) => ({ 'content-range': `bytes ${from}-5/200000` }), /sent range/],
  'behind the end': [(from) => ({ 'content-range': `bytes ${from}-200000/200000` }), /sent range/],
  'that is none': [() => ({ 'content-range': 'bytes all of them' }), /"bytes all of them"/],
  'left out': [() => ({}), /sent no range/],
  'that the length belies': [
    (from) => ({ 'content-range': `bytes ${from}-199999/200000`, 'content-length': '5' }),
    /\(5 bytes\)/,
  ],
}

for (const [name, [headers, says]] of Object.entries(lies)) {
  test(`a range ${name} is refused, and the file begun anew once`, async () => {
    for (const isAlways of [false, true]) {
      let told = 0
      const server = await serve((asked, response, k) => {
        const from = Number(/\d+/.exec(asked.headers.range ?? '')?.[0] ?? 0)
        if (from > 0 && (isAlways || told === 0)) {
          told++
          response.writeHead(206, headers(from))
          response.end(bytes.subarray(from))
        } else good(content, () => (k < 1 || isAlways ? 60_000 : undefined))(asked, response, k)
      })
      const outcome = await tryDownload(server.url, { expected: bytes })
      assert.ok(told > 0)
      if (isAlways) refused(outcome, says)
      else right(outcome)
    }
  })
}

test('a length that is not the one known is refused, more than was said is not written', async () => {
  const short = await serve(good({ bytes: bytes.subarray(0, 1000) }))
  refused(await tryDownload(short.url, { expected: bytes }), /the server says 1000 bytes, expected 200000/)
  const long = await serve(good({ bytes: noise(200_001) }))
  refused(await tryDownload(long.url, { expected: bytes }), /the server says 200001 bytes, expected 200000/)
  // no length at all, and no end
  const endless = await serve((_, response) => {
    const more = () => {
      if (!response.destroyed) response.write(bytes, () => setTimeout(more, 1))
    }
    response.writeHead(200)
    more()
  })
  refused(await tryDownload(endless.url, { expected: bytes }), /sent more than the 200000 bytes/)
  refused(await tryDownload(endless.url, { most: 500_000 }), /sent more than the 500000 bytes/)
  const large = await serve(good(content))
  refused(await tryDownload(large.url, { most: 1000 }), /200000 bytes, at most 1000 are taken/)
})

test('a length that promises more than comes is gone on with', async () => {
  const server = await serve((asked, response, k) => {
    const { status, headers, body } = answerFor(content, asked)
    response.writeHead(status, headers)
    response.end(k < 3 ? body.subarray(0, 20_000) : body)
  })
  right(await tryDownload(server.url, { expected: bytes }))
  assert.is(server.requests.length, 4)
})

test('a part that nobody asked for is refused', async () => {
  const server = await serve((_, response) => {
    response.writeHead(206, { 'content-range': 'bytes 100-199999/200000' })
    response.end(bytes.subarray(100))
  })
  refused(await tryDownload(server.url, { expected: bytes }), /sent a part that was not asked for/)
})

test('a file of unknown length without a checksum ends where the answer does', async () => {
  const server = await serve((_, response) => void response.writeHead(200).end(bytes))
  right(await tryDownload(server.url))
  const empty = await serve(good({ bytes: Buffer.alloc(0) }))
  right(await tryDownload(empty.url, { expected: Buffer.alloc(0) }), Buffer.alloc(0))
  right(await tryDownload(empty.url), Buffer.alloc(0))
})

test('state beside a part that is broken or of another address is not believed', async () => {
  for (const text of ['{', '[]', 'null', '{"url":"http://other/","etag":"\\"one\\"","size":150000}']) {
    const server = await serve(good(content))
    const folder = folderWith({ part: bytes.subarray(0, 150_000), 'part.json': text })
    right(await tryDownload(server.url, {}, { folder }))
    assert.is(server.requests[0].headers.range, undefined)
  }
})

test('a signal stops it and leaves the part', async () => {
  const stop = new AbortController()
  const server = await serve(good(content, () => 80_000))
  const options = { signal: stop.signal, onBytes: (n: number) => void (n > 0 && stop.abort()) }
  const outcome = await tryDownload(server.url, { expected: bytes }, options)
  assert.is(outcome.error?.name, 'AbortError')
  assert.equal(outcome.names, ['part', 'part.json'])
  const part = readFileSync(join(outcome.folder, 'part'))
  assert.ok(part.equals(bytes.subarray(0, part.length)) && part.length > 0)
  // what a crash left half written behind it costs nothing but the file
  appendFileSync(join(outcome.folder, 'part'), 'x')
  writeFileSync(join(outcome.folder, 'part.json'), '{"url": ')
  server.handler = good(content)
  right(await tryDownload(server.url, { expected: bytes }, { folder: outcome.folder }))
})

test.run()
