/**
 * The server of the page (Node): the built files of dist/web and, read-only, what `npm start` left. It listens on the loopback address
 * alone, and answers only to that name: a page elsewhere whose name was made to point here is refused.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { isSystemError, systemReason, UserError } from '../error.js'

export interface WebOptions {
  /** 0: any that is free. */
  readonly port: number
  /** Folder of the built page. */
  readonly page: string
  /** Folder that `npm start` works in; it need not be there. */
  readonly demo: string
}

export interface WebServer {
  readonly url: string
  close(): Promise<void>
}

/** Scripts, styles and requests of this server alone; blobs are what a person saves. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  map: 'application/json; charset=utf-8',
  json: 'application/json; charset=utf-8',
  tsv: 'text/plain; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/** What the page may ask for of the demo, by the name that it knows it under. */
const MODEL = ['config.json', 'model.safetensors', 'tokenizer.json', 'task.json'] as const
const DEMO = {
  train: ['data', 'ner', 'train.tsv'],
  dev: ['data', 'ner', 'devel.tsv'],
  text: ['data', 'corpus.txt'],
  example: ['data', 'examples.txt'],
} as const

/** Listens. Throws a UserError where it cannot, or where the page is not built. */
export async function openWeb({ port, page, demo }: WebOptions): Promise<WebServer> {
  if (!existsSync(join(page, 'index.html')))
    throw new UserError(`${page}: has no index.html; build the page with npm run build:web`)
  const app = fastify({ forceCloseConnections: true })
  app.addHook('onRequest', async ({ host }, reply) => {
    const name = host.replace(/:\d+$/, '')
    if (!['127.0.0.1', 'localhost', '[::1]'].includes(name))
      return reply.code(421).type(TYPES.txt).send('This server answers to 127.0.0.1 and localhost alone.\n')
  })
  app.addHook('onSend', async (_, reply) => {
    reply
      .header('content-security-policy', POLICY)
      .header('cross-origin-opener-policy', 'same-origin')
      .header('cross-origin-resource-policy', 'same-origin')
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-cache')
  })
  const files = demoFiles(demo)
  app.get('/', async (_, reply) => reply.type(TYPES.html).send(readFileSync(join(page, 'index.html'))))
  app.get('/demo.json', async (_, reply) => reply.type(TYPES.json).send(JSON.stringify(describe(files()))))
  app.get<{ Params: { '*': string } }>('/demo/*', async ({ params }, reply) => {
    const path = files().get(params['*'])
    if (path === undefined) return reply.callNotFound()
    return reply.type(typeOf(path)).send(readFileSync(path))
  })
  app.get<{ Params: { name: string } }>('/:name', async ({ params: { name } }, reply) => {
    const path = join(page, name)
    if (!/^\w[\w-]*(\.[\w-]+)+$/.test(name) || !isFile(path)) return reply.callNotFound()
    return reply.type(typeOf(name)).send(readFileSync(path))
  })
  app.setNotFoundHandler((_, reply) => reply.code(404).type(TYPES.txt).send('There is nothing here.\n'))
  try {
    await app.listen({ host: '127.0.0.1', port })
  } catch (error) {
    await app.close()
    if (!isSystemError(error)) throw error
    const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : systemReason(error)
    throw new UserError(`cannot listen on 127.0.0.1, port ${port}: ${reason}`)
  }
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`,
    close: () => app.close(),
  }
}

/** Paths by the names that the page asks for; looked up at every request, since `npm start` may end meanwhile. */
function demoFiles(folder: string): () => Map<string, string> {
  const all = [
    ...MODEL.map((name) => [`model/${name}`, join(folder, 'diseases', name)] as const),
    ...Object.values(DEMO).map((parts) => [parts[parts.length - 1], join(folder, ...parts)] as const),
  ]
  return () => new Map(all.filter(([, path]) => isFile(path)))
}

function describe(files: ReadonlyMap<string, string>): Record<string, unknown> {
  const named = Object.entries(DEMO).map(([key, parts]) => [key, parts[parts.length - 1]] as const)
  return {
    ...(MODEL.every((name) => files.has(`model/${name}`)) && { model: MODEL }),
    ...Object.fromEntries(named.filter(([, name]) => files.has(name))),
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}

function typeOf(path: string): string {
  return TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}
