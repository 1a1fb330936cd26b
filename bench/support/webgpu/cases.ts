/**
 * What is raced on WebGPU: ALBERT's ops at sizes that the adapter can do, and a whole training step. A case names its operands,
 * the same in every process and page, what a peer is asked for (bench/peers/webgpu), and how ours does it.
 */
import type { Device } from '../../../src/device/device.js'
import type { Kernel } from '../../../src/device/kernel.js'
import type { ParameterSet } from '../../../src/graph/parameters.js'
import type { InputData } from '../../../src/graph/runtime.js'
import { attention } from '../../../src/ops/attention.js'
import { crossEntropy } from '../../../src/ops/cross_entropy.js'
import { lamb } from '../../../src/ops/lamb.js'
import { layernorm } from '../../../src/ops/layernorm.js'
import { linear } from '../../../src/ops/linear.js'
import type { Attrs, Op } from '../../../src/ops/op.js'
import { random } from '../../../test/support/random.js'
import { type StepShape, steps } from '../../shapes.js'
import type { Results } from '../agree.js'
import { type OpBench, prepareOp, uniform } from '../op_program.js'
import { pretrainingModel, pretrainingStep } from '../pretraining_step.js'
import { optimizerAttrs, optimizerNorm, optimizerScalars, updateInputs } from '../update_inputs.js'

export interface Operand {
  readonly shape: readonly number[]
  readonly data: InputData
}

/** What a peer is asked for: a function of its module, numbers, operands. */
export interface PeerRequest {
  readonly kind: string
  readonly sizes: Readonly<Record<string, number>>
  readonly operands: Readonly<Record<string, Operand>>
  /** Of a model or an update: tensors by name in the operand `parameters`. */
  readonly tensors?: readonly TensorPlace[]
}

export interface TensorPlace {
  readonly name: string
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
  readonly decay: boolean
  readonly adapt: boolean
}

/** Ours, ready to run. */
export interface Ours {
  /** Of the first run, by the names that peers give theirs. */
  readonly results: Results
  readonly flops: number
  readonly bytes: number
  run(count: number): Promise<void>
  free(): void
}

export interface WebgpuCase {
  readonly name: string
  request(): PeerRequest
  ours(device: Device): Promise<Ours>
}

/** How large: for checks alone, for an adapter in software, for a GPU. */
export const SIZES = ['quick', 'software', 'hardware'] as const
export type Size = (typeof SIZES)[number]

const ROWS: Record<Size, number> = { quick: 32, software: 256, hardware: 1024 }
const { mini_8x128: mini, base_8x128: base, nano_2x16: nano } = steps
/** A step that software ends in seconds. */
const mini_2x128: StepShape = { ...mini, name: 'mini_2x128', B: 2, N: 256, masked: 40 }
const STEP: Record<Size, StepShape> = { quick: nano, software: mini_2x128, hardware: mini }

/** Every case of a size; names are unique. */
export function webgpuCases(size: Size): WebgpuCase[] {
  const rows = ROWS[size]
  const models = { ...(size === 'quick' ? { nano } : { mini }), ...(size !== 'quick' && { base }) }
  const products = Object.entries(models).flatMap(([name, { H, I }]) => {
    const layers = { qkv: [H, 3 * H], attention_output: [H, H], ffn: [H, I], ffn_output: [I, H] }
    // of base what software does in seconds
    const those = Object.entries(layers).filter(
      ([layer]) =>
        !(name === 'base' && size === 'software') || layer === 'attention_output' || layer === 'ffn',
    )
    return those.flatMap(([layer, [K, N]]) => productCases(`${name} ${layer} ${rows}`, rows, K, N))
  })
  const { S, A, D, H } = size === 'quick' ? nano : mini
  const B = Math.max(2, rows / S)
  const classes = size === 'quick' ? 500 : 30000
  return [
    ...products,
    ...attentionCases(`attention ${B}x${S}`, B, S, A, D),
    ...layernormCases(`layernorm ${rows}x${H}`, rows, H),
    crossEntropyCase(`cross-entropy ${rows / 8}x${classes}`, rows / 8, classes),
    lambCase(size === 'quick' ? nano : mini),
    stepCase(STEP[size]),
  ]
}

/** Ours of an op: its own results under the names of the peers', and the kernels that are timed. */
function opOurs<A extends Attrs>(
  op: Op<A>,
  options: Pick<OpBench<A>, 'inputs' | 'attrs' | 'scalars'>,
  kernels: string,
  results: (read: (name: string) => Promise<InputData>) => Promise<Results>,
): WebgpuCase['ours'] {
  return async (device) => {
    const ready = await prepareOp(device, op, options)
    const scalars = { seed: 1, draw: 3, ...options.scalars }
    for (const { prepared } of [ready.parts.forward, ready.parts.backward])
      if (prepared) await device.run(prepared, scalars)
    const first = await results(ready.read)
    const part = ready.kernels(kernels)
    const repeated = new Map<number, ReturnType<typeof part.repeated>>()
    return {
      results: first,
      flops: part.flops,
      bytes: part.bytes,
      async run(count) {
        const prepared = repeated.get(count) ?? part.repeated(count)
        repeated.set(count, prepared)
        await device.run(prepared, scalars)
      },
      free: ready.free,
    }
  }
}

const operand = (data: InputData, ...shape: number[]): Operand => ({ shape, data })
/** As `prepareOp` draws the gradient that arrives. */
const arriving = (...shape: number[]) => operand(uniform(99, shape), ...shape)
const given = (of: Operand, role: 'activation' | 'weight' | 'fixed') => ({ ...of, role })

/** y = x W^T + b, its input gradient dy W and its weight gradient dy^T x: M rows, K in, N out. */
function productCases(name: string, M: number, K: number, N: number): WebgpuCase[] {
  const operands = () => ({
    x: operand(uniform(1, [M, K]), M, K),
    weight: operand(uniform(2, [N, K]), N, K),
    bias: operand(uniform(3, [N]), N),
  })
  const ours = (kernel: Kernel['name'], result: string): WebgpuCase['ours'] => {
    return async (device) => {
      const { x, weight, bias } = operands()
      const inputs = {
        x: given(x, 'activation'),
        weight: given(weight, 'weight'),
        bias: given(bias, 'weight'),
      }
      const make = opOurs(linear, { inputs, attrs: {} }, kernel, async (read) => ({ y: await read(result) }))
      return make(device)
    }
  }
  return [
    {
      name: `${name} forward`,
      request() {
        const { x: a, weight: b, bias } = operands()
        return { kind: 'product', sizes: { transposeA: 0, transposeB: 1 }, operands: { a, b, bias } }
      },
      ours: ours('linear_forward', 'y'),
    },
    {
      name: `${name} input gradient`,
      request: () => ({
        kind: 'product',
        sizes: { transposeA: 0, transposeB: 0 },
        operands: { a: arriving(M, N), b: operands().weight },
      }),
      ours: ours('linear_backward_input', 'dx'),
    },
    {
      name: `${name} weight gradient`,
      request: () => ({
        kind: 'product',
        sizes: { transposeA: 1, transposeB: 0 },
        operands: { a: arriving(M, N), b: operands().x },
      }),
      ours: ours('linear_backward_weight', 'dweight'),
    },
  ]
}

/** Part `k` of the three that lie side by side in each row. */
function third(qkv: ArrayLike<number>, H: number, k: number): Float32Array {
  return Float32Array.from(
    { length: qkv.length / 3 },
    (_, i) => qkv[Math.floor(i / H) * 3 * H + k * H + (i % H)],
  )
}

/** Peers get q, k and v [B,S,A,D] as tensors of their own, which spares them the slices. */
function attentionCases(name: string, B: number, S: number, A: number, D: number): WebgpuCase[] {
  const H = A * D
  const qkv = () => uniform(1, [B * S, 3 * H])
  const request = (backward: number) => (): PeerRequest => {
    const parts = Object.fromEntries(
      ['q', 'k', 'v'].map((n, k) => [n, operand(third(qkv(), H, k), B, S, A, D)]),
    )
    const dy = operand(arriving(B * S, H).data, B, S, A, D)
    return { kind: 'attention', sizes: { B, S, A, D, backward }, operands: { ...parts, dy } }
  }
  const ours = (kernels: string, backward: boolean): WebgpuCase['ours'] => {
    return (device) => {
      const starts = Int32Array.from({ length: B + 1 }, (_, b) => b * S)
      const inputs = {
        qkv: given(operand(qkv(), B * S, 3 * H), 'activation'),
        cu_seqlens: given(operand(starts, B + 1), 'fixed'),
      }
      const attrs = { heads: A, sequences: B, p: 0, stream: 1 }
      return opOurs(attention, { inputs, attrs }, kernels, async (read) => {
        const gradient = await read('dqkv')
        const gradients = ['dq', 'dk', 'dv'].map((n, k): [string, InputData] => [n, third(gradient, H, k)])
        return { y: await read('y'), ...(backward && Object.fromEntries(gradients)) }
      })(device)
    }
  }
  return [
    { name: `${name} forward`, request: request(0), ours: ours('attention_forward', false) },
    { name: `${name} forward and backward`, request: request(1), ours: ours('attention_', true) },
  ]
}

function layernormCases(name: string, N: number, H: number): WebgpuCase[] {
  const eps = 1e-12
  const operands = () => ({
    x: operand(uniform(1, [N, H]), N, H),
    weight: operand(uniform(2, [H]), H),
    bias: operand(uniform(3, [H]), H),
  })
  const request = (backward: number) => (): PeerRequest => ({
    kind: 'layernorm',
    sizes: { eps, backward },
    operands: { ...operands(), dy: arriving(N, H) },
  })
  const ours = (kernels: string, names: readonly string[]): WebgpuCase['ours'] => {
    return (device) => {
      const { x, weight, bias } = operands()
      const inputs = {
        x: given(x, 'activation'),
        weight: given(weight, 'weight'),
        bias: given(bias, 'weight'),
      }
      return opOurs(layernorm, { inputs, attrs: { eps } }, kernels, (read) => several(read, names))(device)
    }
  }
  return [
    { name: `${name} forward`, request: request(0), ours: ours('layernorm_forward', ['y']) },
    {
      name: `${name} forward and backward`,
      request: request(1),
      ours: ours('layernorm_', ['y', 'dx', 'dweight', 'dbias']),
    },
  ]
}

async function several(
  read: (name: string) => Promise<InputData>,
  names: readonly string[],
): Promise<Results> {
  const results: Record<string, InputData> = {}
  for (const name of names) results[name] = await read(name)
  return results
}

/** Loss of each row, and the gradient of the logits. */
function crossEntropyCase(name: string, N: number, C: number): WebgpuCase {
  const operands = () => ({
    logits: operand(uniform(1, [N, C]), N, C),
    labels: operand(random(N).integers(N, 0, C), N),
  })
  return {
    name: `${name} forward and backward`,
    request: () => ({
      kind: 'cross_entropy',
      sizes: {},
      operands: { ...operands(), dloss: arriving(N) },
    }),
    ours(device) {
      const { logits, labels } = operands()
      const inputs = { logits: given(logits, 'activation'), labels: given(labels, 'fixed') }
      return opOurs(crossEntropy, { inputs, attrs: {} }, 'cross_entropy', (read) =>
        several(read, ['loss', 'dlogits']),
      )(device)
    },
  }
}

/** An update of all parameters of a model; gradients and moments are made up. */
function lambCase(shape: StepShape): WebgpuCase {
  const set = () => pretrainingModel(shape, 0).parameters
  return {
    name: `LAMB ${shape.name.split('_')[0]}`,
    request() {
      const parameters = set()
      const { parameters: p, gradients, moment1, moment2 } = updateInputs(parameters)
      return {
        kind: 'lamb',
        sizes: { ...optimizerAttrs, ...optimizerScalars, norm: optimizerNorm },
        operands: { parameters: p, gradients, moment1, moment2 } as PeerRequest['operands'],
        tensors: parameters.segments,
      }
    },
    ours(device) {
      const parameters = set()
      const options = { inputs: updateInputs(parameters), attrs: optimizerAttrs, scalars: optimizerScalars }
      return opOurs(lamb, options, 'lamb', async (read) => ({
        parameters: withoutGaps(await read('parameters'), parameters),
      }))(device)
    },
  }
}

/** The arena without what lies between tensors. */
function withoutGaps(arena: InputData, { segments }: ParameterSet): Float32Array {
  const result = new Float32Array(segments.reduce((n, { size }) => n + size, 0))
  let at = 0
  for (const { offset, size } of segments) {
    result.set(arena.subarray(offset, offset + size), at)
    at += size
  }
  return result
}

/** Forward, backward and LAMB; the losses of the first weights and of those after two steps are compared. */
function stepCase(shape: StepShape): WebgpuCase {
  return {
    name: `step ${shape.name}`,
    request() {
      const { parameters, initial, batch } = pretrainingModel(shape, 0)
      const data = initial()
      const tensors = Object.entries(batch).map(([name, d]): [string, Operand] => [
        name,
        operand(d, d.length),
      ])
      const { B, S, H, A, L, masked, V } = shape
      return {
        kind: 'albert_step',
        sizes: {
          B,
          S,
          H,
          A,
          L,
          masked,
          V,
          lr: 1e-4,
          beta1: 0.9,
          beta2: 0.999,
          eps: 1e-6,
          decay: 0.01,
          clip: 1,
        },
        operands: { parameters: operand(data, data.length), ...Object.fromEntries(tensors) },
        tensors: parameters.segments,
      }
    },
    async ours(device) {
      const step = await pretrainingStep(device, shape, { dropout: 0 })
      const first = await step.evaluate()
      await step.run()
      await step.run()
      const losses = Float32Array.of(first, await step.evaluate())
      return {
        results: { losses },
        flops: step.flops,
        bytes: 0,
        async run(count) {
          // one queued behind the one that runs, as training does
          let before: Promise<void> | undefined
          for (let i = 0; i < count; i++) {
            const now = step.run()
            await before
            before = now
          }
          await before
        },
        free: step.free,
      }
    },
  }
}
