/** A server over a task's nano model in this process, small ways to ask it, and the lines that `predict` prints. */
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { request } from 'undici'
import { openCpu } from '../../src/device/cpu.js'
import type { Batcher } from '../../src/server/batcher.js'
import { openServer, type Server, type ServerOptions } from '../../src/server/server.js'
import { loadTask } from '../../src/training/finetuning/model.js'
import { openTask } from '../../src/training/finetuning/model_node.js'
import { predictionRows } from '../../src/training/finetuning/predictor.js'
import { commandLine } from './paths.js'

export type Runner = ConstructorParameters<typeof Batcher>[0]

export interface ServerCase {
  readonly server: Server
  readonly url: string
  close(): Promise<void>
}

/** On any free port. `wrap` puts something between the server and the device. */
export async function openServerCase(
  folder: string,
  more: Partial<ServerOptions> = {},
  wrap: (runner: Runner) => Runner = (runner) => runner,
): Promise<ServerCase> {
  const device = openCpu({ threads: 2 })
  const { task, context } = openTask(folder)
  const predictor = await loadTask(openTask(folder), device)
  const server = await openServer({
    task,
    context,
    entity: 'ENTITY',
    runner: wrap(predictor),
    rows: predictionRows(context.maxLength),
    folder,
    limits: { requests: 1024, pieces: 2 ** 18, seconds: 60 },
    bodyLimit: 2 ** 20,
    host: '127.0.0.1',
    port: 0,
    ...more,
  })
  return {
    server,
    url: server.url,
    async close() {
      await server.close(10)
      await device.destroy()
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly json: Record<string, unknown> & { error?: Problem }
}

export interface Problem {
  status: number
  code: string
  message: string
  at?: string
  found?: string
  expected?: string
}

/** POSTs a body, as JSON unless it is text or bytes already. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return answerOf(await request(`${url}/v1/predict`, { method: 'POST', headers, body: raw }))
}

export async function get(
  url: string,
  path: string,
  method: 'GET' | 'PUT' | 'DELETE' = 'GET',
): Promise<Answer> {
  return answerOf(await request(`${url}${path}`, { method }))
}

async function answerOf({ statusCode, headers, body }: Awaited<ReturnType<typeof request>>): Promise<Answer> {
  const text = await body.text()
  const isJson = `${headers['content-type']}`.startsWith('application/json')
  return { status: statusCode, headers, text, json: isJson ? JSON.parse(text) : {} }
}

/** Writes bytes to the port; resolves to all that comes back until the server ends the connection. */
export function raw(url: string, bytes: string | Uint8Array, patience = 5000): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the server did not end the connection; it said ${JSON.stringify(text)}`))
    }, patience)
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    // a connection that the server cuts while we write is an end like another
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
  })
}

/** What `predict --json` prints for lines, a line each. */
export function predicted(folder: string, lines: readonly string[], ...more: string[]): string[] {
  const argv = [commandLine, 'predict', '--model', folder, '--json', ...more]
  const { stdout, stderr, status } = spawnSync(process.execPath, argv, {
    input: lines.map((line) => `${line}\n`).join(''),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.trimEnd().split('\n')
}
