/** Products of 8-bit integers through linear and linear_gelu, against float64 of the same integers and of the operands. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { linear } from '../../src/ops/linear.js'
import { type GeluForm, linearGelu } from '../../src/ops/linear_gelu.js'
import { packInt8 } from '../../src/ops/pack_int8.js'
import { byteSize, f32 } from '../../src/ops/shape.js'
import { allclose, sameBits } from '../support/allclose.js'
import { isFew, ofEachKind, once, onThreads } from '../support/cases.js'
import { fail, rejects } from '../support/failure.js'
import { onEveryNarrowIsa } from '../support/half_case.js'
import { type DenseCase, exactDense, quantisedDense } from '../support/int8_case.js'
import { runOp } from '../support/op_case.js'
import { checkRagged, isJudged, sameBitsOnThreads, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('pack_int8')

const onEveryInt8Isa = (name: string, body: (isa: string) => Promise<void>) =>
  onEveryNarrowIsa(test, name, body, 'pack_int8_forward')

/** Operands whose rows and channels differ in scale, so that a scale at the wrong place shows. */
function dense(rows: number, inner: number, out: number): DenseCase {
  const draw = random(rows + inner + out)
  const x = draw.normals(rows * inner)
  const weight = draw.normals(out * inner, 1 / Math.sqrt(inner))
  for (let i = 0; i < x.length; i++) x[i] *= 1 + (Math.floor(i / inner) % 5)
  for (let i = 0; i < weight.length; i++) weight[i] *= 1 + (Math.floor(i / inner) % 7)
  return { rows, inner, out, x, weight, bias: draw.normals(out) }
}

type Use = (x: Tensor, packed: Tensor, bias: Tensor, capture: Capture) => Tensor[]
const useLinear: Use = (x, packed, bias, capture) => capture.apply(linear, [x, packed, bias], {})

function run(device: Device, { rows, inner, out, x, weight, bias }: DenseCase, use: Use = useLinear) {
  const inputs = {
    x: { shape: [rows, inner], data: x },
    weight: { shape: [out, inner], data: weight },
    bias: { shape: [out], data: bias },
  }
  return runOp(device, inputs, (t, capture) =>
    use(t.x, capture.apply(packInt8, [t.weight], {})[0], t.bias, capture),
  )
}

// sizes at the edges of tiles (8 x 48, 6 x 16, 6 x 8), of groups of K (4 and 2) and vectors, of tasks (128 or 126 rows, 16
// rows that are quantised, 2 panels), and rows that are done in several parts
for (const [rows, inner, out] of ofEachKind({
  'below a tile': [
    [2, 3, 5],
    [1, 1, 1],
    [7, 4, 15],
  ],
  'whole tiles': [
    [8, 5, 16],
    [3, 64, 96],
  ],
  'around tiles': [
    [9, 63, 47],
    [17, 66, 49],
    [127, 31, 97],
  ],
  'around blocks': [[131, 769, 20]],
  'more than a task of columns': [[6, 8, 400]],
  'chunks of K': isFew ? [] : [[300, 16387, 3]],
})) {
  const c = dense(rows, inner, out)
  const oracles = once(() => ({ want: quantisedDense(c), exact: exactDense(c) }))
  onEveryInt8Isa(`[${rows},${inner}] x [${out},${inner}]`, async (isa) => {
    const { want, exact } = oracles()
    const [y] = (await withDevice({ isa, threads: 2 }, (device) => run(device, c))).outputs
    const largest = want.reduce((n, v) => Math.max(n, Math.abs(v)), 0)
    allclose(y, want, { rtol: 1e-6, atol: 5e-7 * largest, name: 'y' })
    exact.z.forEach((z, i) => {
      if (!(Math.abs(y[i] - z) <= exact.bound[i] + 1e-6 * largest))
        fail(`y[${i}] is ${y[i]}, the product ${z}, beyond the bound ${exact.bound[i]} of quantising`)
    })
  })
}

const gelu: Record<GeluForm, (z: number) => number> = {
  tanh: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
  // 1 - erfc's series is in the test of linear_gelu; here numbers integrate the density
  erf: (z) => {
    const n = 2000
    let area = 0
    for (let i = 0; i < n; i++) area += Math.exp(-((((i + 0.5) / n) * z) ** 2) / 2) * (z / n)
    return z * (0.5 + area / Math.sqrt(2 * Math.PI))
  },
}
for (const form of ['tanh', 'erf'] as const)
  for (const save of [true, false])
    onEveryInt8Isa(`gelu in its ${form} form, z ${save ? 'saved' : 'not saved'}`, async (isa) => {
      const c = dense(19, 37, 53)
      const { outputs } = await withDevice({ isa, threads: 2 }, (device) =>
        run(device, c, (x, packed, bias, capture) =>
          capture.apply(linearGelu, [x, packed, bias], { form, save }).slice(0, save ? 2 : 1),
        ),
      )
      const z = quantisedDense(c)
      allclose(outputs[0], z.map(gelu[form]), { rtol: 2e-6, atol: 5e-6, name: 'y' })
      if (save) allclose(outputs[1], z, { rtol: 1e-6, atol: 5e-6, name: 'z' })
    })

onEveryInt8Isa('the longest sums of the largest products are exact', async (isa) => {
  const inner = 32768
  const ones = new Float32Array(2 * inner).fill(1)
  const weight = ones.slice().fill(-1, inner)
  const c = { rows: 2, inner, out: 2, x: ones, weight, bias: new Float32Array(2) }
  const [y] = (await withDevice({ isa, threads: 1 }, (device) => run(device, c))).outputs
  allclose(y, [inner, -inner, inner, -inner], { rtol: 1e-6, name: 'y' })
})

onEveryInt8Isa(
  'rows and channels of zeros, or of next to nothing, give the bias; others are as ever',
  async (isa) => {
    const c = dense(11, 70, 50)
    c.x.fill(0, 70, 140)
    c.x.fill(1e-40, 4 * 70, 5 * 70)
    c.weight.fill(0, 49 * 70, 50 * 70)
    c.weight.fill(-1e-38, 3 * 70, 4 * 70)
    const [y] = (await withDevice({ isa, threads: 2 }, (device) => run(device, c))).outputs
    const want = quantisedDense(c)
    for (let o = 0; o < 50; o++) for (const r of [1, 4]) want[r * 50 + o] = c.bias[o]
    for (let r = 0; r < 11; r++) for (const o of [3, 49]) want[r * 50 + o] = c.bias[o]
    allclose(y, want, { rtol: 1e-6, atol: 2e-5, name: 'y' })
    sameBits(y.slice(50, 100), c.bias, { name: 'a row of zeros' })
  },
)

for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  onEveryInt8Isa(
    `a row or channel with ${wrong} in it gives NaN, and the others what they did`,
    async (isa) => {
      const c = dense(13, 71, 51)
      const clean = (await withDevice({ isa, threads: 2 }, (device) => run(device, c))).outputs[0].slice()
      const [row, channel] = [9, 50]
      c.x[row * 71 + 70] = wrong
      c.x[row * 71 + 3] = 5
      c.weight[channel * 71] = wrong
      const [y] = (await withDevice({ isa, threads: 2 }, (device) => run(device, c))).outputs
      y.forEach((v, i) => {
        const isWrong = Math.floor(i / 51) === row || i % 51 === channel
        if (isWrong ? !Number.isNaN(v) : v !== clean[i])
          fail(`y[${i}] is ${v}, without the ${wrong} ${clean[i]}`)
      })
    },
  )

if (!isJudged()) {
  test(`the same bits ${onThreads}`, () => {
    const c = isFew ? dense(140, 60, 50) : dense(300, 500, 400)
    return sameBitsOnThreads((device) =>
      run(device, c, (x, packed, bias, capture) => [
        ...useLinear(x, packed, bias, capture),
        ...capture.apply(linearGelu, [x, packed, bias], {}),
      ]),
    )
  })

  test('a weight that is prepared is packed again when the parameters change', async () => {
    const [rows, inner, out] = [5, 33, 20]
    const c = dense(rows, inner, out)
    const set = new ParameterSet()
    const stack = set.add('stack', [2, out, inner], { init: zeros })
    const bias = set.add('bias', [out], { init: zeros })
    const capture = new Capture(set)
    const weights = capture.prepare(packInt8, capture.parameter(stack), {})
    assert.is(capture.prepare(packInt8, capture.parameter(stack), {}).value, weights.value)
    const x = capture.input('x', [rows, inner])
    const y = capture.repeat(
      2,
      capture.input('start', [rows, out]),
      (_, slice) => useLinear(x, slice(weights), capture.parameter(bias), capture)[0],
    )
    capture.output('y', y)
    const other = new Capture(set)
    const parameters = other.graph.state('parameters', 'all', 0, f32(set.arenaElements), false)
    const { accumulate, fill } = await import('../../src/ops/index.js')
    const shape = [set.arenaElements]
    const [half] = other.graph.emit(fill, [], { shape, value: 0.5 })
    other.graph.emit(accumulate, [half, parameters], {})
    await withDevice({ threads: 2 }, async (device) => {
      const runtime = new Runtime(device, set, { use: capture.graph, change: other.graph })
      assert.ok(runtime.memory.operandBytes >= 2 * out * inner)
      const data = new Float32Array(set.arenaElements)
      const inputs = { x: c.x, start: new Float32Array(rows * out) }
      const last = async () => {
        await runtime.run('use', inputs)
        return runtime.read('use', 'y')
      }
      const check = async (weight: Float32Array, biases: Float32Array) =>
        allclose(await last(), quantisedDense({ ...c, weight, bias: biases }), { rtol: 1e-6, atol: 2e-5 })
      assert.ok((await last()).every((v) => v === 0))
      // the second layer of the stack is the last that is used
      data.set(c.weight, stack.offset + out * inner)
      data.set(c.bias, bias.offset)
      await runtime.writeState('parameters', data)
      await check(c.weight, c.bias)
      await runtime.run('change')
      await check(
        c.weight.map((w) => w + 0.5),
        c.bias.map((b) => b + 0.5),
      )
      runtime.free()
    })
  })

  test('a gradient through a weight of 8 bits is refused by name', () =>
    withDevice({}, (device) => {
      const set = new ParameterSet()
      const add = (name: string, ...shape: number[]) => set.add(name, shape, { init: zeros })
      const [x, weight, bias] = [add('x', 1, 6), add('w', 1, 6), add('b', 1)]
      const capture = new Capture(set)
      const packed = capture.prepare(packInt8, capture.parameter(weight), {})
      const [loss] = useLinear(capture.parameter(x), packed, capture.parameter(bias), capture)
      capture.backward(loss)
      return rejects(
        Promise.resolve().then(() => new Runtime(device, set, { step: capture.graph })),
        /linear_backward_input_int8/,
      )
    }))

  test('rows past the run-time size stay as they are', () => {
    const { x, weight, bias } = dense(300, 40, 50)
    return withDevice({ threads: 2 }, (device) =>
      checkRagged(
        device,
        { x: { shape: [300, 40], data: x } },
        141,
        (t, c) => useLinear(t.x, c.apply(packInt8, [t.weight], {})[0], t.bias, c),
        { weight: { shape: [50, 40], data: weight }, bias: { shape: [50], data: bias } },
      ),
    )
  })
}

test('a packed weight has a byte an element, eight a channel, and room for padding', () => {
  assert.is(byteSize({ shape: [768, 3072], dtype: 'packed_int8' }), (768 + 64) * (3072 + 72))
  assert.is(byteSize({ shape: [12, 768, 3072], dtype: 'packed_int8' }), 12 * (768 + 64) * (3072 + 72))
})

test('operands that do not fit are named', () => {
  const packed = { shape: [4, 6], dtype: 'packed_int8' } as const
  assert.throws(
    () => packInt8.infer([{ shape: [4, 6], dtype: 'bf16' }], {}),
    /pack_int8: weight is \[4,6\] bf16/,
  )
  assert.throws(
    () => packInt8.infer([f32(4, 32769)], {}),
    /\[4,32769\] f32 \(want weight f32 \[O,I\], I at most 32768\)/,
  )
  assert.throws(
    () => linear.infer([{ shape: [9, 6], dtype: 'bf16' }, packed, f32(4)], {}),
    /weight is \[4,6\] packed_int8.*packed for x of bf16/,
  )
  assert.throws(() => linear.infer([f32(9, 5), packed, f32(4)], {}), /x is \[9,5\] f32/)
})

test.run()
