/**
 * The program that a storm runs (storm.ts): sum = repeats x (X W^T + b), on whole numbers, so that the result is exact and
 * known from loops here. Its kernels have several phases and use the memory of all threads. On an emulated GPU, where a
 * product would take long, y is a constant, and the sum that of repeats constants.
 */
import type { Device, DeviceBuffer, Prepared } from '../../src/device/device.js'
import type { Kernel } from '../../src/device/kernel.js'
import type { Call, ParamValue, Program } from '../../src/device/program.js'
import { accumulate } from '../../src/ops/accumulate.js'
import { fill } from '../../src/ops/fill.js'
import { linear } from '../../src/ops/linear.js'
import { sameBits } from './allclose.js'
import type { Random } from './random.js'
import { isCuda } from './storm_kind.js'

const [rows, inner, outer] = isCuda ? [4, 8, 64] : [64, 96, 96]
const CONSTANT = 3
const counts = { x: rows * inner, weight: outer * inner, bias: outer, y: rows * outer, sum: rows * outer }
type Place = keyof typeof counts

let end = 0
const offsets = {} as Record<Place, number>
for (const place of Object.keys(counts) as Place[]) {
  offsets[place] = end
  end += counts[place] * 4
}
/** Bytes of the arena. */
export const bytes = end

/** x, weight and bias one behind the other, as they lie at the beginning of the arena, and X W^T + b. */
export interface Numbers {
  readonly operands: Float32Array
  readonly y: Float32Array
}

export function makeNumbers(random: Random): Numbers {
  const operands = Float32Array.from(random.integers(offsets.y / 4, -3, 4))
  const x = operands.subarray(0, counts.x)
  const weight = operands.subarray(counts.x, counts.x + counts.weight)
  const bias = operands.subarray(counts.x + counts.weight)
  const y = new Float32Array(counts.y).fill(CONSTANT)
  if (isCuda) return { operands, y }
  for (let n = 0; n < rows; n++)
    for (let o = 0; o < outer; o++) {
      let dot = bias[o]
      for (let i = 0; i < inner; i++) dot += x[n * inner + i] * weight[o * inner + i]
      y[n * outer + o] = dot
    }
  return { operands, y }
}

/** About 0.1 ms a repeat. */
export function stormProgram(repeats: number): Program {
  const call = (kernel: Kernel, places: readonly Place[], params: readonly ParamValue[]): Call => ({
    kind: 'call',
    kernel,
    refs: places.map((place) => ({
      arena: 0,
      offset: offsets[place],
      bytes: counts[place] * 4,
      stride: 0,
      shift: 0,
      modulo: 1,
    })),
    params,
    label: kernel.name,
  })
  const body = [
    isCuda
      ? call(fill.forward, ['y'], [counts.y, CONSTANT])
      : call(linear.forward, ['x', 'weight', 'bias', 'y'], [rows, inner, outer]),
    call(accumulate.forward, ['y', 'sum'], [counts.sum]),
  ]
  return {
    name: 'storm',
    arenas: [{ name: 'storm', bytes }],
    scalars: [],
    steps: [
      call(fill.forward, ['sum'], [counts.sum, 0]),
      { kind: 'repeat', count: repeats, reverse: false, body },
    ],
  }
}

/** A device with the program on it. */
export class Victim {
  readonly arena: DeviceBuffer
  readonly prepared: Prepared

  constructor(
    readonly device: Device,
    readonly numbers: Numbers,
    readonly repeats: number,
  ) {
    this.arena = device.alloc(bytes, 'storm')
    this.prepared = device.prepare(stormProgram(repeats), [this.arena])
  }

  write(): Promise<void> {
    return this.device.write(this.arena, 0, this.numbers.operands)
  }

  run(): Promise<void> {
    return this.device.run(this.prepared, {})
  }

  /** Runs and checks what the timeline holds. */
  async timeline(): Promise<void> {
    const events = await this.device.timeline(this.prepared, {})
    const want = 1 + 2 * this.repeats
    const isGood = events.length === want && events.every((e) => e.duration >= 0 && e.start >= 0)
    if (!isGood) throw new Error(`a timeline of ${events.length} events, want ${want} that take time`)
  }

  /** Reads the sum of a run and checks it. */
  async check(): Promise<void> {
    const sum = await this.device.read(this.arena, offsets.sum, counts.sum * 4)
    sameBits(
      new Float32Array(sum),
      this.numbers.y.map((v) => v * this.repeats),
      { name: 'sum' },
    )
  }

  /** Everything at once, awaited by nobody until all are asked for; ordered by the device. */
  async burst(random: Random): Promise<void> {
    const asked = [this.write(), this.run(), this.check()]
    for (let n = random.integer(4); n > 0; n--)
      asked.push(random.pick([() => this.run(), () => this.timeline(), () => this.check()])())
    await Promise.all(asked)
  }
}
