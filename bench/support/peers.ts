/**
 * Which peers are there, and how they are held to our threads and instruction set. A peer is a program of bench/peers:
 * Python through BIOALBERT_PEER_PYTHON, Node with the packages of bench/peers/node_modules. What is not installed is
 * named, counted and skipped.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isaFromEnvironment } from '../../src/environment.js'
import { peerDevice, threads } from './device.js'
import type { Precision } from './precisions.js'

export { threads } from './device.js'

const folder = fileURLToPath(new URL('../../../bench/peers', import.meta.url))

/** The run was started with --peers. */
export const peersWanted = process.env.BIOALBERT_BENCH_PEERS === '1'

export const INSTALL = {
  node: 'npm --prefix bench/peers ci',
  python: 'pip install -r bench/peers/requirements.txt, BIOALBERT_PEER_PYTHON names the interpreter',
} as const

/** A peer as a bench asks for it. */
export interface PeerSpec {
  readonly name: string
  readonly precision: Precision
  /** File of bench/peers: .py runs in Python, .mjs in Node. */
  readonly script: string
  /** What a Node peer cannot do without. */
  readonly npm?: string
  readonly options: Readonly<Record<string, string | number | boolean>>
  /** Steps of a turn (default 1), of which it tells the time of one. */
  readonly turn?: number
}

export interface PeerCommand {
  readonly command: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface SkippedPeer {
  readonly name: string
  readonly reason: string
}

/** Peers of this process that were wanted and could not be had. */
export const skippedPeers: SkippedPeer[] = []

/** Says that a peer takes no part, and counts it; `what` is the bench. */
export function skipPeer(what: string, name: string, reason: string): void {
  skippedPeers.push({ name, reason })
  console.log(`${what}: no ${name} (${reason})`)
}

/** The line that closes a run: how many peers took no part, and why. */
export function skippedText(skipped: readonly SkippedPeer[]): string {
  if (skipped.length === 0) return 'no peer was skipped'
  const reasons = new Map<string, Set<string>>()
  for (const { name, reason } of skipped) {
    const names = reasons.get(reason) ?? new Set()
    reasons.set(reason, names.add(name))
  }
  const lines = [...reasons].map(([reason, names]) => `  ${[...names].join(', ')}: ${reason}`)
  return [`${skipped.length} peer${skipped.length === 1 ? '' : 's'} skipped`, ...lines].join('\n')
}

/** The Python with the peers' packages: BIOALBERT_PEER_PYTHON; undefined when that is not set or not there. */
export function peerPython(): string | undefined {
  const python = process.env.BIOALBERT_PEER_PYTHON
  return python !== undefined && existsSync(python) ? python : undefined
}

/** Path of a file of bench/peers. */
export function peerFile(name: string): string {
  return join(folder, name)
}

/** How a peer is started, or why it cannot be. */
export function peerCommand({ script, npm, options }: PeerSpec): PeerCommand | { missing: string } {
  // peers in Node run on the CPU
  const where = script.endsWith('.py') && peerDevice !== 'cpu' ? { device: peerDevice } : {}
  const flags = Object.entries({ ...options, ...where, threads }).flatMap(([key, value]) => {
    if (typeof value === 'boolean') return value ? [`--${key}`] : []
    return [`--${key}`, `${value}`]
  })
  const isa = isaFromEnvironment()
  const argv = [peerFile(script), ...flags]
  const env = { ...isaLimits(isa), OMP_NUM_THREADS: `${threads}`, MKL_NUM_THREADS: `${threads}` }
  if (script.endsWith('.py')) {
    const command = peerPython()
    return command === undefined ? { missing: `not installed: ${INSTALL.python}` } : { command, argv, env }
  }
  if (npm !== undefined && !existsSync(join(folder, 'node_modules', npm)))
    return { missing: `not installed: ${INSTALL.node}` }
  // MLAS asks the processor alone; the peers in WebAssembly have its vectors of 128 bits everywhere
  if (isa !== undefined && usesOnnxRuntime.includes(npm ?? ''))
    return { missing: `ONNX Runtime cannot be held to ${isa}` }
  return { command: process.execPath, argv, env }
}

const usesOnnxRuntime = ['onnxruntime-node', '@huggingface/transformers']

/** What holds PyTorch, oneDNN and MKL to the instruction set that BIOALBERT_ISA holds us to. */
export function isaLimits(isa: string | undefined): Record<string, string> {
  const limits: Record<string, [aten: string, onednn: string, mkl: string]> = {
    generic: ['default', 'SSE41', 'SSE4_2'],
    avx2: ['avx2', 'AVX2', 'AVX2'],
    // no AMX and no bf16 instructions, which ours has under `amx` only
    avx512: ['avx512', 'AVX512_CORE_VNNI', 'AVX512'],
  }
  const found = isa === undefined ? undefined : limits[isa]
  if (found === undefined) return {}
  const [ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA, MKL_ENABLE_INSTRUCTIONS] = found
  return { ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA, MKL_ENABLE_INSTRUCTIONS }
}

/** One line on threads and instruction sets of a run with peers. */
export function isaNote(isa = isaFromEnvironment()): string {
  const both = `ours and peers: ${threads} thread${threads === 1 ? '' : 's'}`
  if (isa === undefined) return `${both}, each with the best instructions it knows`
  const set = Object.entries(isaLimits(isa)).map(([name, value]) => `${name}=${value}`)
  return `${both}; ours held to ${isa}, PyTorch to ${set.join(' ') || 'nothing (no setting for it is known)'}`
}
