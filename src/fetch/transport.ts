/**
 * One GET over HTTP: through the proxy that the environment names, along redirects, with bounds on every wait. The token
 * of the hub goes to the hub's own origin alone and over no plain connection but to this machine; nothing goes from https
 * to http. Bodies come as they are sent, or decompressed where a server compresses without being asked to.
 */
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import { UsageError, UserError } from '../error.js'
import { isPassing, PassingError, reasonOf, retryAfter } from './retry.js'

const MOST_REDIRECTS = 10

export interface TransportOptions {
  readonly proxies?: { readonly http?: string; readonly https?: string; readonly none?: string }
  /** Sent to that origin alone. */
  readonly token?: { readonly value: string; readonly origin: string }
  /** Milliseconds until a connection is there; and without a byte. */
  readonly timeouts?: { readonly connect: number; readonly idle: number }
  /** Certificates of authorities to trust in place of the known ones. */
  readonly authorities?: string
}

export interface Answer {
  readonly status: number
  readonly body: Readable
  /** The address that answered, after redirects. */
  readonly url: string
  /** The body was compressed on its way, so lengths and ranges are not those of the file. */
  readonly wasEncoded: boolean
  header(name: string): string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** `https://host/path`, without what may be secret: user, password, query. */
export function shown(url: string | URL): string {
  try {
    const { protocol, host, pathname } = new URL(url)
    return `${protocol}//${host}${pathname}`
  } catch {
    return 'an address that is none'
  }
}

export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

export class Transport {
  readonly #dispatcher: Dispatcher
  readonly #token: TransportOptions['token']
  readonly #idle: number

  constructor(options: TransportOptions = {}) {
    const { connect, idle } = options.timeouts ?? { connect: 20_000, idle: 60_000 }
    this.#idle = idle
    this.#token = checkedToken(options.token)
    this.#dispatcher = dispatcher(options, connect)
  }

  /** Follows redirects; any other status is the caller's to judge. Throws a PassingError where a connection failed. */
  async get(url: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer> {
    let at = parsed(url)
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once(at, headers, signal)
      if (![301, 302, 303, 307, 308].includes(answer.status)) return answer
      answer.body.destroy()
      const location = answer.header('location')
      if (redirects === MOST_REDIRECTS)
        throw new UserError(`${shown(url)}: more than ${MOST_REDIRECTS} redirects`)
      at = redirected(at, location, url)
    }
  }

  async #once(at: URL, headers: Record<string, string>, signal?: AbortSignal): Promise<Answer> {
    const sent: Record<string, string> = {
      'accept-encoding': 'identity',
      'user-agent': 'bioalbert',
      ...headers,
      ...this.#authorization(at),
    }
    try {
      const {
        statusCode,
        headers: received,
        body,
      } = await request(at, {
        dispatcher: this.#dispatcher,
        headers: sent,
        headersTimeout: this.#idle,
        bodyTimeout: this.#idle,
        signal,
      })
      // a connection may fail while nobody reads yet; whoever reads then is told all the same
      body.on('error', () => undefined)
      const flat = Object.fromEntries(
        Object.entries(received).map(([name, value]) => [name, [value ?? []].flat().join(', ')]),
      )
      const encoding = (flat['content-encoding'] ?? 'identity').trim().toLowerCase()
      return {
        status: statusCode,
        url: at.href,
        headers: flat,
        header: (name) => flat[name],
        wasEncoded: encoding !== 'identity' && encoding !== '',
        body: decoded(body, encoding, at),
      }
    } catch (error) {
      if (signal?.aborted || error instanceof UserError) throw error
      throw failure(error, at)
    }
  }

  #authorization(at: URL): Record<string, string> {
    const token = this.#token
    if (token === undefined || at.origin !== token.origin) return {}
    return at.protocol === 'https:' || isLoopback(at) ? { authorization: `Bearer ${token.value}` } : {}
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy()
  }
}

/** What a status that is no success means: a PassingError where it may pass, else a UserError. */
export function statusError(answer: Answer, what: string): Error {
  const { status } = answer
  answer.body.destroy()
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const busy = status === 429 ? 'the server wants fewer requests (429)' : `the server answered ${status}`
    return new PassingError(busy, retryAfter(answer.header('retry-after')))
  }
  if (status === 401 || status === 403)
    return new UserError(`${what}: access denied (${status}) at ${shown(answer.url)}`)
  if (status === 404 || status === 410)
    return new UserError(`${what}: not found (${status}) at ${shown(answer.url)}`)
  return new UserError(`${what}: ${shown(answer.url)} answered ${status}`)
}

/** Reads a small body as a whole. */
export async function readAll({ body, url }: Answer, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      length += chunk.length
      if (length > most) throw new UserError(`${shown(url)}: the answer has more than ${most} bytes`)
    }
  } finally {
    body.destroy()
  }
  return Buffer.concat(chunks)
}

function parsed(url: string): URL {
  let at: URL
  try {
    at = new URL(url)
  } catch {
    throw new UsageError(`${JSON.stringify(url.slice(0, 200))} is no address`)
  }
  if (at.protocol !== 'https:' && at.protocol !== 'http:')
    throw new UsageError(`${shown(at)}: only https can be fetched`)
  return at
}

function redirected(from: URL, location: string | undefined, first: string): URL {
  let to: URL
  try {
    to = new URL(location as string, from)
    if (location === undefined || (to.protocol !== 'https:' && to.protocol !== 'http:')) throw new TypeError()
  } catch {
    throw new UserError(`${shown(first)}: redirects to an address that is none`)
  }
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw new UserError(`${shown(first)}: redirects from https to ${shown(to)}, which is not followed`)
  to.username = ''
  to.password = ''
  return to
}

function decoded(body: Readable, encoding: string, at: URL): Readable {
  const inflaters: Record<string, () => ReturnType<typeof createGunzip>> = {
    gzip: createGunzip,
    'x-gzip': createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  }
  if (encoding === 'identity' || encoding === '') return body
  const inflate = Object.hasOwn(inflaters, encoding) ? inflaters[encoding] : undefined
  if (inflate === undefined) {
    body.destroy()
    throw new UserError(
      `${shown(at)}: the answer is encoded as ${encoding.slice(0, 40)}, which was not asked for`,
    )
  }
  return pipeline(body, inflate(), () => undefined).on('error', () => undefined)
}

function failure(error: unknown, at: URL): Error {
  const code = (error as { code?: string }).code ?? ''
  const reason = reasonOf(error)
  const several = (error as { errors?: unknown[] }).errors ?? []
  if (isPassing(error) || several.some(isPassing)) return new PassingError(reason)
  if (code === 'ENOTFOUND') return new UserError(`${at.host}: ${reason}`)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code))
    return new UserError(`${at.host}: its certificate cannot be trusted (${code}): ${reason}`)
  if (/Proxy response \((\d+)\)/.test(reason)) return proxyFailure(Number(/\((\d+)\)/.exec(reason)?.[1]))
  if (/Proxy Authentication Required/.test(reason)) return proxyFailure(407)
  return new UserError(`${shown(at)}: ${reason}`)
}

function proxyFailure(status: number): Error {
  if (status === 407)
    return new UserError('the proxy wants a user and password (407): http://USER:PASSWORD@HOST')
  if (status >= 500) return new PassingError(`the proxy answered ${status}`)
  return new UserError(`the proxy answered ${status}`)
}

function checkedToken(token: TransportOptions['token']): TransportOptions['token'] {
  if (token !== undefined && !/^[\x21-\x7e]{1,1000}$/.test(token.value))
    throw new UsageError('HF_TOKEN holds characters that no token has')
  return token
}

function dispatcher({ proxies = {}, authorities }: TransportOptions, timeout: number): Dispatcher {
  const connect = { timeout, ...(authorities && { ca: authorities }) }
  if (!proxies.http && !proxies.https) return new Agent({ connect, maxHeaderSize: 64 * 1024 })
  for (const uri of [proxies.http, proxies.https]) if (uri) checkProxy(uri)
  // it warns of being experimental, which is no news to the one who waits
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    // plain http asks the proxy by the whole address, https tunnels (CONNECT)
    const towardsProxy = { requestTls: connect, proxyTls: { timeout }, proxyTunnel: false }
    const { http = '', https = '', none = '' } = proxies
    return new EnvHttpProxyAgent({
      ...towardsProxy,
      connect,
      httpProxy: http,
      httpsProxy: https,
      noProxy: none,
    })
  } finally {
    process.emitWarning = emitWarning
  }
}

function checkProxy(uri: string): void {
  let protocol: string | undefined
  try {
    protocol = new URL(uri).protocol
  } catch {}
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new UsageError(
      'HTTP_PROXY and HTTPS_PROXY want an address such as http://HOST:PORT; other kinds of proxies are not known',
    )
}
