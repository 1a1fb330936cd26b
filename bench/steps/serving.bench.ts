/**
 * `serve` under load: requests of one sentence as long as those of NCBI-disease, from one client that waits for each answer,
 * and from 64, in turn, so that both see the same machine. The server is a process of its own with a model of random weights;
 * the client is autocannon. Every answer is compared with what `predict` prints, before and while it is timed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import autocannon from 'autocannon'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { commandLine } from '../../test/support/paths.js'
import { random } from '../../test/support/random.js'
import { get, predicted } from '../../test/support/server_case.js'
import { madeUpDocuments, smallUnigram } from '../../test/support/small_vocabulary.js'
import { taskModel } from '../../test/support/task_model.js'
import { quick } from '../support/bench.js'
import { recordFigure } from '../support/record.js'
import { ncbiLengths } from '../support/tagging.js'

const MODELS = quick ? ['nano'] : ['mini', 'base']
const PRECISIONS = quick ? ['f32'] : ['f32', 'int8']
const CLIENTS = [1, 64]
const SENTENCES = quick ? 8 : 128
const ROUNDS = quick ? 1 : 3
const SECONDS = quick ? 1 : 8

interface Load {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** Requests a second of the server's processor time, which other work on the machine disturbs less. */
  readonly perCpu: number
}

const vocabulary = smallUnigram()
const texts = sentences(SENTENCES)
for (const preset of MODELS) {
  const folder = await taskModel('entities', { preset, vocabulary, maxLength: 512 })
  for (const precision of PRECISIONS) await measure(`${preset}, ${precision}`, folder, precision)
}

async function measure(name: string, folder: string, precision: string): Promise<void> {
  const want = predicted(folder, texts, '--precision', precision)
  const { child, url } = await start(folder, precision)
  try {
    const loads = new Map<number, Load[]>(CLIENTS.map((clients) => [clients, []]))
    for (let round = 0; round < ROUNDS; round++)
      for (const clients of round % 2 === 0 ? CLIENTS : [...CLIENTS].reverse())
        loads.get(clients)?.push(await load(url, clients, want))
    const [one, many] = CLIENTS.map((clients) => loads.get(clients) ?? [])
    for (const clients of CLIENTS) print(`${name}, ${clients} at a time`, loads.get(clients) ?? [])
    const ratios = one.map(({ rate }, i) => many[i].rate / rate).sort((a, b) => a - b)
    const ratio = ratios[ratios.length >> 1]
    const value = `${ratio.toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios[ratios.length - 1].toFixed(2)})`
    console.log(`serving ${name}: ${value} times the requests/s of one at a time`)
    recordFigure({ what: `serving ${name}, 64 clients over one`, value })
  } finally {
    child.kill('SIGTERM')
    await new Promise((resolve) => child.on('close', resolve))
  }
}

/** Sentences of made-up words, each of about as many pieces as one of NCBI-disease. */
function sentences(count: number): string[] {
  const tokenizer = loadTokenizer(vocabulary)
  const words = madeUpDocuments(3, 400).flat().join(' ').split(' ')
  let next = 0
  return ncbiLengths(count, random(3)).map((length) => {
    let text = ''
    let pieces = 2
    while (pieces < length) {
      const word = words[next++ % words.length]
      text += `${text && ' '}${word}`
      pieces += tokenizer.encode(word).length
    }
    return text
  })
}

function start(folder: string, precision: string): Promise<{ child: ChildProcess; url: string }> {
  const argv = [commandLine, 'serve', '--model', folder, '--port', '0', '--precision', precision, '--quiet']
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => resolve({ child, url: `${chunk}`.trim() }))
    child.on('close', (status) => reject(new Error(`serve ended with ${status}`)))
  })
}

/** One load of so many clients; throws for an answer that is not predict's. */
async function load(url: string, connections: number, want: readonly string[]): Promise<Load> {
  let wrong = 0
  const before = await cpuSeconds(url)
  const result = await autocannon({
    url: `${url}/v1/predict`,
    connections,
    duration: SECONDS,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    requests: texts.map((text, i) => ({
      body: JSON.stringify({ text }),
      onResponse(status, body) {
        if (status !== 200 || body !== want[i]) wrong++
      },
    })),
  })
  const failed = wrong + result.errors + result.timeouts + result.non2xx
  if (failed > 0) throw new Error(`${failed} of ${result.requests.total} answers were not predict's`)
  const { p50, p99 } = result.latency
  const { total } = result.requests
  return { rate: total / result.duration, p50, p99, perCpu: total / ((await cpuSeconds(url)) - before) }
}

async function cpuSeconds(url: string): Promise<number> {
  const { text } = await get(url, '/metrics')
  return Number(/^process_cpu_seconds_total ([\d.]+)/m.exec(text)?.[1])
}

function print(name: string, loads: readonly Load[]): void {
  const typical = (of: (load: Load) => number) => loads.map(of).sort((a, b) => a - b)[loads.length >> 1]
  const value = `${typical(({ rate }) => rate).toFixed(1)} requests/s, p50 ${typical(({ p50 }) => p50)} ms, p99 ${typical(({ p99 }) => p99)} ms, ${typical(({ perCpu }) => perCpu).toFixed(1)} requests a second of processor time`
  console.log(`serving ${name}: ${value}`)
  recordFigure({ what: `serving ${name}`, value })
}
