/**
 * Seeded mutations of byte inputs for parsers of what comes from outside. `run` may return or throw a UserError; anything else,
 * a case that takes over 5 s (even one that never ends: a thread beside watches) and memory that grows by over 1 GiB fail, with
 * the number of the case. A case depends on `seed` and its number only:
 *   BIOALBERT_FUZZ=100000      so many cases instead of the test's own count
 *   BIOALBERT_FUZZ_CASE=1234   that case alone
 */
import { Worker } from 'node:worker_threads'
import { UserError } from '../../src/error.js'
import { type Random, random } from './random.js'

export interface FuzzOptions {
  /** Valid inputs, the more various the better; the first of them may be empty. */
  readonly seeds: readonly (Uint8Array | string)[]
  /** Tokens of the format that are put in: keywords, brackets, large numbers. */
  readonly dictionary?: readonly (Uint8Array | string)[]
  readonly count: number
  /** The bytes are its own: it may keep or change them. */
  readonly run: (bytes: Uint8Array, k: number) => void | Promise<void>
  readonly seed?: number
  readonly limits?: { readonly milliseconds?: number; readonly growth?: number }
}

export interface FuzzResult {
  readonly cases: number
  /** Cases that ended in a UserError. */
  readonly refused: number
  readonly slowest: { readonly k: number; readonly milliseconds: number }
  /** Bytes by which the process grew. */
  readonly growth: number
}

/** The count of the environment, or the test's own. */
export function fuzzCount(usual: number): number {
  const text = process.env.BIOALBERT_FUZZ
  if (!text) return usual
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1)
    throw new Error(`BIOALBERT_FUZZ: found ${text}, expected a count`)
  return count
}

/** Runs all cases; throws at the first that fails. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { seed = 1, count, run } = options
  const limit = options.limits?.milliseconds ?? 5_000
  const mostGrowth = options.limits?.growth ?? 2 ** 30
  const seeds = options.seeds.map(bytesOf)
  const tokens = (options.dictionary ?? []).map(bytesOf)
  const alone = process.env.BIOALBERT_FUZZ_CASE
  const [first, last] = alone ? [Number(alone), Number(alone) + 1] : [0, count]
  const before = process.memoryUsage.rss()
  const peakBefore = process.resourceUsage().maxRSS
  const growth = (): number =>
    Math.max(process.memoryUsage.rss() - before, (process.resourceUsage().maxRSS - peakBefore) * 1024)
  const watch = await watchdog(limit)
  let refused = 0
  let slowest = { k: -1, milliseconds: 0 }
  try {
    for (let k = first; k < last; k++) {
      const bytes = mutated(seeds, tokens, caseRandom(seed, k))
      const replay = alone ? bytes.slice() : undefined
      if (replay) console.error(`case ${k}: ${shown(replay)}`)
      watch.start(k)
      const started = performance.now()
      try {
        const promise = run(bytes, k)
        if (promise) await within(promise, limit)
      } catch (error) {
        if (!(error instanceof UserError)) throw failed(options, k, error)
        refused++
      }
      const milliseconds = performance.now() - started
      watch.stop()
      if (milliseconds > slowest.milliseconds) slowest = { k, milliseconds }
      if (milliseconds > limit) throw failed(options, k, `took ${Math.round(milliseconds)} ms`)
      if (growth() > mostGrowth) throw failed(options, k, `the process grew by ${growth()} bytes`)
    }
  } finally {
    await watch.end()
  }
  return { cases: last - first, refused, slowest, growth: growth() }
}

/** The input of a case, as `run` gets it. */
export function fuzzInput(
  { seeds, dictionary = [], seed = 1 }: Pick<FuzzOptions, 'seeds' | 'dictionary' | 'seed'>,
  k: number,
): Uint8Array {
  return mutated(seeds.map(bytesOf), dictionary.map(bytesOf), caseRandom(seed, k))
}

function caseRandom(seed: number, k: number): Random {
  return random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(k + 1, 0x85ebca77))
}

function failed(options: FuzzOptions, k: number, cause: unknown): Error {
  const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  const input = shown(fuzzInput(options, k))
  return new Error(`fuzz: case ${k} (BIOALBERT_FUZZ_CASE=${k} replays it) of ${input}: ${what}`)
}

function shown(bytes: Uint8Array): string {
  const head = JSON.stringify(Buffer.from(bytes.subarray(0, 200)).toString('latin1'))
  return `${bytes.length} bytes ${head}${bytes.length > 200 ? '...' : ''}`
}

/** A copy, and no Buffer: the slice of a Buffer is a view, and changing it would change the seed. */
function bytesOf(input: Uint8Array | string): Uint8Array {
  return new Uint8Array(typeof input === 'string' ? Buffer.from(input) : input)
}

async function within(promise: Promise<void>, limit: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit)
  })
  try {
    await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/* mutations */

/** Mostly one or two changes, at times many. */
function mutated(seeds: readonly Uint8Array[], tokens: readonly Uint8Array[], r: Random): Uint8Array {
  let bytes: Uint8Array = r.pick(seeds).slice()
  let left = 1
  while (left < 64 && r.uniform() < 0.5) left *= 2
  const most = 2 * Math.max(4096, ...seeds.map((seed) => seed.length))
  for (; left > 0; left--) {
    const next = r.pick(mutations)({ bytes, seeds, tokens, r })
    bytes = next.length > most ? next.subarray(0, most) : next
  }
  // a parser may ask for the buffer behind the view
  return bytes.slice()
}

interface Mutation {
  readonly bytes: Uint8Array
  readonly seeds: readonly Uint8Array[]
  readonly tokens: readonly Uint8Array[]
  readonly r: Random
}

const edges = [0, 1, 0x7f, 0x80, 0xff]
const integers = [0, 1, -1, 0x7fff, 0x8000, 0xffff, 0x7fffffff, -0x80000000, 0x10000000]

const mutations: readonly ((mutation: Mutation) => Uint8Array)[] = [
  flipBit,
  setByte,
  setInteger,
  insertBytes,
  removeSlice,
  duplicateSlice,
  truncate,
  splice,
  insertToken,
  replaceByToken,
]

function flipBit({ bytes, r }: Mutation): Uint8Array {
  if (bytes.length > 0) bytes[r.integer(bytes.length)] ^= 1 << r.integer(8)
  return bytes
}

function setByte({ bytes, r }: Mutation): Uint8Array {
  if (bytes.length > 0) bytes[r.integer(bytes.length)] = r.uniform() < 0.5 ? r.pick(edges) : r.integer(256)
  return bytes
}

/** A length or an offset at its extremes, in either byte order. */
function setInteger({ bytes, r }: Mutation): Uint8Array {
  const width = r.pick([2, 4, 8])
  if (bytes.length < width) return bytes
  const at = r.integer(bytes.length - width + 1)
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, width)
  const value = r.pick(integers)
  const little = r.uniform() < 0.5
  if (width === 2) view.setInt16(0, value, little)
  else if (width === 4) view.setInt32(0, value, little)
  else view.setBigInt64(0, BigInt(value) * (r.uniform() < 0.5 ? 1n : 0x10001n), little)
  return bytes
}

function insertBytes({ bytes, r }: Mutation): Uint8Array {
  const length = 1 + r.integer(8)
  const value = r.integer(256)
  const repeated = r.uniform() < 0.3
  return inserted(
    bytes,
    Uint8Array.from({ length }, () => (repeated ? value : r.integer(256))),
    r,
  )
}

function removeSlice({ bytes, r }: Mutation): Uint8Array {
  const [start, end] = slice(bytes, r)
  return joined(bytes.subarray(0, start), bytes.subarray(end))
}

function duplicateSlice({ bytes, r }: Mutation): Uint8Array {
  const [start, end] = slice(bytes, r)
  const part = bytes.subarray(start, end)
  const times = r.uniform() < 0.2 ? 2 + r.integer(30) : 1
  if (r.uniform() < 0.5) return inserted(bytes, joined(...Array.from({ length: times }, () => part)), r)
  return joined(bytes.subarray(0, end), ...Array.from({ length: times }, () => part), bytes.subarray(end))
}

function truncate({ bytes, r }: Mutation): Uint8Array {
  return r.uniform() < 0.3 ? bytes.subarray(0, r.integer(bytes.length + 1)) : bytes
}

function splice({ bytes, seeds, r }: Mutation): Uint8Array {
  const other = r.pick(seeds)
  return joined(bytes.subarray(0, r.integer(bytes.length + 1)), other.subarray(r.integer(other.length + 1)))
}

function insertToken({ bytes, tokens, r }: Mutation): Uint8Array {
  return tokens.length === 0 ? bytes : inserted(bytes, r.pick(tokens), r)
}

function replaceByToken({ bytes, tokens, r }: Mutation): Uint8Array {
  if (tokens.length === 0) return bytes
  const token = r.pick(tokens)
  const at = r.integer(bytes.length + 1)
  return joined(bytes.subarray(0, at), token, bytes.subarray(at + token.length))
}

/** Mostly short, at times up to the whole. */
function slice(bytes: Uint8Array, r: Random): [start: number, end: number] {
  const start = r.integer(bytes.length + 1)
  const most = r.uniform() < 0.8 ? Math.min(32, bytes.length - start) : bytes.length - start
  return [start, start + r.integer(most + 1)]
}

function inserted(bytes: Uint8Array, part: Uint8Array, r: Random): Uint8Array {
  const at = r.integer(bytes.length + 1)
  return joined(bytes.subarray(0, at), part, bytes.subarray(at))
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/* the thread beside: a case that never ends cannot be stopped from inside */

const watching = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const state = new Int32Array(workerData.state)
let seen = 0
let since = Date.now()
for (;;) {
  if (Atomics.wait(state, 1, 0, 250) !== 'timed-out') break
  const now = Atomics.load(state, 0)
  if (now !== seen) { seen = now; since = Date.now() }
  if (now === 0 || Date.now() - since < 2 * workerData.limit) continue
  writeSync(2, 'fuzz: case ' + (now - 1) + ' does not end (BIOALBERT_FUZZ_CASE=' + (now - 1) + ' replays it)\\n')
  process.kill(process.pid, 'SIGKILL')
}
`

interface Watchdog {
  start(k: number): void
  stop(): void
  end(): Promise<void>
}

async function watchdog(limit: number): Promise<Watchdog> {
  const state = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(watching, {
    eval: true,
    execArgv: [],
    workerData: { state: state.buffer, limit },
  })
  await new Promise<void>((resolve, reject) => worker.once('online', resolve).once('error', reject))
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  return {
    start: (k) => Atomics.store(state, 0, k + 1),
    stop: () => Atomics.store(state, 0, 0),
    end: async () => {
      Atomics.store(state, 1, 1)
      Atomics.notify(state, 1)
      await ended
    },
  }
}
