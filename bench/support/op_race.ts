/**
 * One op in turn with the same op of peers: ours in the precisions that are given, forward and backward one after the
 * other. The peers get our operands, and their results must agree with ours in f32. A turn is as many passes as take some
 * tens of milliseconds, on both sides. Nothing runs without --peers.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Device } from '../../src/device/device.js'
import { writeFileAtomic } from '../../src/files.js'
import type { InputData } from '../../src/graph/runtime.js'
import type { Attrs, Op } from '../../src/ops/op.js'
import { agree, type Results } from './agree.js'
import { quick } from './bench.js'
import { isCase } from './case.js'
import { openBenchDevice } from './device.js'
import { temporaryFolder } from './folder.js'
import { dropoutScalars, type OpBench, prepareOp } from './op.js'
import { openPeers } from './peer.js'
import { type PeerSpec, peersWanted } from './peers.js'
import type { Precision } from './precisions.js'
import { type Contestant, ownCpu, race } from './race.js'

export interface OpRace<A extends Attrs> {
  /** What runs in each precision; f32 first, whose results are what the others must agree with. */
  readonly ours: readonly (Pick<OpBench<A>, 'inputs' | 'attrs'> & { readonly precision: Precision })[]
  readonly peers: readonly {
    readonly name: string
    readonly precision: Precision
    readonly script: string
    readonly npm?: string
    readonly linear?: string
  }[]
  /** As ops.py takes them. */
  readonly op: 'linear' | 'attention' | 'product'
  readonly sizes: readonly number[]
  /** Results that are compared, by the names of `prepareOp`. */
  readonly results: readonly string[]
  /** The gradients are not computed. */
  readonly forwardOnly?: boolean
}

/** PyTorch's own operators; `linear` has a second way to its products in f32. */
export const pytorchOps = [
  { name: 'PyTorch f32', precision: 'f32', script: 'ops.py' },
  { name: 'PyTorch bf16', precision: 'bf16', script: 'ops.py' },
] as const

/** Largest difference of a result, over its own value and the root mean square of all. */
const TOLERANCE: Record<Precision, number> = { f32: 1e-4, bf16: 5e-2, int8: 0 }
/** Operations of a turn. */
const TURN = quick ? 1e8 : 5e9

/** Rejects where results do not agree. */
export async function raceOp<A extends Attrs>(name: string, op: Op<A>, options: OpRace<A>): Promise<void> {
  if (!peersWanted || !isCase(name)) return
  const folder = temporaryFolder()
  const device = await openBenchDevice()
  try {
    const ours: Awaited<ReturnType<typeof contestant<A>>>[] = []
    for (const one of options.ours) ours.push(await contestant(device, op, one, options))
    const [{ data, results: want, flops, repeat }] = ours
    for (const [key, values] of Object.entries(data))
      if (values instanceof Float32Array) writeRaw(join(folder, `${key}.f32`), values)
    for (const { name: who, precision, results } of ours)
      agree(`${name}: ${who}`, results, want, TOLERANCE[precision])
    const specs = options.peers.map(({ linear, ...peer }, i): PeerSpec => {
      const shared = {
        op: options.op,
        sizes: options.sizes.join(','),
        data: folder,
        out: join(folder, `peer${i}`),
      }
      const { precision } = peer
      return { ...peer, options: { ...shared, repeat, precision, ...(linear !== undefined && { linear }) } }
    })
    const peers = await openPeers(name, specs, (spec) => {
      const found = Object.fromEntries(
        options.results.map((key) => [key, readRaw(`${spec.options.out}.${key}.f32`)]),
      )
      agree(`${name}: ${spec.name}`, found, want, TOLERANCE[spec.precision])
    })
    try {
      await race(name, { flops }, [...ours, ...peers.contestants], quick ? {} : { rounds: 11, warmup: 2 })
    } finally {
      await peers.close()
    }
  } finally {
    await device.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function contestant<A extends Attrs>(
  device: Device,
  op: Op<A>,
  { precision, inputs, attrs }: OpRace<A>['ours'][number],
  { results: names, forwardOnly = false }: OpRace<A>,
): Promise<Contestant & { data: Results; results: Results; flops: number; repeat: number }> {
  const { data, parts, read } = await prepareOp(device, op, { inputs, attrs })
  const { forward, backward } = parts
  const flops = forward.flops + (forwardOnly ? 0 : backward.flops)
  const repeat = Math.max(1, Math.round(TURN / flops))
  const pass = async () => {
    await device.run(forward.prepared!, dropoutScalars)
    if (!forwardOnly) await device.run(backward.prepared!, dropoutScalars)
  }
  // gradients of weights are added onto, so only the first pass gives what is compared
  await pass()
  const results: Record<string, InputData> = {}
  for (const key of names) results[key] = await read(key)
  return {
    name: `ours ${precision}`,
    precision,
    ours: true,
    cpu: ownCpu,
    data,
    results,
    flops,
    repeat,
    async run() {
      const start = performance.now()
      for (let i = 0; i < repeat; i++) await pass()
      return (performance.now() - start) / 1000 / repeat
    },
  }
}

function writeRaw(path: string, { buffer, byteOffset, byteLength }: Float32Array): void {
  writeFileAtomic(path, new Uint8Array(buffer, byteOffset, byteLength))
}

function readRaw(path: string): Float32Array {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}
