/**
 * The HTTP server of a fine-tuned model: routes, limits of connections, and a graceful end. It keeps no state of requests and
 * asks for no names: whoever reaches the port may use it, so it listens on the loopback address unless told otherwise.
 */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify'
import { isSystemError, UserError } from '../error.js'
import { readBodies } from './body.js'
import { answerClientError, type FaultContext, faultOf, noRoute } from './faults.js'
import { type InputForm, inputForm } from './inputs.js'
import { Metrics } from './metrics.js'
import { openapi } from './openapi.js'
import { page } from './page.js'
import { Refusal, refusalJson } from './refusal.js'
import { Service, type ServiceOptions } from './service.js'

export interface ServerOptions extends Omit<ServiceOptions, 'onBatch'> {
  readonly host: string
  readonly port: number
  /** Bytes of a body. */
  readonly bodyLimit: number
  readonly connections?: number
  /** For tests: milliseconds. */
  readonly times?: Partial<Times>
}

/** Milliseconds that a connection may take. */
export interface Times {
  readonly headers: number
  /** The whole request. */
  readonly request: number
  /** Between two requests. */
  readonly idle: number
  /** To take the next part of an answer. */
  readonly answer: number
}

const TIMES: Times = { headers: 10_000, request: 30_000, idle: 5_000, answer: 30_000 }
const CONNECTIONS = 1024

export interface Server {
  readonly url: string
  readonly port: number
  readonly service: Service
  /**
   * Takes no more connections and requests, answers what it has up to `seconds` from now, and ends. A later call may
   * shorten that. Resolves to whether everything was answered.
   */
  close(seconds: number): Promise<boolean>
}

const methods: Readonly<Record<string, string>> = {
  '/': 'GET',
  '/v1/predict': 'POST',
  '/openapi.json': 'GET',
  '/health': 'GET',
  '/ready': 'GET',
  '/metrics': 'GET',
}

/** Listens. Throws a UserError where it cannot, or where the model gives no numbers. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const times = { ...TIMES, ...options.times }
  const metrics = new Metrics({
    requests: () => service.requests,
    pieces: () => service.waitingPieces,
  })
  const service = await Service.open({ ...options, onBatch: (batch) => metrics.batch(batch) })
  const faults: FaultContext = { bodyLimit: options.bodyLimit, methods }
  const refuse = (error: unknown, reply: FastifyReply) => send(faultOf(error, faults), reply)
  const app = fastify({
    bodyLimit: options.bodyLimit,
    keepAliveTimeout: times.idle,
    requestTimeout: times.request,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, _: FastifyRequest, reply: FastifyReply) => {
      void refuse(error, reply)
    },
    http: {
      headersTimeout: Math.min(times.headers, times.request),
      connectionsCheckingInterval: Math.max(50, Math.min(1000, times.headers / 4)),
      maxHeaderSize: 16_384,
    },
  })
  app.server.maxConnections = options.connections ?? CONNECTIONS
  app.setErrorHandler((error, _, reply) => {
    if (!(error instanceof Refusal) && faultOf(error, faults).status === 500) complainOnce(error)
    return refuse(error, reply)
  })
  const state = { ending: false, open: 0 }
  addHooks(app, state, metrics, times)
  app.setNotFoundHandler(({ url, method }, reply) => {
    const refusal = noRoute(url, method, faults)
    if (refusal.status === 405) reply.header('allow', refusal.details.complaint?.expected)
    return send(refusal, reply)
  })
  readBodies(app, options.bodyLimit)
  addRoutes(app, service, state, options)
  app.get('/metrics', async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  )
  const port = await listen(app, options)
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${host}:${port}`,
    port,
    service,
    close: (seconds) => close(app, service, state, seconds),
  }
}

interface State {
  ending: boolean
  /** Requests whose answers have not left. */
  open: number
}

function addHooks(app: FastifyInstance, state: State, metrics: Metrics, times: Times): void {
  app.addHook('onRequest', async (request, reply) => {
    state.open++
    const start = performance.now()
    reply.raw.once('close', () => {
      state.open--
      const { url } = request.routeOptions
      if (!reply.raw.writableFinished) metrics.disconnected()
      else metrics.answered(url ?? 'none', reply.statusCode, (performance.now() - start) / 1000)
    })
    if (state.ending && request.method === 'POST') throw ending()
  })
  app.addHook('onSend', async (_, reply) => {
    if (state.ending) reply.header('connection', 'close')
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    // from here on it is the reader who is waited for
    reply.raw.setTimeout(times.answer)
  })
}

function addRoutes(app: FastifyInstance, service: Service, state: State, options: ServerOptions): void {
  const { task, context, entity, bodyLimit } = options
  const form = inputForm(task.name)
  const description = JSON.stringify(
    openapi({
      task: task.name,
      summary: task.summary,
      context,
      entity,
      form,
      version: version(),
      bodyLimit,
    }),
  )
  app.post('/v1/predict', {
    // refused before the body is read
    onRequest: async () => service.checkRoom(),
    handler: (request, reply) => predict(service, form, request, reply),
  })
  app.get('/openapi.json', async (_, reply) =>
    reply.type('application/json; charset=utf-8').send(description),
  )
  app.get('/health', async () => ({ status: 'ok' }))
  app.get('/ready', async () => {
    if (state.ending) throw ending()
    return { status: 'ready' }
  })
  app.get('/', async (request, reply) =>
    reply.type('text/plain; charset=utf-8').send(page(task, context, form, request.headers.host ?? '')),
  )
}

async function predict(
  service: Service,
  form: InputForm,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { lines, many } = form.read(request.body)
  const left = new AbortController()
  reply.raw.once('close', () => left.abort(new Refusal(499, 'closed', 'the client has left')))
  const results = await service.answer(lines, left.signal)
  reply.type('application/json; charset=utf-8')
  return reply.send(many ? `{"results":[${results.join(',')}]}` : results[0])
}

function send(refusal: Refusal, reply: FastifyReply): FastifyReply {
  const { retryAfter } = refusal.details
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  return reply.code(refusal.status).type('application/json; charset=utf-8').send(refusalJson(refusal))
}

function ending(): Refusal {
  return new Refusal(503, 'ending', 'the server ends and takes no more requests', { retryAfter: 1 })
}

/** What the person who runs the server should see, once for each kind. */
const complained = new Set<string>()
function complainOnce(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (complained.size >= 100 || complained.has(text)) return
  complained.add(text)
  process.stderr.write(`bioalbert: a request failed: ${text}\n`)
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'no such address here',
  EACCES: 'not permitted',
  ENOTFOUND: 'no such host',
}

async function listen(app: FastifyInstance, { host, port }: ServerOptions): Promise<number> {
  try {
    await app.listen({ host, port, backlog: 511 })
  } catch (error) {
    await app.close()
    if (!isSystemError(error)) throw error
    throw new UserError(
      `cannot listen on ${host}, port ${port}: ${listenReasons[error.code] ?? error.message}`,
    )
  }
  return (app.server.address() as AddressInfo).port
}

async function close(
  app: FastifyInstance,
  service: Service,
  state: State,
  seconds: number,
): Promise<boolean> {
  state.ending = true
  const closing = app.close()
  const end = performance.now() + 1000 * seconds
  while (state.open > 0 && performance.now() < end) await pause(10)
  const answered = state.open === 0
  if (!answered) {
    service.abort(new Refusal(503, 'ending', 'the server ends before the answer', { retryAfter: 1 }))
    // time for these words to leave
    await pause(100)
  }
  app.server.closeAllConnections()
  await closing
  await service.close()
  return answered
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

function version(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
