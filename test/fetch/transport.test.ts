/** One GET: redirects and their bounds, whom the token reaches, proxies, compressed answers, waits. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { retryAfter } from '../../src/fetch/retry.js'
import { readAll, shown, type Transport } from '../../src/fetch/transport.js'
import { certificate, noCertificate } from '../support/certificate.js'
import { rejects } from '../support/failure.js'
import { closeTransports, transport, tryDownload } from '../support/fetch_case.js'
import { skip } from '../support/skip.js'
import { closeServers, type Handler, noise, proxy, serve } from '../support/web_server.js'

const test = suite('transport')

test.after(async () => {
  await closeTransports()
  await closeServers()
})

const hello: Handler = (_, response) => void response.end('hello')

function to(location: string, status = 302): Handler {
  return (_, response) => void response.writeHead(status, { location }).end()
}

async function text(from: Transport, url: string): Promise<string> {
  return (await readAll(await from.get(url), 1000)).toString()
}

test('redirects are followed, ten of them, and a circle is left', async () => {
  const server = await serve((asked, response) => {
    const left = Number(asked.url?.slice(1))
    if (left === 0) response.end('there')
    else response.writeHead([301, 302, 303, 307, 308][left % 5], { location: `/${left - 1}` }).end()
  })
  assert.is(await text(transport(), `${server.url}/10`), 'there')
  await rejects(transport().get(`${server.url}/11`), /\/11: more than 10 redirects/)
  const circle = await serve(to('/'))
  await rejects(transport().get(circle.url), /more than 10 redirects/)
})

test('a redirect to no address, or to another kind of address, is refused', async () => {
  for (const location of ['http://[', 'file:///etc/passwd', 'ftp://127.0.0.1/', 'data:text/plain,x']) {
    const server = await serve(to(location))
    await rejects(transport().get(server.url), /redirects to an address that is none/)
  }
  const none = await serve((_, response) => void response.writeHead(302).end())
  await rejects(transport().get(none.url), /redirects to an address that is none/)
  await rejects(transport().get('file:///etc/passwd'), /only https can be fetched/)
  await rejects(transport().get('nonsense'), /"nonsense" is no address/)
})

test('the token goes to the origin that it is for, and to nobody whom that redirects to', async () => {
  const other = await serve(hello)
  const server = await serve((asked, response) => {
    if (asked.url === '/here') response.end('hello')
    else to(asked.url === '/away' ? other.url : '/here')(asked, response, 0)
  })
  const token = { value: 'hf_secret', origin: server.url }
  const from = transport({ token })
  assert.is(await text(from, `${server.url}/away`), 'hello')
  assert.is(await text(from, `${server.url}/stay`), 'hello')
  assert.is(await text(from, `${other.url}/direct`), 'hello')
  const sent = (one: typeof server) => one.requests.map(({ headers }) => headers.authorization)
  assert.equal(sent(server), ['Bearer hf_secret', 'Bearer hf_secret', 'Bearer hf_secret'])
  assert.equal(sent(other), [undefined, undefined])
})

test('a token goes over no plain connection but to this machine, and a broken one is not told', async () => {
  const through = await proxy()
  const from = transport({
    token: { value: 'hf_secret', origin: 'http://hub.invalid' },
    proxies: { http: through.url },
  })
  // the proxy cannot reach it, and would have seen the token
  await rejects(from.get('http://hub.invalid/x'), /dropped/)
  assert.equal(through.seen, ['GET http://hub.invalid/x'])
  assert.is(through.tokens.length, 0)
  const broken = { value: 'hf_\r\nx: y', origin: 'https://hub.invalid' }
  assert.throws(
    () => transport({ token: broken }),
    (error: Error) => /HF_TOKEN holds characters/.test(error.message) && !error.message.includes('hf_'),
  )
})

test('what may be secret in an address is not shown', () => {
  assert.is(shown('https://me:word@host/file?signature=s#f'), 'https://host/file')
})

test('plain addresses ask a proxy by their whole, credentials and all; NO_PROXY goes past it', async () => {
  const server = await serve(hello)
  const through = await proxy('user:p@ss')
  const http = through.url.replace('http://', 'http://user:p%40ss@')
  assert.is(await text(transport({ proxies: { http } }), `${server.url}/a`), 'hello')
  assert.equal(through.seen, [`GET ${server.url}/a`])
  assert.is(await text(transport({ proxies: { http, none: '127.0.0.1' } }), `${server.url}/b`), 'hello')
  assert.is(through.seen.length, 1)
  await rejects(transport({ proxies: { http: through.url } }).get(server.url), /proxy wants a user .*407/)
  assert.is(server.requests.length, 2)
  for (const wrong of ['socks5://127.0.0.1:9', 'not an address'])
    assert.throws(() => transport({ proxies: { http: wrong } }), /want an address such as http:\/\/HOST:PORT/)
})

test('a compressed answer is read as what it is', async () => {
  for (const [name, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const) {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': name, etag: '"one"' })
      response.end(compress(noise(50_000)))
    })
    const { bytes, error } = await tryDownload(server.url, { expected: noise(50_000) })
    assert.is(error, undefined)
    assert.ok(bytes?.equals(noise(50_000)))
    assert.is(server.requests[0].headers['accept-encoding'], 'identity')
  }
  const odd = await serve((_, response) => void response.writeHead(200, { 'content-encoding': 'zst' }).end())
  await rejects(transport().get(odd.url), /encoded as zst/)
})

test('a compressed bomb is cut off at the bytes that are expected', async () => {
  const bomb = gzipSync(Buffer.alloc(100 << 20))
  const server = await serve((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' })
    response.end(bomb)
  })
  let most = 0
  const onBytes = (count: number) => {
    most += Math.max(0, count)
  }
  const { error } = await tryDownload(server.url, { expected: noise(1000) }, { onBytes })
  assert.match(error?.message ?? '', /sent more than the 1000 bytes/)
  assert.ok(most < 1 << 20)
})

test('hosts that are not there, and answers that are no HTTP, are said', async () => {
  const closed = await serve(hello)
  await closed.close()
  await rejects(transport().get(closed.url), /the connection was refused/)
  const odd = await serve((_, response) => void response.socket?.end('220 ready\r\n'))
  await rejects(transport().get(odd.url), /the answer is no HTTP/)
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT')
  assert.is(retryAfter('120', now), 120)
  assert.is(retryAfter('Wed, 21 Oct 2015 07:29:00 GMT', now), 60)
  assert.is(retryAfter('Wed, 21 Oct 2015 07:00:00 GMT', now), 0)
  for (const text of ['', 'soon', '-5', '1e9', undefined]) assert.is(retryAfter(text, now), undefined)
})

const tls = certificate()
const named = ['https is not left for http, and goes through a proxy by CONNECT', 'a certificate is checked']
if (tls === undefined) for (const name of named) skip(test, name, noCertificate)
else {
  test(named[0], async () => {
    const plain = await serve(hello)
    const secure = await serve((asked, response) => {
      if (asked.url === '/down') to(plain.url)(asked, response, 0)
      else response.end('sealed')
    }, tls)
    const from = transport({ authorities: tls.cert })
    assert.is(await text(from, secure.url), 'sealed')
    await rejects(from.get(`${secure.url}/down`), /redirects from https to http:.*not followed/)
    const up = await serve(to(secure.url))
    assert.is(await text(from, up.url), 'sealed')
    const through = await proxy()
    const proxied = transport({ authorities: tls.cert, proxies: { https: through.url } })
    assert.is(await text(proxied, secure.url), 'sealed')
    assert.equal(through.seen, [`CONNECT 127.0.0.1:${secure.port}`])
    const asking = await proxy('user:word')
    const refused = transport({ authorities: tls.cert, proxies: { https: asking.url } })
    await rejects(refused.get(secure.url), /proxy wants a user and password \(407\)/)
  })

  test(named[1], async () => {
    const secure = await serve(hello, tls)
    await rejects(transport().get(secure.url), /its certificate cannot be trusted/)
    assert.is(secure.requests.length, 0)
  })
}

test.run()
