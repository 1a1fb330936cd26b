/** `serve`: answers over HTTP with a fine-tuned model, until it is told to end. */
import { Command } from 'commander'
import { openDevice } from '../../device/open.js'
import { UserError } from '../../error.js'
import { openServer, type Server } from '../../server/server.js'
import { loadTask } from '../../training/finetuning/model.js'
import { openTask } from '../../training/finetuning/model_node.js'
import { predictionRows } from '../../training/finetuning/predictor.js'
import {
  addInferencePrecision,
  addShared,
  type InferenceOptions,
  integerWithin,
  nonNegativeNumber,
  positiveNumber,
} from '../options.js'
import { note, printResult, warn } from '../output.js'
import { compilingBar } from '../progress.js'

interface Options extends InferenceOptions {
  model: string
  host: string
  port: number
  maxLength?: number
  entity: string
  maxBody: number
  maxQueue: number
  maxPieces: number
  maxConnections: number
  timeout: number
  waitMs: number
  grace: number
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description(
      'Answers over HTTP with a fine-tuned model. POST /v1/predict takes {"text": "..."} or {"texts": [...]}, pairs or ' +
        'questions as the model wants them, and gives the objects that `predict --json` prints; /openapi.json ' +
        'describes it, / says what is there. Requests that wait are batched. SIGTERM and Ctrl-C end it once it has ' +
        'answered what it has; a second Ctrl-C at once.',
    )
    .requiredOption('--model <dir>', 'folder of the model (see: finetune)')
    .option('--host <address>', 'where to listen; whoever can reach it may use it', '127.0.0.1')
    .option('--port <n>', '0: any that is free', integerWithin(0, 65535), 8080)
    .option('--entity <name>', 'the TYPE of entities whose labels have none (B and I)', 'ENTITY')
    .option(
      '--max-length <n>',
      'most pieces of an example (default: as in training)',
      integerWithin(3, 65535),
    )
    .option('--max-body <bytes>', 'longest body', integerWithin(64, 2 ** 28), 2 ** 20)
    .option('--max-queue <n>', 'most requests that wait; others get 429', integerWithin(1, 100_000), 1024)
    .option(
      '--max-pieces <n>',
      'most pieces of text that wait, a quarter of them from one request',
      integerWithin(4096, 2 ** 26),
      2 ** 18,
    )
    .option('--max-connections <n>', 'most connections', integerWithin(1, 100_000), 1024)
    .option('--timeout <seconds>', 'to an answer; then 503', positiveNumber, 60)
    .option('--wait-ms <n>', 'how long a batch that is not full waits for more', nonNegativeNumber, 0)
    .option('--grace <seconds>', 'for what is unanswered when it is told to end', nonNegativeNumber, 30)
  return addShared(addInferencePrecision(command), 'device', 'threads', 'json', 'quiet').action(serve)
}

async function serve(options: Options): Promise<void> {
  const { model, maxLength, precision, quiet, json } = options
  const folder = openTask(model, { maxLength })
  const { task, context } = folder
  const device = await openDevice(options.device, {
    threads: options.threads,
    compiling: compilingBar({ quiet }),
  })
  try {
    const runner = await loadTask(folder, device, precision)
    let fail: (error: unknown) => void = () => undefined
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    failed.catch(() => undefined)
    const host = options.host === 'localhost' ? '127.0.0.1' : options.host
    const server = await openServer({
      task,
      context,
      entity: options.entity,
      runner,
      rows: predictionRows(context.maxLength),
      folder: model,
      limits: { requests: options.maxQueue, pieces: options.maxPieces, seconds: options.timeout },
      waitMs: options.waitMs,
      bodyLimit: options.maxBody,
      connections: options.maxConnections,
      host,
      port: options.port,
      onLost: ({ message }) => fail(new UserError(message)),
    })
    if (!isLoopback(host)) warn(`${server.url} has no authentication: whoever can reach it may use the model`)
    printResult(json, { url: server.url, port: server.port, task: task.name }, server.url)
    note(`${task.name}, ${precision}, ${device.info.detail}; Ctrl-C ends it`, quiet)
    await untilTold(server, failed, options)
  } finally {
    await device.destroy()
  }
}

/** Until a signal, or until the device is lost, which is thrown. */
async function untilTold(server: Server, failed: Promise<never>, { grace, quiet }: Options): Promise<void> {
  let told: (name: string) => void = () => undefined
  const signal = new Promise<string>((resolve) => {
    told = resolve
  })
  let interrupts = 0
  const onInterrupt = () => {
    if (++interrupts > 1) process.exit(130)
    told('SIGINT')
  }
  const onTerminate = () => told('SIGTERM')
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate)
  try {
    const name = await Promise.race([signal, failed])
    const waiting = server.service.requests
    note(`${name}: answering ${waiting} ${waiting === 1 ? 'request' : 'requests'}, then the end`, quiet)
    if (!(await server.close(grace))) note(`some requests were not answered within ${grace} s`, quiet)
  } catch (error) {
    await server.close(1)
    throw error
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate)
  }
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
