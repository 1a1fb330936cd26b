/**
 * What ops say their kernels have to do, against counts made by hand: operations, those of a model, bytes; at the sizes
 * of a run, which are smaller than the capacity of the program.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import type { Kernel } from '../../src/device/kernel.js'
import { calls, SQUARES, totalWork, type Work } from '../../src/device/program.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { compile } from '../../src/graph/runtime.js'
import {
  add,
  argmax,
  attention,
  clip,
  cumsum,
  gather,
  linear,
  linearCrossEntropy,
  linearGelu,
  matmul,
  mean,
  relu,
  toFloat,
} from '../../src/index.js'
import { checkConfig } from '../../src/model/config.js'
import { declarePretraining, pretrainingLoss } from '../../src/model/pretraining.js'
import { copy } from '../../src/ops/copy.js'
import { embedding } from '../../src/ops/embedding.js'
import * as ops from '../../src/ops/index.js'
import type { Op } from '../../src/ops/op.js'
import { dynamic } from '../../src/ops/shape.js'
import { appendUpdate, DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'

const test = suite('work of kernels')

type Build = (capture: Capture, parameter: (name: string, ...shape: number[]) => Tensor) => Tensor

/** The work of every kernel of a graph and its backward pass by kernel, for the sizes of a run. */
function workOf(build: Build, sizes: Record<string, number>): Map<string, Work[]> {
  const set = new ParameterSet()
  const capture = new Capture(set)
  const y = build(capture, (name, ...shape) => capture.parameter(set.add(name, shape, { init: zeros })))
  capture.backward(mean(y))
  const found = new Map<string, Work[]>()
  for (const call of calls(compile({ step: capture.graph }).get('step')!.program)) {
    const list = found.get(call.kernel.name) ?? []
    list.push(call.work!(sizes))
    found.set(call.kernel.name, list)
  }
  return found
}

function one(found: Map<string, Work[]>, kernel: string): Work {
  const list = found.get(kernel)
  assert.is(list?.length, 1, `${kernel} of ${[...found.keys()].join(', ')}`)
  return list![0]
}

// [10 of at most 64 rows, 6] -> 5
const [N, I, O] = [10, 6, 5]
const rows = dynamic('rows', 64)

test('linear: two for each multiply-add, backward one product for each gradient', () => {
  const found = workOf(
    (capture, p) => {
      const x = relu(linear(capture.input('x', [rows, I]), { weight: p('v', I, I), bias: p('c', I) }))
      return linear(x, { weight: p('w', O, I), bias: p('b', O) })
    },
    { rows: N },
  )
  const product = 2 * N * I * O
  const [, forward] = found.get('linear_forward')!
  assert.equal(forward, { flops: product, modelFlops: product, bytes: 4 * (N * I + I * O + O + N * O) })
  assert.equal(one(found, 'linear_backward_input'), {
    flops: product,
    modelFlops: product,
    bytes: 4 * (N * O + I * O + N * I),
  })
  // the gradient of a parameter is added onto: read and written
  assert.equal(found.get('linear_backward_weight')![0], {
    flops: product,
    modelFlops: product,
    bytes: 4 * (N * O + N * I + 2 * I * O + 2 * O),
  })
  assert.equal(one(found, 'unary_backward'), { flops: 2 * N * I, modelFlops: 0, bytes: 4 * 3 * N * I })
})

test('linear_gelu: backward is an elementwise kernel and the products of linear', () => {
  const found = workOf(
    (capture, p) => {
      const x = linear(capture.input('x', [rows, I]), { weight: p('v', I, I), bias: p('c', I) })
      return linearGelu(x, { weight: p('w', O, I), bias: p('b', O) })
    },
    { rows: N },
  )
  const product = 2 * N * I * O
  assert.equal(one(found, 'linear_gelu_forward'), {
    flops: product,
    modelFlops: product,
    // y and z
    bytes: 4 * (N * I + I * O + O + 2 * N * O),
  })
  assert.equal(one(found, 'linear_gelu_backward_activation'), {
    flops: 17 * N * O,
    modelFlops: 0,
    bytes: 4 * 3 * N * O,
  })
  assert.is(one(found, 'linear_backward_input').modelFlops, product)
  assert.is(found.get('linear_backward_weight')![0].modelFlops, product)
})

test('products of 8-bit integers: as many operations, a byte an element of the weight; nothing saved, no z', () => {
  const set = new ParameterSet()
  const p = (name: string, ...shape: number[]) => set.add(name, shape, { init: zeros })
  const capture = new Capture(set)
  const weight = capture.prepare(ops.packInt8, capture.parameter(p('w', O, I)), {})
  const bias = capture.parameter(p('b', O))
  capture.apply(ops.linear, [capture.input('x', [rows, I]), weight, bias], {})
  capture.apply(ops.linearGelu, [capture.input('v', [rows, I]), weight, bias], { save: false })
  const programs = compile({ step: capture.graph })
  const found = new Map(
    [...calls(programs.get('step')!.program)].map((c) => [c.kernel.name, c.work!({ rows: N })]),
  )
  const product = 2 * N * I * O
  const packed = Math.ceil(((O + 64) * (I + 72)) / 64) * 64
  const bytes = 4 * (N * I + O + N * O) + packed
  assert.equal(found.get('linear_forward_int8'), { flops: product, modelFlops: product, bytes })
  // the four elements that z has
  assert.equal(found.get('linear_gelu_forward_int8'), {
    flops: product,
    modelFlops: product,
    bytes: bytes + 4 * 4,
  })
  const preparation = [...calls(programs.get('step preparation')!.program)]
  assert.equal(
    preparation.map((c) => [c.kernel.name, c.work!({})]),
    [['pack_int8_forward', { flops: 0, modelFlops: 0, bytes: 4 * O * I + packed }]],
  )
})

test('attention counts the squares of the lengths; backward has five products to the two of forward', () => {
  const [A, H] = [2, 8]
  const lengths = [7, 1, 2]
  const squares = 49 + 1 + 4
  const builder =
    (causal: boolean): Build =>
    (capture, p) => {
      const qkv = linear(capture.input('x', [rows, H]), { weight: p('w', 3 * H, H), bias: p('b', 3 * H) })
      const cuSeqlens = capture.input('cu', [9], 'i32')
      return attention(qkv, cuSeqlens, { heads: A, sequences: dynamic('sequences', 8), causal })
    }
  const build = builder(false)
  const sizes = { rows: N, sequences: lengths.length }
  const found = workOf(build, { ...sizes, [SQUARES]: squares })
  // scores and values: 2 S S D for each sequence and head
  const byHand = lengths.reduce((n, S) => n + A * 2 * (2 * S * S * (H / A)), 0)
  assert.is(byHand, 4 * squares * H)
  assert.equal(one(found, 'attention_forward'), {
    flops: byHand,
    modelFlops: byHand,
    bytes: 4 * (3 * N * H + 9 + N * H + N * A),
  })
  assert.equal(one(found, 'attention_backward'), {
    flops: 2.5 * byHand,
    modelFlops: 2.5 * byHand,
    bytes: 4 * (N * H + 3 * N * H + 9 + N * H + N * A + 3 * N * H),
  })
  // causal: key 0 for the first query, both for the second, and so on
  const seen = lengths.reduce((n, S) => n + A * 2 * (2 * ((S * (S + 1)) / 2) * (H / A)), 0)
  const causal = workOf(builder(true), { ...sizes, [SQUARES]: squares })
  assert.is(one(causal, 'attention_forward').flops, seen)
  assert.is(one(causal, 'attention_backward').flops, 2.5 * seen)
  // lengths that are not told are taken as equal, the least there can be
  assert.is(one(workOf(build, sizes), 'attention_forward').flops, (4 * H * N * N) / lengths.length)
})

test('linear_cross_entropy counts masked rows; logits computed again are no operations of the model', () => {
  const [M, E, V] = [3, 4, 50]
  const found = workOf(
    (capture, p) => {
      const x = linear(capture.input('x', [dynamic('masked', 20), E]), {
        weight: p('v', E, E),
        bias: p('c', E),
      })
      const labels = capture.input('labels', [dynamic('masked', 20)], 'i32')
      return linearCrossEntropy(x, { weight: p('w', V, E), bias: p('b', V) }, labels).loss
    },
    { masked: M },
  )
  const product = 2 * M * E * V
  assert.equal(one(found, 'linear_cross_entropy_forward'), {
    flops: product,
    modelFlops: product,
    // x, table, bias, labels; loss, lse, correct
    bytes: 4 * (M * E + V * E + V + M + 3 * M),
  })
  assert.equal(one(found, 'linear_cross_entropy_backward'), {
    flops: 3 * product,
    modelFlops: 2 * product,
    // dloss, x, table, bias, labels, lse; dx; dtable and dbias are added onto
    bytes: 4 * (M + M * E + V * E + V + M + M + M * E + 2 * V * E + 2 * V),
  })
})

test('embedding and gather touch the rows that are there, not the table', () => {
  const [E, V, P, T] = [4, 1000, 8, 2]
  const found = workOf(
    (capture, p) => {
      const index = (name: string) => capture.input(name, [rows], 'i32')
      const tables = [p('word', V, E), p('segment', T, E), p('position', P, E), p('weight', E), p('bias', E)]
      const inputs = [index('ids'), index('segments'), index('positions'), ...tables]
      const [y] = capture.apply(embedding, inputs, { eps: 1e-12, p: 0, stream: 0 })
      return gather(y, capture.input('index', [dynamic('picks', 30)], 'i32'))
    },
    { rows: N, picks: 3 },
  )
  // ten rows of words, both segments, all eight positions
  const touched = (N + T + P) * E
  assert.equal(one(found, 'embedding_forward'), {
    flops: 9 * N * E,
    modelFlops: 0,
    bytes: 4 * (3 * N + touched + 2 * E + N * E + 2 * N),
  })
  assert.equal(one(found, 'embedding_backward'), {
    flops: 18 * N * E,
    modelFlops: 0,
    bytes: 4 * (N * E + 3 * N + touched + E + 2 * N + 2 * touched + 2 * 2 * E),
  })
  assert.equal(one(found, 'gather_forward'), { flops: 0, modelFlops: 0, bytes: 4 * (3 + 2 * 3 * E) })
  assert.equal(one(found, 'gather_backward'), { flops: 3 * E, modelFlops: 0, bytes: 4 * (3 + 3 * 3 * E) })
})

test('clip, cumsum and argmax move each element once', () => {
  const found = workOf(
    (capture, p) => {
      const x = add(capture.input('x', [rows, I]), p('b', I))
      return add(cumsum(clip(x, -1, 1)), toFloat(argmax(x, 1, true)))
    },
    { rows: N },
  )
  const each = (flops: number, moves: number) => ({
    flops: flops * N * I,
    modelFlops: 0,
    bytes: 4 * moves * N * I,
  })
  assert.equal(one(found, 'clip_forward'), each(2, 2))
  assert.equal(one(found, 'clip_backward'), each(2, 3))
  assert.equal(found.get('cumsum_forward'), [each(1, 2), each(1, 2)])
  assert.equal(one(found, 'argmax_forward'), { flops: N * I, modelFlops: 0, bytes: 4 * (N * I + N) })
  assert.equal(one(found, 'cast_forward'), { flops: 0, modelFlops: 0, bytes: 4 * 2 * N })
})

test('copy moves what its view shows', () => {
  const found = workOf((capture, p) => {
    const x = p('x', 6, 7)
    // columns 2 to 4 of the first two rows, three times
    return capture.apply(copy, [x], { shape: [3, 2, 3], strides: [0, 7, 1], offset: 2 })[0]
  }, {})
  assert.equal(found.get('copy_forward')![0], { flops: 0, modelFlops: 0, bytes: 4 * (6 + 18) })
  assert.equal(one(found, 'copy_backward'), { flops: 18, modelFlops: 0, bytes: 4 * (18 + 2 * 6) })
})

test('kernels of gradient rules are counted', () => {
  const all = Object.values(ops).filter((value): value is Op => typeof value === 'object' && 'infer' in value)
  assert.ok(all.length > 20)
  assert.equal(
    all.filter((op) => op.kernels && !op.work).map((op) => op.name),
    [],
  )
})

test('a pretraining step: the products of all layers and heads, whether activations are kept or not', () => {
  const [H, E, L, A, F, V] = [16, 8, 3, 2, 40, 100]
  const config = checkConfig({
    modelType: 'albert',
    gelu: 'tanh',
    vocabularySize: V,
    embeddingSize: E,
    hiddenSize: H,
    layers: L,
    heads: A,
    intermediateSize: F,
    maxPositions: 32,
    segmentTypes: 2,
    dropout: 0.1,
    classifierDropout: 0.1,
    layerNormEps: 1e-12,
    initializerRange: 0.02,
  })
  const [rows, sequences, masked] = [50, 3, 8]
  const squares = 30 * 30 + 15 * 15 + 5 * 5
  const work = (recompute: boolean) => {
    const set = new ParameterSet()
    const model = declarePretraining(set, config)
    const capture = new Capture(set)
    const capacity = { rows: 64, sequences: 8, masked: 20 }
    capture.backward(pretrainingLoss(capture, model, capacity, { training: true, recompute }))
    appendUpdate(capture, DEFAULT_OPTIMIZER)
    const { program } = compile({ step: capture.graph }).get('step')!
    return totalWork(program, { rows, sequences, masked, [SQUARES]: squares })
  }
  const layer = 2 * rows * (4 * H * H + 2 * H * F)
  const heads = 2 * masked * (H * E + E * V) + 2 * sequences * (H * H + 2 * H)
  const model = 3 * (L * layer + 2 * rows * E * H + heads) + 3.5 * L * 4 * squares * H
  const kept = work(false)
  assert.is(kept.modelFlops, model)
  assert.ok(kept.flops > model && kept.flops < 2 * model)
  const again = work(true)
  assert.is(again.modelFlops, model)
  // every layer runs forward once more
  assert.ok(again.flops - kept.flops >= L * (layer + 4 * squares * H))
})

/** Operations for each byte of every kernel of a program, by kernel, over all of its calls. */
function intensities(capture: Capture, sizes: Record<string, number>): Map<Kernel, number> {
  const sums = new Map<string, { kernel: Kernel; flops: number; bytes: number }>()
  for (const { kernel, work } of calls(compile({ step: capture.graph }).get('step')!.program)) {
    const sum = sums.get(kernel.name) ?? { kernel, flops: 0, bytes: 0 }
    const { flops, bytes } = work!(sizes)
    sums.set(kernel.name, { kernel, flops: sum.flops + flops, bytes: sum.bytes + bytes })
  }
  return new Map([...sums.values()].map(({ kernel, flops, bytes }) => [kernel, flops / bytes]))
}

test('products are what does more for each byte at twice the size, and they alone are held against the peak of bf16', () => {
  const step = (times: number): Map<Kernel, number> => {
    const [sequences, length, masked] = [16 * times, 256 * times, 256 * times]
    const rows = sequences * length
    const config = checkConfig({
      modelType: 'albert',
      gelu: 'tanh',
      vocabularySize: 128 * times,
      embeddingSize: 128 * times,
      hiddenSize: 256 * times,
      layers: 2,
      heads: 4,
      intermediateSize: 512 * times,
      maxPositions: length,
      segmentTypes: 2,
      dropout: 0.1,
      classifierDropout: 0.1,
      layerNormEps: 1e-12,
      initializerRange: 0.02,
    })
    const set = new ParameterSet()
    const model = declarePretraining(set, config)
    const capture = new Capture(set)
    const options = { training: true, precision: 'bf16' } as const
    const loss = pretrainingLoss(capture, model, { rows, sequences, masked }, options)
    // the only op with products that a step of pretraining lacks
    const x = capture.input('x', [masked, masked])
    const product = matmul(x, capture.parameter(set.add('square', [masked, masked], { init: zeros })))
    capture.backward(add(loss, mean(product)))
    appendUpdate(capture, DEFAULT_OPTIMIZER)
    return intensities(capture, { rows, sequences, masked, [SQUARES]: rows * length })
  }
  const twice = new Map([...step(2)].map(([{ name }, intensity]) => [name, intensity]))
  const products: string[] = []
  for (const [kernel, intensity] of step(1)) {
    const growth = intensity > 0 ? twice.get(kernel.name)! / intensity : 1
    // between the two a kernel would be neither, and the sizes ill chosen
    assert.ok(growth < 1.2 || growth > 1.9, `${kernel.name} grows by ${growth}`)
    const isProduct = growth > 1.9
    assert.is(kernel.multiplies ?? false, isProduct, `${kernel.name} grows by ${growth}`)
    assert.is(kernel.products, isProduct && kernel.name.endsWith('_bf16') ? 'bf16' : undefined, kernel.name)
    if (isProduct) products.push(kernel.name)
  }
  const attention = ['attention_forward_bf16', 'attention_backward_bf16']
  const linear = ['forward', 'backward_input', 'backward_weight'].flatMap((part) => [
    `linear_${part}`,
    `linear_${part}_bf16`,
  ])
  // the intermediate layer, and the head of masked language modelling
  const gelu = ['linear_gelu_forward', 'linear_gelu_forward_bf16']
  const vocabulary = ['linear_cross_entropy_forward', 'linear_cross_entropy_backward']
  const others = ['linear_backward_input_joined_bf16', 'matmul_forward']
  assert.equal(products.sort(), [...attention, ...linear, ...gelu, ...vocabulary, ...others].sort())
})

test.run()
