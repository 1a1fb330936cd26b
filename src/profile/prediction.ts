/**
 * The predicted time of a program on a card that is not at hand: every call by the formula of its kernel (gpu_kernels.ts), on
 * the bytes that L2 does not hold, one after the other as a graph launches them.
 */
import type { Access } from '../device/kernel.js'
import { type Call, type Program, type Ref, type Sizes, SQUARES, totalWork } from '../device/program.js'
import {
  attentionEstimate,
  type Estimate,
  launchesOf,
  productEstimate,
  streamEstimate,
  type Traffic,
  VOCABULARY_PRODUCTS,
  vocabularyEstimate,
} from './gpu_kernels.js'
import { type Chip, floorSeconds, LAUNCH_GAP } from './gpu_model.js'

/** Kernels that the table of a prediction puts together, by what their names begin with; the first that fits counts. */
const FAMILIES: readonly (readonly [prefix: RegExp, family: string])[] = [
  [/^linear_cross_entropy/, 'vocabulary and loss'],
  [/^linear_gelu_backward_activation|^binary|^copy|^cast|^fill|^gather/, 'elementwise'],
  [/^linear(_gelu)?_forward_bf16/, 'dense layers, forward'],
  [/^linear_backward_input\w*_bf16/, 'dense layers, input gradients'],
  [/^linear_backward_weight\w*_bf16/, 'dense layers, weight gradients'],
  [/^attention_forward/, 'attention, forward'],
  [/^attention_backward/, 'attention, backward'],
  [/^dropout|^layernorm/, 'dropout and normalisation'],
  [/^embedding/, 'embeddings'],
  [/^pack/, 'packed weights'],
  [/^lamb|^adamw|^global_norm/, 'optimizer'],
  [/^/, 'heads in f32'],
]

/** The family of a kernel by its name. */
export function familyOf(kernel: string): string {
  return FAMILIES.find(([prefix]) => prefix.test(kernel))![1]
}

export interface FamilyRow {
  readonly family: string
  readonly launches: number
  readonly seconds: number
  readonly flops: number
  /** From and to device memory. */
  readonly bytes: number
  /** Of the time, in [0, 1]: what operations at the best known rate, or bytes at a copy's, would take. */
  readonly ofFloor: number
}

export interface Prediction {
  /** Of a step, launch gaps included. */
  readonly seconds: number
  readonly launches: number
  readonly gapSeconds: number
  readonly modelFlops: number
  /** Model FLOPs over the time at the data sheet's bf16 rate. */
  readonly mfu: number
  readonly families: readonly FamilyRow[]
}

/** Share of L2 that holds what was touched last; the rest is lost to other data and to its two halves (assumed). */
const USABLE_L2 = 0.75

/** `lengths`: of the sequences of the batch; the program's capacity is the batch's. */
export function predict(program: Program, sizes: Sizes, lengths: readonly number[], chip: Chip): Prediction {
  const cache = new Cache(USABLE_L2 * chip.l2Bytes)
  const rows = new Map<
    string,
    { launches: number; seconds: number; flops: number; bytes: number; floor: number }
  >()
  const known = new Map<string, Estimate>()
  const step: Sizes = { ...sizes, [SQUARES]: lengths.reduce((n, s) => n + s * s, 0) }
  const run = (call: Call, iteration: number) => {
    const traffic = cache.execute(call, iteration, step)
    const key = `${call.kernel.name} ${call.label} ${JSON.stringify(call.params)} ${traffic.memory} ${traffic.l2}`
    let estimate = known.get(key)
    estimate ??= estimateCall(call, step, lengths, chip, traffic)
    known.set(key, estimate)
    const family = familyOf(call.kernel.name)
    const row = rows.get(family) ?? { launches: 0, seconds: 0, flops: 0, bytes: 0, floor: 0 }
    rows.set(family, row)
    const flops = call.work?.(step).flops ?? 0
    row.launches += estimate.launches
    row.seconds += estimate.seconds
    row.flops += flops
    row.bytes += traffic.memory
    const bf16 = tensorFlops(call, flops)
    row.floor += floorSeconds(chip, { bf16, f32: bf16 > 0 ? 0 : flops, bytes: traffic.memory })
  }
  for (const one of program.steps)
    if (one.kind === 'call') run(one, 0)
    else
      for (let i = 0; i < one.count; i++)
        for (const call of one.body) run(call, one.reverse ? one.count - 1 - i : i)
  const families = [...rows].map(([family, { floor, ...row }]) => ({
    family,
    ...row,
    ofFloor: floor / row.seconds,
  }))
  families.sort((a, b) => b.seconds - a.seconds)
  const launches = families.reduce((n, row) => n + row.launches, 0)
  const gapSeconds = launches * LAUNCH_GAP
  const seconds = families.reduce((n, row) => n + row.seconds, 0) + gapSeconds
  const { modelFlops } = totalWork(program, step)
  const peak = chip.multiprocessors * chip.clock * 1e9 * chip.tensorFlops
  return { seconds, launches, gapSeconds, modelFlops, mfu: modelFlops / seconds / peak, families }
}

/** Operations of tensor cores: all of a product of bf16, six for each of a product of f32 in three parts, else none. */
function tensorFlops({ kernel }: Call, flops: number): number {
  if (kernel.name.startsWith('linear_cross_entropy')) return VOCABULARY_PRODUCTS * flops
  return kernel.products === 'bf16' && !kernel.name.includes('activation') ? flops : 0
}

function estimateCall(
  call: Call,
  sizes: Sizes,
  lengths: readonly number[],
  chip: Chip,
  traffic: Traffic,
): Estimate {
  const { name } = call.kernel
  const param = (wanted: string): number => {
    const value = call.params[call.kernel.params.findIndex((slot) => slot.name === wanted)]
    if (value === undefined) throw new Error(`${name} has no parameter ${wanted}`)
    return typeof value === 'number' ? value : (sizes[value.scalar] ?? 0) * value.times
  }
  const { flops, bytes } = call.work?.(sizes) ?? { flops: 0, bytes: 0 }
  const bf16 = name.endsWith('_bf16')
  if (name.startsWith('attention')) {
    const heads = param('heads')
    const shape = { lengths, heads, headSize: param('hidden') / heads, causal: param('causal') > 0, bf16 }
    return attentionEstimate(chip, { ...shape, dropout: param('p') > 0 }, name.includes('backward'), traffic)
  }
  if (name.startsWith('linear_cross_entropy')) {
    const [rows, words] = [param('rows'), param('vocabulary')]
    return vocabularyEstimate(
      chip,
      { operations: flops, rows, words, backward: name.includes('backward') },
      traffic,
    )
  }
  if (/^linear(_gelu)?_(forward|backward_(input|weight))/.test(name)) {
    const [rows, inner, out] = ['rows', 'in', 'out'].map(param)
    if (name.includes('backward_input'))
      return productEstimate(chip, { m: rows, n: inner, k: out, bf16 }, traffic)
    if (name.includes('backward_weight'))
      return productEstimate(chip, { m: out, n: inner, k: rows, bf16, even: true }, traffic)
    return productEstimate(chip, { m: rows, n: out, k: inner, bf16 }, traffic)
  }
  const isMasked = call.kernel.params.some((slot) => slot.name === 'p') && param('p') > 0
  // a mask has a word for each element of the widest activation
  const words = isMasked ? bytes / (bf16 ? 2 : 4) / call.kernel.buffers.filter(isLarge).length : 0
  return streamEstimate(chip, { flops, words, launches: launchesOf(name) }, traffic)
}

function isLarge({ name }: { name: string }): boolean {
  return /^(d?x|d?y|d?residual|sum)$/.test(name)
}

/** How often each element of a buffer passes L2. */
const TIMES: Readonly<Record<Access, number>> = { read: 1, write: 1, accumulate: 2, scratch: 0 }

/**
 * L2 as a list of what was touched last, a whole range of an arena at a time. A range that is still held costs no device
 * memory; one that is written and held until it is written again costs none either.
 */
class Cache {
  private readonly held = new Map<string, number>()
  private bytes = 0

  constructor(private readonly capacity: number) {}

  /** The bytes of an execution, after which its ranges are those touched last. */
  execute(call: Call, iteration: number, sizes: Sizes): Traffic {
    let memory = 0
    let l2 = 0
    call.kernel.buffers.forEach(({ name, access }, i) => {
      if (TIMES[access] === 0) return
      const ref = call.refs[i]
      const bytes = isPacked(call, name) ? operandBytes(call, ref) : ref.bytes
      const moved = TIMES[access] * bytes
      l2 += moved
      if (!this.touch(`${ref.arena} ${startOf(ref, iteration)}`, bytes)) memory += moved
    })
    // ops that touch a part of their tables say so
    const declared = call.work?.(sizes).bytes ?? l2
    const share = declared < l2 ? declared / l2 : 1
    return { memory: memory * share, l2: l2 * share }
  }

  /** Whether the range is held; it is afterwards, if there is room for it. */
  private touch(key: string, bytes: number): boolean {
    const before = this.held.get(key)
    if (before !== undefined) {
      this.held.delete(key)
      this.bytes -= before
    }
    this.held.set(key, bytes)
    this.bytes += bytes
    for (const [oldest, size] of this.held) {
      if (this.bytes <= this.capacity) break
      this.held.delete(oldest)
      this.bytes -= size
    }
    return before !== undefined && bytes <= before && this.held.has(key)
  }
}

function startOf({ offset, stride, shift, modulo }: Ref, iteration: number): number {
  return offset + ((iteration + shift) % modulo) * stride
}

function isPacked({ kernel }: Call, buffer: string): boolean {
  return kernel.name === 'pack_forward'
    ? buffer === 'packed'
    : buffer === 'weight' && /^linear.*_bf16$/.test(kernel.name)
}

/** A packed weight on CUDA is bf16, whatever room is kept for it. */
function operandBytes({ kernel, params }: Call, { bytes }: Ref): number {
  const [inner, out] = ['in', 'out'].map(
    (name) => params[kernel.params.findIndex((slot) => slot.name === name)],
  )
  return typeof inner === 'number' && typeof out === 'number' ? Math.min(bytes, 2 * inner * out) : bytes
}
