/** Packed weights: products of bf16 or f16 through linear and linear_gelu, against float64 and the naive computation. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo } from '../../src/device/cpu.js'
import { binary } from '../../src/ops/binary.js'
import { cast } from '../../src/ops/cast.js'
import { linear } from '../../src/ops/linear.js'
import { linearGelu } from '../../src/ops/linear_gelu.js'
import { pack } from '../../src/ops/pack.js'
import { byteSize, f32 } from '../../src/ops/shape.js'
import { sameBits } from '../support/allclose.js'
import { ofEachKind } from '../support/cases.js'
import {
  checkHalf,
  half,
  halfNormals,
  halfType,
  type Numbers,
  onEveryNarrowIsa,
  product,
  type Results,
  wide,
} from '../support/half_case.js'
import { runOp } from '../support/op_case.js'
import { checkRagged, isJudged, normals, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('pack')
const to = halfType()

/** Activations that are of two bytes, weights and bias that are not, scaled so that results are of order one. */
function tensors(rows: number, inner: number, out: number) {
  const draw = random(2)
  return {
    x: halfNormals(1, 1, rows, inner),
    weight: { shape: [out, inner], data: draw.normals(out * inner, 1 / Math.sqrt(inner)) },
    bias: { shape: [out], data: draw.normals(out) },
  }
}

type Data = Record<string, ArrayLike<number>>

/** z = x weight^T + bias before it is stored. */
function dense(n: Numbers, rows: number, inner: number, out: number, { x, weight, bias }: Data) {
  const w = Float64Array.from(weight, half)
  const sums = product(
    n,
    [rows, out, inner],
    (r, i) => x[r * inner + i],
    (i, o) => w[o * inner + i],
  )
  return sums.map((v, i) => n.sum(v + bias[i % out]))
}

/** The gradients of a dense layer for the gradient dz of its result. */
function gradients(n: Numbers, rows: number, inner: number, out: number, data: Data, dz: ArrayLike<number>) {
  const { x, weight } = data
  const w = Float64Array.from(weight, half)
  const at = (r: number, o: number) => dz[r * out + o]
  return {
    x: product(n, [rows, inner, out], at, (o, i) => w[o * inner + i]).map(n.store),
    weight: product(
      n,
      [out, inner, rows],
      (o, r) => at(r, o),
      (r, i) => x[r * inner + i],
    ),
    bias: product(n, [1, out, rows], () => 1, at),
  }
}

const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
function geluDerivative(x: number): number {
  const c = Math.sqrt(2 / Math.PI)
  const t = Math.tanh(c * (x + 0.044715 * x ** 3))
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)
}

// sizes at the edges of tiles and panels (32, 48, 16, 8), of blocks of rows (128, 256), of columns (256, 384), of K (256,
// 768), of chunks of rows in the gradient of the weight (1024), a K that is done in several chunks (16384), and whole lines
// of 16 bytes
for (const [rows, inner, out] of ofEachKind({
  'below a tile': [
    [2, 3, 5],
    [1, 1, 1],
  ],
  'whole tiles': [
    [16, 32, 16],
    [31, 64, 48],
  ],
  'around tiles': [[33, 65, 97]],
  'around blocks of rows': [
    [130, 9, 50],
    [130, 257, 50],
    [300, 136, 264],
  ],
  'more than a task of columns': [
    [3, 20, 390],
    [300, 20, 390],
  ],
  'more than a block of K': [
    [5, 800, 9],
    [7, 800, 17],
    [5, 1600, 9],
  ],
  'chunks of rows': [
    [1030, 3, 5],
    [1100, 34, 40],
  ],
  'chunks of K': [[4, 16450, 3]],
  'lines of whole 16 bytes, around the tiles of CUDA (64, 128, 256; steps of 32 and 64), whole and cut in depth':
    [
      [20, 24, 40],
      [132, 72, 392],
      [140, 264, 272],
      [520, 16, 24],
    ],
}).map((sizes) => sizes.map((n, i) => (i === 0 ? n : wide(n))))) {
  const inputs = tensors(rows, inner, out)
  checkHalf(test, `[${rows},${inner}] x [${out},${inner}]`, {
    inputs,
    narrow: ['x'],
    size: rows * out,
    build: ({ x, weight, bias }, c) =>
      c.apply(linear, [x, c.apply(pack, [weight], { to, gradient: true })[0], bias], {}),
    reference: (n, data, dy): Results => ({
      outputs: [dense(n, rows, inner, out, data).map(n.store)],
      gradients: gradients(n, rows, inner, out, data, dy),
    }),
  })
}

for (const [rows, inner, out] of ofEachKind({
  'around tiles': [
    [33, 65, 97],
    [1, 2, 3],
  ],
  'around blocks': [
    [130, 40, 20],
    [140, 900, 20],
    [200, 72, 520],
  ],
}).map((sizes) => sizes.map((n, i) => (i === 0 ? n : wide(n)))))
  checkHalf(test, `gelu([${rows},${inner}] x [${out},${inner}])`, {
    inputs: tensors(rows, inner, out),
    narrow: ['x'],
    size: rows * out,
    build: ({ x, weight, bias }, c) =>
      c.apply(linearGelu, [x, c.apply(pack, [weight], { to, gradient: true })[0], bias], {}),
    reference: (n, data, dy): Results => {
      const z = dense(n, rows, inner, out, data).map(n.store)
      const dz = Float64Array.from(dy, (g, i) => n.store(g * geluDerivative(z[i])))
      return {
        outputs: [z.map((v) => n.store(gelu(v))), z],
        gradients: gradients(n, rows, inner, out, data, dz),
      }
    },
  })

onEveryNarrowIsa(test, 'rows past the run-time size stay as they are', (isa) => {
  const { x, weight, bias } = tensors(300, 40, wide(50))
  return withDevice({ isa, threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: { ...x, dtype: to } },
      141,
      (t, c) => c.apply(linear, [t.x, c.apply(pack, [t.weight], { to, gradient: false })[0], t.bias], {}),
      { weight, bias },
    ),
  )
})

onEveryNarrowIsa(
  test,
  'gradients of uses of one packed weight add up in the gradient of the weight',
  async (isa) => {
    const inputs = {
      a: halfNormals(1, 1, 9, 8),
      b: halfNormals(2, 1, 9, 8),
      weight: normals(3, 4, 8),
      bias: normals(4, 4),
    }
    const dy = random(5).normals(36).map(half)
    const { gradients: found } = await withDevice({ isa, threads: 2 }, (device) =>
      runOp(
        device,
        inputs,
        ({ a, b, weight, bias }, c) => {
          const [w] = c.apply(pack, [weight], { to, gradient: true })
          const use = (x: typeof a) => c.apply(linear, [c.apply(cast, [x], { to })[0], w, bias], {})[0]
          const [y] = c.apply(binary, [use(a), use(b)], { fn: 'add' })
          return c.apply(cast, [y], { to: 'f32' })
        },
        [dy],
      ),
    )
    for (let o = 0; o < 4; o++)
      for (let i = 0; i < 8; i++) {
        let want = 0
        for (let r = 0; r < 9; r++)
          want += dy[r * 4 + o] * (inputs.a.data[r * 8 + i] + inputs.b.data[r * 8 + i])
        assert.ok(Math.abs(found.weight[o * 8 + i] - want) < 1e-4, `weight ${o},${i}`)
      }
  },
)

// What the processor does with a pair is what the emulation says: so machines without the instruction test these very sums.
const real = 'avx512_bf16'
if (!isJudged() && cpuInfo().isas.includes(real))
  test(`the emulation of ${real} gives its bits`, async () => {
    const dy = random(5)
      .normals(65 * 70, 1)
      .map(half)
    const { weight, bias } = tensors(65, 600, 70)
    const [found, want] = await Promise.all(
      [`${real}_emulated`, real].map((isa) =>
        withDevice({ isa, threads: 1 }, (device) =>
          runOp(
            device,
            { x: halfNormals(1, 1, 65, 600), weight, bias },
            ({ x, weight, bias }, c) => {
              const [w] = c.apply(pack, [weight], { to, gradient: true })
              const [y] = c.apply(linear, [c.apply(cast, [x], { to })[0], w, bias], {})
              return c.apply(cast, [y], { to: 'f32' })
            },
            [dy],
          ),
        ),
      ),
    )
    sameBits(found.outputs[0], want.outputs[0], { name: 'y' })
    for (const name of ['x', 'weight', 'bias'])
      sameBits(found.gradients[name], want.gradients[name], { name: `d${name}` })
  })

test('a packed weight has room for two padded operands of four bytes', () => {
  assert.is(byteSize({ shape: [768, 3072], dtype: 'packed' }), 2 * 4 * (768 + 64) * (3072 + 64))
})

test('types that do not fit are named', () => {
  const packed = { shape: [4, 6], dtype: 'packed' } as const
  const narrow = { shape: [9, 6], dtype: 'bf16' } as const
  assert.throws(
    () => pack.infer([{ shape: [4, 6], dtype: 'bf16' }], { to: 'bf16', gradient: true }),
    /pack: weight is \[4,6\] bf16/,
  )
  assert.throws(
    () => linear.infer([f32(9, 6), packed, f32(4)], {}),
    /weight is \[4,6\] packed.*packed for x of bf16/,
  )
  assert.throws(
    () => linear.infer([narrow, f32(4, 6), f32(4)], {}),
    /x is \[9,6\] bf16, weight is \[4,6\] f32/,
  )
  const [row] = pack.infer([f32(4, 8)], { to: 'f16', gradient: true })
  assert.equal(row, { shape: [4, 8], dtype: 'f16' })
  assert.throws(
    () => linear.infer([{ shape: [9, 8], dtype: 'f16' }, { ...packed, shape: [4, 8] }, f32(4)], {}),
    /x is \[9,8\] f16, weight is \[4,8\] packed.*f16 for x of f16/,
  )
})

test.run()
