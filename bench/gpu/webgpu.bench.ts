/**
 * WebGPU on a GPU that CUDA runs on too: dense layers of ALBERT base in f32 beside the CUDA device's and PyTorch's, and their share of
 * the fastest f32 product that CUDA was seen to do; the same layers in f16 by every variant of such products that the adapter has, each
 * held against the one that multiplies in f32; a pretraining step in f32 beside the CUDA device's. What an adapter in software
 * distorts is measured here. Without a driver of Vulkan for that GPU all of it is skipped, with the reason.
 */
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import { openWebgpuInNode } from '../../src/device/webgpu/node.js'
import { kernelSources } from '../../src/device/webgpu/wgsl_node.js'
import { UsageError } from '../../src/error.js'
import type { InputData } from '../../src/graph/runtime.js'
import { linear } from '../../src/ops/linear.js'
import { steps } from '../shapes.js'
import { quick } from '../support/bench.js'
import { isCase } from '../support/case.js'
import { benchDevice, isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { OpsPeer, rounds } from '../support/gpu_op.js'
import { linearExpected } from '../support/linear.js'
import {
  activation,
  checkPart,
  narrowF16,
  type PreparedOp,
  packedF16,
  prepareOp,
  weight,
} from '../support/op.js'
import { skipPeer } from '../support/peers.js'
import type { RacedPrecision } from '../support/precisions.js'
import { agreeOnFirst, checkFirst, checkLoss, pretrainingStep } from '../support/pretraining_step.js'
import { queuedSeconds } from '../support/queued.js'
import { type Contestant, race } from '../support/race.js'
import { facts, recordFigure } from '../support/record.js'

const small = isEmulated || quick
const H = small ? 64 : 768
const I = small ? 128 : 3072
const ROWS = small ? 80 : 8_192
/** Seconds of a turn, and passes of it at most. */
const TURN = small ? 0 : 0.05
const MOST = 32
const layers = {
  qkv: [H, 3 * H],
  attention_output: [H, H],
  ffn: [H, I],
  ffn_output: [I, H],
} as const
const kernels = {
  forward: ['linear_forward', 'nt'],
  'input gradient': ['linear_backward_input', 'nn'],
  'weight gradient': ['linear_backward_weight', 'tn'],
} as const

const webgpu = await openDevice('webgpu').catch((error: Error) => error.message)
if (typeof webgpu === 'string') skipPeer('webgpu', 'WebGPU', webgpu)
else {
  const other = await openBenchDevice()
  const peer = await OpsPeer.open('webgpu')
  try {
    Object.assign(facts, { webgpu: webgpu.info.detail })
    console.log(`WebGPU on ${webgpu.info.detail}, beside it ${other.info.detail}`)
    await products(webgpu, other, peer)
    await halfProducts(webgpu)
    await step(webgpu, other)
  } finally {
    await peer.close()
    await webgpu.destroy()
    await other.destroy()
  }
}

async function products(ours: Device, other: Device, peer: OpsPeer): Promise<void> {
  const rates: { name: string; ours: number }[] = []
  let best = 0
  for (const [layer, [K, N]] of Object.entries(layers)) {
    const M = ROWS
    const both = [await dense(ours, M, K, N, true), await dense(other, M, K, N, false)]
    try {
      for (const [what, [kernel, kind]] of Object.entries(kernels)) {
        const name = `webgpu ${layer}_${M} ${what}`
        if (!isCase(name)) continue
        const [m, n, k] = kind === 'nt' ? [M, N, K] : kind === 'nn' ? [M, K, N] : [N, K, M]
        const { flops } = both[0].kernels(kernel)
        const theirs = await peer.case(name, 'f32', { sizes: { op: 'product', m, n, k, kind, f32: true } }, 4)
        const racing = [
          await contestant('ours', ours, both[0], kernel, true),
          await contestant(`${benchDevice} f32`, other, both[1], kernel, false),
          ...theirs,
        ]
        const seconds = racing.map(() => Number.POSITIVE_INFINITY)
        const watched = racing.map((one, i): Contestant => {
          const run = async () => {
            const took = (await one.run()) as number
            seconds[i] = Math.min(seconds[i], took)
            return took
          }
          return { ...one, run }
        })
        await race(name, { flops }, watched, small ? {} : rounds())
        rates.push({ name, ours: flops / seconds[0] / 1e9 })
        best = Math.max(best, flops / Math.min(...seconds.slice(1)) / 1e9)
      }
    } finally {
      for (const one of both) one.free()
    }
  }
  for (const { name, ours: rate } of rates)
    recordFigure({
      what: `${name}: share of the fastest f32 product of CUDA here, ${(best / 1e3).toFixed(1)} TFLOP/s`,
      value: `${((100 * rate) / best).toFixed(1)}%`,
    })
}

/** Products of f16 by all variants that run here, with what else the adapter has chosen. */
async function halfProducts(webgpu: Device): Promise<void> {
  const { variants: chosen } = webgpu.info.properties as { variants: Record<string, string> }
  const devices: { variant: string; device: Device }[] = []
  try {
    for (const variant of Object.keys(kernelSources().shared.product_f16))
      try {
        const device = await openWebgpuInNode({ variants: { ...chosen, product_f16: variant } })
        devices.push({ variant, device })
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        skipPeer('webgpu', `f16 by ${variant}`, error.message)
      }
    for (const [layer, [K, N]] of Object.entries(layers)) {
      const made: PreparedOp[] = []
      try {
        for (const { device } of devices) made.push(await dense(device, ROWS, K, N, true, true))
        const [inF32, ...others] = made
        for (const [i, one] of others.entries())
          for (const result of ['y', 'dx', 'dweight'])
            agree(
              `${layer}, ${result} of ${devices[i + 1].variant}`,
              await one.read(result),
              await inF32.read(result),
            )
        for (const [what, [kernel]] of Object.entries(kernels)) {
          const name = `webgpu f16 ${layer}_${ROWS} ${what}`
          if (!isCase(name)) continue
          const racing: Contestant<RacedPrecision>[] = []
          for (const [i, { variant, device }] of devices.entries()) {
            const one = await contestant(variant, device, made[i], kernel, variant !== 'loaded')
            racing.push({ ...one, precision: 'f16' })
          }
          await race(name, { flops: made[0].kernels(kernel).flops }, racing, small ? {} : rounds())
        }
      } finally {
        for (const one of made) one.free()
      }
    }
  } finally {
    for (const { device } of devices) await device.destroy()
  }
}

/** Throws unless all results are those of the other, up to sums in f32 in another order and a rounding to f16 of each. */
function agree(label: string, found: InputData, want: InputData): void {
  let largest = 0
  for (const y of want) largest = Math.max(largest, Math.abs(y))
  for (let i = 0; i < want.length; i++)
    if (!(Math.abs(found[i] - want[i]) <= 2 ** -10 * Math.abs(want[i]) + 2e-5 * largest))
      throw new Error(`${label}[${i}] is ${found[i]} (want ${want[i]})`)
}

/** A dense layer of a device, with its first results compared with an oracle where asked for. */
async function dense(
  device: Device,
  M: number,
  K: number,
  N: number,
  check: boolean,
  half = false,
): Promise<PreparedOp> {
  const inputs = half
    ? { x: narrowF16(M, K), weight: packedF16(N, K), bias: weight(N) }
    : { x: activation(M, K), weight: weight(N, K), bias: weight(N) }
  const ready = await prepareOp(device, linear, { inputs, attrs: {} })
  for (const part of ['forward', 'backward'] as const) {
    await device.run(ready.parts[part].prepared!, {})
    if (check) await checkPart('webgpu', linear, { expected: linearExpected(M, K, N) }, ready, part)
  }
  return ready
}

/** As many passes in one run as take some time. */
async function contestant(
  name: string,
  device: Device,
  ready: PreparedOp,
  kernel: string,
  isOurs: boolean,
): Promise<Contestant> {
  const part = ready.kernels(kernel)
  const timed = async (prepared: ReturnType<typeof part.repeated>, count: number) => {
    const start = performance.now()
    await device.run(prepared, {})
    return (performance.now() - start) / 1000 / count
  }
  const one = part.repeated(1)
  await timed(one, 1)
  const count = Math.max(1, Math.min(MOST, Math.round(TURN / (await timed(one, 1)))))
  const prepared = part.repeated(count)
  return { name, precision: 'f32', ours: isOurs, run: () => timed(prepared, count) }
}

async function step(ours: Device, other: Device): Promise<void> {
  const shape = small ? steps.nano_2x16 : isShort ? steps.base_8x128 : steps.base_32x128
  const name = `webgpu ${shape.name}`
  if (!isCase(name)) return
  const turn = small ? 1 : 4
  const racing: Contestant[] = []
  const made: Awaited<ReturnType<typeof pretrainingStep>>[] = []
  try {
    for (const [device, who] of [[ours, 'ours'] as const, [other, `${benchDevice} f32`] as const]) {
      const one = await pretrainingStep(device, shape, { dropout: 0 })
      made.push(one)
      checkFirst(who, await one.evaluate(), shape)
      racing.push({
        name: who,
        precision: 'f32',
        ours: who === 'ours',
        async run() {
          const seconds = await queuedSeconds(turn, one.run)
          checkLoss(who, await one.loss(), shape)
          return seconds
        },
      })
    }
    const [mine, theirs] = made
    agreeOnFirst(`${benchDevice} f32`, await theirs.evaluate(), await mine.evaluate(), 1e-4)
    const cost = { flops: mine.flops, units: { tokens: shape.N } }
    await race(name, cost, racing, small ? {} : { rounds: isShort ? 3 : 5 })
  } finally {
    for (const one of made) one.free()
  }
}
