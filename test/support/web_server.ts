/**
 * Servers on this machine for tests of downloads: one that does what a handler says, with every request kept; a handler
 * that serves bytes as a good server does (ranges, ETags), to be spoilt; a hub as @huggingface/hub asks it; a proxy.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { random } from './random.js'

export type Handler = (request: IncomingMessage, response: ServerResponse, k: number) => void

export interface WebServer {
  readonly url: string
  readonly port: number
  /** `GET /path`, and the headers. */
  readonly requests: { line: string; headers: IncomingMessage['headers'] }[]
  handler: Handler
  close(): Promise<void>
}

const open = new Set<WebServer>()

/** Ends every server of this process; call it after the tests. */
export async function closeServers(): Promise<void> {
  await Promise.all([...open].map((server) => server.close()))
}

/** A server on a port of its own; https with a key and certificate. */
export async function serve(handler: Handler, tls?: { key: string; cert: string }): Promise<WebServer> {
  const requests: WebServer['requests'] = []
  const listener = (asked: IncomingMessage, response: ServerResponse) => {
    requests.push({ line: `${asked.method} ${asked.url}`, headers: asked.headers })
    response.on('error', () => undefined)
    self.handler(asked, response, requests.length - 1)
  }
  const server: Server = tls ? createSecureServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const self: WebServer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests,
    handler,
    close() {
      open.delete(self)
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
  open.add(self)
  return self
}

/** Bytes that compress badly, the same for a seed. */
export function noise(length: number, seed = 1): Buffer {
  return Buffer.from(random(seed).integers(length, 0, 256))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function gitBlob(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

export interface Content {
  readonly bytes: Buffer
  readonly etag?: string
}

/** What a good server would answer. */
export function answerFor(
  { bytes, etag }: Content,
  { headers }: IncomingMessage,
): { status: number; headers: Record<string, string>; body: Buffer } {
  const common: Record<string, string> = { 'accept-ranges': 'bytes', ...(etag && { etag }) }
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  const fits = headers['if-range'] === undefined || headers['if-range'] === etag
  if (headers.range === undefined || !fits)
    return { status: 200, headers: { ...common, 'content-length': `${bytes.length}` }, body: bytes }
  if (from >= bytes.length)
    return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` }, body: Buffer.alloc(0) }
  const body = bytes.subarray(from)
  const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  return {
    status: 206,
    headers: { ...common, 'content-range': range, 'content-length': `${body.length}` },
    body,
  }
}

/** A good server of one content; with `cut` the connection is dropped after so many bytes of an answer. */
export function good(content: Content, cut?: (k: number) => number | undefined): Handler {
  return (asked, response, k) => {
    const { status, headers, body } = answerFor(content, asked)
    response.writeHead(status, headers)
    const most = cut?.(k)
    if (most === undefined || most >= body.length) response.end(body)
    else if (most === 0) response.socket?.destroy()
    else response.write(body.subarray(0, most), () => setTimeout(() => response.socket?.destroy(), 5))
  }
}

export interface FakeRepository {
  readonly files: Readonly<Record<string, Buffer>>
  readonly commit?: string
  readonly licence?: string
  /** Replaces the entries of the listing. */
  readonly entries?: readonly unknown[]
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

/** Files of ten bytes or more whose names say weights are in LFS, as on the hub. */
export function entriesOf(files: FakeRepository['files']): Record<string, unknown>[] {
  return Object.entries(files).map(([path, bytes]) => {
    const common = { type: 'file', path, size: bytes.length }
    const isLarge = /\.(safetensors|bin|h5)$/.test(path)
    // of a file in LFS the object is the pointer, whose digest is of no use
    const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 134 }
    return isLarge ? { ...common, oid: '0'.repeat(40), lfs } : { ...common, oid: gitBlob(bytes) }
  })
}

/** A hub with these repositories (`OWNER/REPO`), whose large files lie on `storage`, as those of the real one do. */
export function hub(repositories: Readonly<Record<string, FakeRepository>>, storage?: () => string): Handler {
  return (asked, response) => {
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(value))
    }
    const { pathname } = new URL(asked.url ?? '', 'http://hub')
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname)
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname)
    const repository = repositories[(api ?? file)?.[1] ?? '']
    if (repository === undefined) return json({ error: 'Repository not found' }, 401)
    const { files, commit = COMMIT, licence = 'apache-2.0', entries } = repository
    const revision = decodeURIComponent((api?.[3] ?? file?.[2]) as string)
    if (!['main', commit].includes(revision)) return json({ error: 'Invalid rev id' }, 404)
    if (api?.[2] === 'revision')
      return json({ _id: '1', id: api[1], sha: commit, cardData: { license: licence }, tags: [] })
    if (api) return json(entries ?? entriesOf(files))
    const bytes = files[decodeURIComponent(file?.[3] ?? '')]
    if (bytes === undefined) return json({ error: 'Entry not found' }, 404)
    if (storage !== undefined && bytes.length > 1000) {
      response.writeHead(302, { location: `${storage()}/${sha256(bytes)}?signature=secret` })
      return response.end()
    }
    good({ bytes, etag: `"${gitBlob(bytes)}"` })(asked, response, 0)
  }
}

export interface Proxy extends WebServer {
  /** `CONNECT host:port` and `GET http://...`, in order. */
  readonly seen: string[]
  /** Every authorization that a request for someone else held. */
  readonly tokens: string[]
}

/** A proxy that tunnels and forwards; with `credentials` it wants them, with `route` every tunnel ends at that port here. */
export async function proxy(credentials?: string, route?: number): Promise<Proxy> {
  const seen: string[] = []
  const tokens: string[] = []
  const denied = (headers: IncomingMessage['headers']) =>
    credentials !== undefined &&
    headers['proxy-authorization'] !== `Basic ${Buffer.from(credentials).toString('base64')}`
  const server = createServer((asked, response) => {
    seen.push(`${asked.method} ${asked.url}`)
    if (asked.headers.authorization) tokens.push(asked.headers.authorization)
    if (denied(asked.headers)) return void response.writeHead(407).end()
    const { 'proxy-authorization': _, ...headers } = asked.headers
    const onward = request(asked.url ?? '', { method: asked.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy()).end()
  })
  server.on('connect', (asked: IncomingMessage, socket) => {
    seen.push(`CONNECT ${asked.url}`)
    if (denied(asked.headers)) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const [host, port] = (asked.url ?? '').split(':')
    const onward = connect(route ?? Number(port), route === undefined ? host : '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const one of [onward, socket]) one.on('error', () => onward.destroy(void socket.destroy()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const self: Proxy = {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: [],
    seen,
    tokens,
    handler: () => undefined,
    close() {
      open.delete(self)
      server.closeAllConnections()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
  open.add(self)
  return self
}
