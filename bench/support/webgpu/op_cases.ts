/** Ops of ALBERT in races on WebGPU: products, attention, losses over a vocabulary, LAMB. */
import type { Kernel } from '../../../src/device/kernel.js'
import type { ParameterSet } from '../../../src/graph/parameters.js'
import type { InputData } from '../../../src/graph/runtime.js'
import { attention } from '../../../src/ops/attention.js'
import { crossEntropy } from '../../../src/ops/cross_entropy.js'
import { lamb } from '../../../src/ops/lamb.js'
import { linear } from '../../../src/ops/linear.js'
import { linearCrossEntropy } from '../../../src/ops/linear_cross_entropy.js'
import { random } from '../../../test/support/random.js'
import type { StepShape } from '../../shapes.js'
import { attentionExpected } from '../attention.js'
import { linearExpected } from '../linear.js'
import { uniform } from '../op_program.js'
import { pretrainingModel } from '../pretraining_step.js'
import {
  optimizerAttrs,
  optimizerNorm,
  optimizerScalars,
  updateCase,
  updateInputs,
} from '../update_inputs.js'
import { crossEntropyExpected, vocabularyCase } from '../vocabulary.js'
import type { PeerRequest, WebgpuCase } from './contract.js'
import { arriving, given, named, operand, opOurs } from './ours.js'

/** y = x W^T + b, its input gradient dy W and its weight gradient dy^T x: M rows, K in, N out. */
export function productCases(name: string, M: number, K: number, N: number): WebgpuCase[] {
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
      const options = { inputs, attrs: {}, expected: linearExpected(M, K, N) }
      return opOurs(linear, options, kernel, async (read) => ({ y: await read(result) }))(device)
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
export function attentionCases(name: string, B: number, S: number, A: number, D: number): WebgpuCase[] {
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
      const expected = attentionExpected({ starts: [...starts], A, D, p: 0, stream: 1 })
      return opOurs(attention, { inputs, attrs, expected }, kernels, async (read) => {
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

/** Loss of each row, and the gradient of the logits. */
export function crossEntropyCase(name: string, N: number, C: number): WebgpuCase {
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
      const options = { inputs, attrs: {}, expected: crossEntropyExpected(C) }
      return opOurs(crossEntropy, options, 'cross_entropy', named('loss', 'dlogits'))(device)
    },
  }
}

/** The same behind the projection onto the vocabulary, with the gradients of all three operands. */
export function vocabularyLossCase(name: string, M: number, E: number, V: number): WebgpuCase {
  return {
    name: `${name} forward and backward`,
    request() {
      const { inputs } = vocabularyCase(M, E, V)
      const operands = Object.entries(inputs).map(([key, { shape, data }], i) => {
        return [key, operand(data ?? uniform(i + 1, shape), ...shape)]
      })
      return {
        kind: 'linear_cross_entropy',
        sizes: {},
        operands: { ...Object.fromEntries(operands), dloss: arriving(M) },
      }
    },
    ours: opOurs(
      linearCrossEntropy,
      vocabularyCase(M, E, V),
      'linear_cross_entropy',
      named('loss', 'dx', 'dweight', 'dbias'),
    ),
  }
}

/**
 * An update of all parameters of a model; gradients and moments are made up. No peer has LAMB, so theirs is written in their ops
 * (You et al. 2020).
 */
export function lambCase(shape: StepShape): WebgpuCase {
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
      return opOurs(lamb, updateCase(parameters, true), 'lamb', async (read) => ({
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
