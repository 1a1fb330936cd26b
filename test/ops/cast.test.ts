/** Rounding to bf16 or f16 and back, and ops that do no more than move, add and round numbers of two bytes: all to the last bit. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture } from '../../src/autograd/tensor.js'
import { fromHalf, toHalf } from '../../src/device/half.js'
import { HALF_TYPES, inHalf } from '../../src/device/kernel.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { accumulate } from '../../src/ops/accumulate.js'
import { binary } from '../../src/ops/binary.js'
import { cast } from '../../src/ops/cast.js'
import { copy } from '../../src/ops/copy.js'
import { fill } from '../../src/ops/fill.js'
import { gather } from '../../src/ops/gather.js'
import { dynamic, f32, i32 } from '../../src/ops/shape.js'
import { softmax } from '../../src/ops/softmax.js'
import { allclose, sameBits } from '../support/allclose.js'
import { bf16, f16, half, halfNormals, halfType, onEveryNarrowIsa, wide } from '../support/half_case.js'
import { runKernel } from '../support/kernel_case.js'
import { runOp } from '../support/op_case.js'
import { normals, onEveryIsa, withDevice } from '../support/op_check.js'
import { random } from '../support/random.js'

const test = suite('cast')
const equal = { rtol: 0, atol: 0 }

const type = halfType()

/** Values at the edges of rounding: ties both ways, a carry into the exponent, overflow, the largest, zeros, no numbers. */
function edges(): Float32Array {
  const halves = fromHalf(
    Uint16Array.from({ length: 65536 }, (_, i) => i),
    'f16',
  )
  // all numbers of f16, what lies half way to the next one, and its neighbours
  const near = Float32Array.from(halves.subarray(0, 0x7c00), (x, i) => (x + halves[i + 1]) / 2)
  const words = new Uint32Array(near.buffer)
  const beside = [-1, 1].map((step) => new Float32Array(words.map((u) => u + step).buffer))
  const negative = Float32Array.from(near, (x) => -x)
  const bits = [
    0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x3fffffff, 0x7f7fffff, 0x7f7f0000,
    0x80000000, 0xbf808000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x00800000,
    0xff7f8000,
  ]
  const given = new Float32Array(Uint32Array.from(bits).buffer)
  const draw = random(3)
  const many = Float32Array.from({ length: 4000 }, () => draw.normal() * 2 ** draw.integer(-100, 100))
  const some = Float32Array.from({ length: 4000 }, () => draw.normal() * 2 ** draw.integer(-26, 17))
  // what becomes an infinity, and does not
  const last = Float32Array.of(65520, -65520, 65519.996, 65504, 1e9)
  const all = [given, last, many, some, halves, near, negative, ...beside].flatMap((part) => [...part])
  return Float32Array.from(all.slice(0, Math.floor(all.length / 4) * 4))
}

const same = (found: ArrayLike<number>, want: ArrayLike<number>) => {
  for (let i = 0; i < want.length; i++)
    if (!Object.is(found[i], want[i])) assert.unreachable(`[${i}]: ${found[i]}, want ${want[i]}`)
}

onEveryNarrowIsa(test, 'every value is rounded to the nearest, and comes back exactly', async (isa) => {
  const x = edges()
  const { y } = await withDevice({ isa, threads: 2 }, (device) =>
    runKernel(
      device,
      cast,
      cast.forward,
      { x: { shape: [x.length], data: x }, y: { shape: [x.length], dtype: type } },
      { to: type },
    ),
  )
  same(y, Array.from(x, half))
  const back = await withDevice({ isa, threads: 2 }, (device) =>
    runKernel(
      device,
      cast,
      cast.forward,
      { x: { shape: [y.length], data: y, dtype: type }, y: { shape: [y.length] } },
      { to: 'f32' },
    ),
  )
  same(back.y, y)
})

test('what people write and read is rounded the same way', () => {
  const x = edges()
  same(fromHalf(toHalf(x, 'bf16'), 'bf16'), Array.from(x, bf16))
  same(fromHalf(toHalf(x, 'f16'), 'f16'), Array.from(x, f16))
})

onEveryNarrowIsa(test, 'the gradient is cast back', async (isa) => {
  const x = normals(1, 3, 8)
  const dy = random(2).normals(24)
  const run = (device: Parameters<typeof runOp>[0]) =>
    runOp(
      device,
      { x },
      ({ x }, c) => {
        const [low] = c.apply(cast, [x], { to: type })
        return c.apply(cast, [low], { to: 'f32' })
      },
      [dy],
    )
  const { outputs, gradients } = await withDevice({ isa, threads: 2 }, run)
  same(outputs[0], Array.from(x.data, half))
  same(gradients.x, Array.from(dy, half))
})

const low = (seed: number, ...shape: number[]) => ({
  ...halfNormals(seed, 1, ...shape),
  dtype: type,
})
const empty = (...shape: number[]) => ({ shape, dtype: type })

onEveryNarrowIsa(test, 'arithmetic is rounded once', (isa) =>
  withDevice({ isa, threads: 2 }, async (device) => {
    const width = wide(1003)
    const [a, b, row] = [low(1, 5, width), low(2, 5, width), low(3, width)]
    for (const [fn, of] of [
      ['add', (p: number, q: number) => p + q],
      ['mul', (p: number, q: number) => p * q],
      ['max', Math.max],
    ] as const) {
      const both = { a, b, y: empty(5, width) }
      const { y } = await runKernel(device, binary, binary.forward, both, { fn })
      allclose(
        y,
        Array.from(a.data, (p, i) => half(Math.fround(of(p, b.data[i])))),
        equal,
      )
      const spread = { a, b: row, y: empty(5, width) }
      const { y: wide } = await runKernel(device, binary, binary.forward, spread, { fn })
      allclose(
        wide,
        Array.from(a.data, (p, i) => half(Math.fround(of(p, row.data[i % width])))),
        equal,
      )
    }
    const { y } = await runKernel(device, accumulate, accumulate.forward, { x: a, y: b }, {})
    allclose(
      y,
      Array.from(a.data, (p, i) => half(Math.fround(p + b.data[i]))),
      equal,
    )
  }),
)

onEveryNarrowIsa(test, 'copies move values, and their gradient adds up', (isa) =>
  withDevice({ isa, threads: 2 }, async (device) => {
    const [rows, columns] = [wide(6), wide(5)]
    const x = low(4, rows, columns)
    const turned = { shape: [columns, rows], strides: [1, columns], offset: 0 }
    const { y } = await runKernel(device, copy, copy.forward, { x, y: empty(columns, rows) }, turned)
    allclose(
      y,
      Array.from(y, (_, i) => x.data[(i % rows) * columns + Math.floor(i / rows)]),
      equal,
    )
    const part = { shape: [2, columns], strides: [2 * columns, 1], offset: columns }
    const { y: cut } = await runKernel(device, copy, copy.forward, { x, y: empty(2, columns) }, part)
    allclose(
      cut,
      Array.from(cut, (_, i) => x.data[columns + Math.floor(i / columns) * 2 * columns + (i % columns)]),
      equal,
    )
    const [backward] = copy.backward!
    // WebGPU has none: see kernels/wgsl/copy.wgsl
    if (!device.supports(inHalf(backward, type).name)) {
      assert.is(type, 'f16')
      return
    }
    const buffers = { x, y: empty(5, 6), dy: low(5, 5, 6), dx: low(6, 6, 5) }
    const { dx } = await runKernel(device, copy, backward, buffers, turned)
    const want = Array.from(dx, (_, i) =>
      half(Math.fround(buffers.dx.data[i] + buffers.dy.data[(i % 5) * 6 + Math.floor(i / 5)])),
    )
    allclose(dx, want, equal)
  }),
)

onEveryNarrowIsa(test, 'fill rounds its value and stops at the run-time size', (isa) =>
  withDevice({ isa, threads: 2 }, async (device) => {
    const width = wide(19)
    const shape = [dynamic('rows', 67), width]
    const { y } = await runKernel(
      device,
      fill,
      fill.forward,
      { y: { shape, dtype: type } },
      { shape, value: 0.3 },
      {
        rows: 18,
      },
    )
    assert.ok(y.every((v, i) => (i < 18 * width ? v === half(Math.fround(0.3)) : Number.isNaN(v))))
  }),
)

onEveryNarrowIsa(test, 'gather takes rows, and its gradient adds them up', (isa) =>
  withDevice({ isa, threads: 2 }, async (device) => {
    const H = wide(131)
    const x = low(7, 6, H)
    const index = { shape: [9], data: Int32Array.from([5, -1, 0, 3, 3, 6, 2, 0, 0]) }
    const { y } = await runKernel(device, gather, gather.forward, { x, index, y: empty(9, H) }, {})
    const at = (m: number, h: number) =>
      index.data[m] in [0, 0, 0, 0, 0, 0] ? x.data[index.data[m] * H + h] : 0
    allclose(
      y,
      Array.from(y, (_, i) => at(Math.floor(i / H), i % H)),
      equal,
    )
    const [backward] = gather.backward!
    const buffers = { x, index, y: empty(9, H), dy: low(8, 9, H), dx: low(9, 6, H) }
    const { dx } = await runKernel(device, gather, backward, buffers, {})
    const want = buffers.dx.data.slice()
    index.data.forEach((row, m) => {
      if (row < 0 || row > 5) return
      for (let h = 0; h < H; h++)
        want[row * H + h] = half(Math.fround(want[row * H + h] + buffers.dy.data[m * H + h]))
    })
    allclose(dx, want, equal)
  }),
)

onEveryNarrowIsa(test, 'the same bits on 1, 2 and 3 threads', async (isa) => {
  const x = normals(1, wide(50001))
  const run = (threads: number) =>
    withDevice({ isa, threads }, async (device) => {
      const { outputs } = await runOp(device, { x }, ({ x }, c) => c.apply(cast, [x], { to: type }))
      return outputs[0]
    })
  const one = await run(1)
  for (const threads of [2, 3]) sameBits(await run(threads), one)
})

onEveryNarrowIsa(test, `a kernel that has no form for ${type} is refused by name`, (isa) =>
  withDevice({ isa, threads: 1 }, async (device) => {
    const inputs = { x: normals(1, 4, 4) }
    const run = runOp(device, inputs, ({ x }, c) => {
      const [narrow] = c.apply(cast, [x], { to: type })
      // a softmax that does not look at types
      return c.apply({ ...softmax, infer: ([s]) => [s] }, [narrow], { log: false })
    })
    const message = await run.then(
      () => 'no error',
      (error: Error) => `${error.name}: ${error.message}`,
    )
    assert.match(message, new RegExp(`UserError: the \\S+ device has no kernel softmax_forward_${type}`))
  }),
)

test('types that do not fit are named', () => {
  assert.throws(
    () => cast.infer([f32(3)], { to: 'f32' }),
    /cast: x is \[3\] f32 \(want f32 to bf16 or f16, these or i32 to f32, and not f32 to f32\)/,
  )
  assert.throws(() => cast.infer([i32(3)], { to: 'bf16' }), /cast: x is \[3\] i32/)
  assert.throws(() => cast.infer([{ shape: [4], dtype: 'f16' }], { to: 'bf16' }), /cast: x is \[4\] f16/)
  assert.throws(() => binary.infer([f32(3), { shape: [3], dtype: 'bf16' }], { fn: 'add' }), /b is \[3\] bf16/)
})

onEveryIsa(test, 'integers become floats, rounded beyond 2^24', async (device) => {
  const x = { shape: [5], data: Int32Array.of(0, -1, 16777215, 16777217, -2147483648) }
  const { outputs } = await runOp(device, { x }, ({ x }, capture) => capture.apply(cast, [x], { to: 'f32' }))
  assert.equal([...outputs[0]], [0, -1, 16777215, 16777216, -2147483648])
})

test('rows of f16 that are not whole fours are named', () => {
  const { graph } = new Capture(new ParameterSet())
  assert.throws(
    () => graph.input('x', { shape: [dynamic('rows', 9), 6], dtype: 'f16' }),
    /x is \[rows<=9,6\] f16 \(want a last dimension that is a multiple of four\)/,
  )
  const x = graph.input('x', { shape: [dynamic('rows', 9), 8], dtype: 'f16' })
  assert.is(graph.view(x, [72]).spec.dtype, 'f16')
})

test('kernels of two bytes are told apart by name, and products of bf16 alone have a peak of their own', () => {
  const forward = { ...cast.forward, multiplies: true }
  assert.equal(
    HALF_TYPES.map((type) => [inHalf(forward, type).name, inHalf(forward, type).products]),
    [
      ['cast_forward_bf16', 'bf16'],
      ['cast_forward_f16', undefined],
    ],
  )
})

test.run()
