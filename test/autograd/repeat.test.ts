import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { Plan } from '../../src/graph/plan.js'
import { Runtime } from '../../src/graph/runtime.js'
import { binary } from '../../src/ops/binary.js'
import { dropout } from '../../src/ops/dropout.js'
import { layernorm } from '../../src/ops/layernorm.js'
import { reduce } from '../../src/ops/reduce.js'
import { dynamic } from '../../src/ops/shape.js'
import { unary } from '../../src/ops/unary.js'
import { allclose, sameBits } from '../support/allclose.js'
import { centralDifferences } from '../support/differences.js'
import { onEveryIsa, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('repeat')

const mul = (a: Tensor, b: Tensor) => a.capture.apply(binary, [a, b], { fn: 'mul' })[0]
const add = (a: Tensor, b: Tensor) => a.capture.apply(binary, [a, b], { fn: 'add' })[0]
const tanh = (x: Tensor) => x.capture.apply(unary, [x], { fn: 'tanh' })[0]
const norm = (x: Tensor, w: Tensor, b: Tensor) => x.capture.apply(layernorm, [x, w, b], { eps: 1e-3 })[0]
const total = (x: Tensor) => {
  const [rows] = x.capture.apply(reduce, [x], { fn: 'sum', axis: 1, keep: false })
  return x.capture.apply(reduce, [rows], { fn: 'sum', axis: 0, keep: true })[0]
}

const N = 5
const H = 6
const L = 4

type Block = (x: Tensor, weight: (name: string) => Tensor, outer: Tensor) => Tensor

interface Options {
  recompute?: boolean
  /** Write the iterations out instead of repeating. */
  unrolled?: boolean
  rows?: number
}

/** What a model of one repeat gives: result, loss, and every gradient by parameter name. */
interface Outcome {
  result: Float32Array
  gradients: Record<string, Float32Array>
}

const shared = { scale: [H], gain: [H], shift: [H] }
const stackedShapes = { stacked: [L, H] }
const initial = { entry: [H], side: [N, H] }

/**
 * y = x entry; L times y = block(y); loss = sum(y y side'). `side'` = tanh(side) is an activation that blocks may
 * capture; `scale`, `gain`, `shift` are shared by the iterations, `stacked` gives each its own row.
 */
async function run(device: Device, block: Block, options: Options, runs = 1): Promise<Outcome> {
  const parameters = new ParameterSet()
  for (const [name, shape] of Object.entries({ ...shared, ...stackedShapes, ...initial }))
    parameters.add(name, shape, { init: zeros })
  const capture = new Capture(parameters)
  const get = (name: string) => capture.parameter(parameters.get(name))
  const rows = options.rows === undefined ? N : dynamic('rows', N)
  const x = capture.input('x', [rows, H])
  const outer = tanh(get('side'))
  const start = mul(x, get('entry'))
  let y = start
  if (options.unrolled) {
    for (let l = 0; l < L; l++)
      y = block(
        y,
        (name) => {
          if (!(name in stackedShapes)) return get(name)
          const all = get(name)
          const view = capture.graph.view(all.value, [H], l * H)
          return new (all.constructor as typeof Tensor)(capture, view)
        },
        outer,
      )
  } else
    y = capture.repeat(
      L,
      start,
      (carry, slice) => block(carry, (name) => (name in stackedShapes ? slice(get(name)) : get(name)), outer),
      { recompute: options.recompute },
    )
  capture.output('result', y)
  const weighted = mul(y, y)
  capture.backward(total(options.rows === undefined ? mul(weighted, outer) : weighted))
  const runtime = new Runtime(device, parameters, { step: capture.graph })
  try {
    const state = new Float32Array(parameters.arenaElements)
    for (const p of parameters.all) state.set(data[p.name], p.offset)
    await runtime.writeState('parameters', state)
    for (let k = 0; k < runs; k++)
      await runtime.run(
        'step',
        { x: data.x.subarray(0, (options.rows ?? N) * H) },
        { rows: options.rows ?? N, seed: 7, draw: 3 },
      )
    const gradients: Record<string, Float32Array> = {}
    const all = await runtime.readState('gradients')
    for (const p of parameters.all) gradients[p.name] = all.slice(p.offset, p.offset + p.size)
    const result = await runtime.read('step', 'result', options.rows)
    return { result, gradients }
  } finally {
    runtime.free()
  }
}

const draw = random(11)
const data: Record<string, Float32Array> = { x: draw.normals(N * H) }
for (const [name, shape] of Object.entries({ ...shared, ...stackedShapes, ...initial }))
  data[name] = draw.uniforms(
    shape.reduce((a, b) => a * b, 1),
    0.5,
    1.5,
  )

const blocks: Record<string, Block> = {
  'shared weights': (x, w) => tanh(mul(x, w('scale'))),
  'stacked weights': (x, w) => add(tanh(mul(x, w('stacked'))), w('scale')),
  'the carry used twice, layernorm in it': (x, w) => {
    const t = norm(x, w('gain'), w('shift'))
    return add(mul(tanh(mul(t, w('stacked'))), t), x)
  },
  'an activation from outside': (x, w, outer) => add(mul(tanh(mul(x, outer)), w('scale')), mul(outer, outer)),
  'the carry handed on as it is': (x) => x,
  'a carry that does not reach the loss': (_, w, outer) => mul(outer, w('stacked')),
}

/** The same model in float64 loops over one flat vector of all parameters. */
function model(name: string, values: Record<string, ArrayLike<number>>): { y: Float64Array; loss: number } {
  const at = (key: string, i: number) => values[key][i]
  const outer = Float64Array.from({ length: N * H }, (_, i) => Math.tanh(at('side', i)))
  let y = Float64Array.from({ length: N * H }, (_, i) => data.x[i] * at('entry', i % H))
  for (let l = 0; l < L; l++) {
    const stacked = (i: number) => at('stacked', l * H + (i % H))
    const scale = (i: number) => at('scale', i % H)
    const x = y
    switch (name) {
      case 'shared weights':
        y = x.map((v, i) => Math.tanh(v * scale(i)))
        break
      case 'stacked weights':
        y = x.map((v, i) => Math.tanh(v * stacked(i)) + scale(i))
        break
      case 'the carry used twice, layernorm in it': {
        const t = new Float64Array(N * H)
        for (let n = 0; n < N; n++) {
          const row = x.subarray(n * H, n * H + H)
          const mean = row.reduce((a, b) => a + b, 0) / H
          const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / H
          row.forEach((v, h) => {
            t[n * H + h] = ((v - mean) / Math.sqrt(variance + 1e-3)) * at('gain', h) + at('shift', h)
          })
        }
        y = t.map((v, i) => Math.tanh(v * stacked(i)) * v + x[i])
        break
      }
      case 'an activation from outside':
        y = x.map((v, i) => Math.tanh(v * outer[i]) * scale(i) + outer[i] ** 2)
        break
      case 'a carry that does not reach the loss':
        y = outer.map((v, i) => v * stacked(i))
        break
    }
  }
  return { y, loss: y.reduce((s, v, i) => s + v * v * outer[i], 0) }
}

for (const [name, block] of Object.entries(blocks)) {
  onEveryIsa(test, `${name}: result and gradients as in float64`, async (device) => {
    for (const recompute of [false, true]) {
      const { result, gradients } = await run(device, block, { recompute })
      allclose(result, model(name, data).y, { rtol: 2e-5, atol: 2e-6 })
      for (const key of Object.keys(gradients)) {
        const want = centralDifferences((p) => model(name, { ...data, [key]: p }).loss, data[key])
        allclose(gradients[key], want, { rtol: 1e-4, atol: 1e-5, name: `d${key}` })
      }
    }
  })

  test(`${name}: recompute changes no bit, threads neither`, async () => {
    const outcome = (threads: number, recompute: boolean) =>
      withDevice({ threads }, (device) => run(device, block, { recompute }))
    const one = await outcome(1, false)
    for (const other of [await outcome(1, true), await outcome(2, false), await outcome(3, true)]) {
      sameBits(other.result, one.result)
      for (const key of Object.keys(one.gradients))
        sameBits(other.gradients[key], one.gradients[key], { name: `d${key}` })
    }
  })

  test(`${name}: the same as the block written out ${L} times`, () =>
    withDevice({ threads: 2 }, async (device) => {
      const repeated = await run(device, block, {})
      const unrolled = await run(device, block, { unrolled: true })
      sameBits(repeated.result, unrolled.result)
      for (const key of Object.keys(unrolled.gradients))
        allclose(repeated.gradients[key], unrolled.gradients[key], { rtol: 1e-5, name: `d${key}` })
    }))

  test(`${name}: a second run adds its gradients`, () =>
    withDevice({ threads: 2 }, async (device) => {
      const once = await run(device, block, {})
      const twice = await run(device, block, {}, 2)
      sameBits(twice.result, once.result)
      for (const key of Object.keys(once.gradients))
        allclose(
          twice.gradients[key],
          once.gradients[key].map((v) => 2 * v),
          { rtol: 1e-5, name: `d${key}` },
        )
    }))
}

/** Two repeats of `count`, the second reading the result of the first as well, in one graph. */
async function twice(device: Device, count: number, backward: boolean) {
  const capture = new Capture(new ParameterSet())
  const w = capture.parameter(capture.parameters.add('w', [H], { init: zeros }))
  const x = mul(capture.input('x', [N, H]), w)
  const first = capture.repeat(count, x, (y) => tanh(mul(y, w)))
  const second = capture.repeat(count, tanh(first), (y) => add(mul(y, first), w))
  capture.output('first', first)
  capture.output('second', second)
  if (backward) capture.backward(total(mul(second, first)))
  const runtime = new Runtime(device, capture.parameters, { step: capture.graph })
  await runtime.writeState(
    'parameters',
    Float32Array.from({ length: 64 }, (_, i) => data.scale[i] ?? 0),
  )
  await runtime.run('step', { x: data.x })
  const result = [await runtime.read('step', 'first'), await runtime.read('step', 'second')]
  const gradient = backward ? (await runtime.readState('gradients')).slice(0, H) : undefined
  runtime.free()
  return { result, gradient }
}

function twiceModel(count: number, w: ArrayLike<number>) {
  let first = Float64Array.from({ length: N * H }, (_, i) => data.x[i] * w[i % H])
  for (let l = 0; l < count; l++) first = first.map((v, i) => Math.tanh(v * w[i % H]))
  let second = first.map((v) => Math.tanh(v))
  for (let l = 0; l < count; l++) second = second.map((v, i) => v * first[i] + w[i % H])
  return { first, second, loss: second.reduce((s, v, i) => s + v * first[i], 0) }
}

for (const count of [1, 2, 3, 4, 5])
  test(`two repeats of ${count} in one graph, with and without a backward pass`, () =>
    withDevice({ threads: 2 }, async (device) => {
      const want = twiceModel(count, data.scale)
      for (const backward of [false, true]) {
        const { result, gradient } = await twice(device, count, backward)
        allclose(result[0], want.first)
        allclose(result[1], want.second)
        if (gradient)
          allclose(
            gradient,
            centralDifferences((w) => twiceModel(count, w).loss, data.scale),
            { rtol: 1e-4, atol: 1e-5 },
          )
      }
    }))

test('fewer rows at run time give the rows of the whole', () =>
  withDevice({ threads: 2 }, async (device) => {
    const block = blocks['the carry used twice, layernorm in it']
    for (const recompute of [false, true]) {
      const all = await run(device, block, { recompute, rows: N })
      const some = await run(device, block, { recompute, rows: 3 })
      sameBits(some.result, all.result.subarray(0, 3 * H))
      const none = await run(device, block, { recompute, rows: 0 })
      for (const g of Object.values(none.gradients)) assert.ok(g.every((v) => v === 0))
    }
  }))

test('dropout in a block draws anew in every iteration, and the same again when recomputed', () =>
  withDevice({ threads: 2 }, async (device) => {
    const block: Block = (x, w) => {
      const [t] = x.capture.apply(dropout, [mul(x, w('scale'))], { p: 0.5, stream: 4 })
      return add(t, x)
    }
    const kept = await run(device, block, {})
    const again = await run(device, block, { recompute: true })
    sameBits(again.result, kept.result)
    for (const key of Object.keys(kept.gradients))
      sameBits(again.gradients[key], kept.gradients[key], { name: key })
    // with scale s an element is x entry prod over iterations of 1 or (1 + 2 s): equal masks would make all or none
    const counts = new Set(
      Array.from(kept.result, (v, i) =>
        Math.round(Math.log(v / (data.x[i] * data.entry[i % H])) / Math.log(1 + 2 * data.scale[i % H])),
      ),
    )
    assert.ok(counts.size >= 3, `${[...counts]}`)
  }))

test('recompute keeps one tensor per iteration instead of all of them', () => {
  const bytes = (count: number, recompute: boolean) => {
    const capture = new Capture(new ParameterSet())
    const w = capture.parameter(capture.parameters.add('w', [64], { init: zeros }))
    const y = capture.repeat(
      count,
      mul(capture.input('x', [16, 64]), w),
      (x) => add(mul(tanh(mul(x, w)), w), tanh(x)),
      { recompute },
    )
    capture.backward(total(mul(y, y)))
    return new Plan(capture.graph).bytes
  }
  const tensor = 16 * 64 * 4
  assert.is(bytes(20, true) - bytes(10, true), 10 * tensor)
  // the carry and both tanh: their derivatives need no more
  assert.is(bytes(20, false) - bytes(10, false), 10 * 3 * tensor)
})

test('repeats do not nest, and count at least one', () => {
  const capture = new Capture(new ParameterSet())
  const x = capture.input('x', [2])
  assert.throws(() => capture.repeat(0, x, (y) => y), /count is 0/)
  assert.throws(() => capture.repeat(2, x, (y) => capture.repeat(2, y, (z) => z)), /repeats do not nest/)
})

test.run()
