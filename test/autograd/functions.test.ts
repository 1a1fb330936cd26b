import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as f from '../../src/autograd/functions.js'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { dynamic, shapeText } from '../../src/ops/shape.js'
import { broadcast } from '../support/broadcast.js'
import {
  checkOp,
  checkRagged,
  integers,
  normals,
  type Oracle,
  uniforms,
  withDevice,
} from '../support/op_check.js'

const test = suite('functions')

/** A check of a function of x and y, both [2,3], element by element. */
function elementwise(
  name: string,
  build: (x: Tensor, y: Tensor) => Tensor,
  want: (x: number, y: number) => number,
) {
  checkOp(test, name, {
    inputs: { x: uniforms(1, 0.3, 2, 2, 3), y: uniforms(2, 0.4, 2.5, 2, 3) },
    build: ({ x, y }) => [build(x, y)],
    oracle: ({ x, y }) => [Float64Array.from(x, (v, i) => want(v, y[i]))],
  })
}

elementwise(
  'add, a number on either side',
  (x, y) => f.add(1, f.add(x, f.add(y, 2))),
  (x, y) => x + y + 3,
)
elementwise(
  'sub, a number on either side',
  (x, y) => f.sub(1, f.sub(x, f.sub(y, 2))),
  (x, y) => 1 - (x - (y - 2)),
)
elementwise(
  'mul, a number on either side',
  (x, y) => f.mul(3, f.mul(x, f.mul(y, 2))),
  (x, y) => 6 * x * y,
)
elementwise(
  'div, a number on either side',
  (x, y) => f.div(3, f.div(x, f.div(y, 2))),
  (x, y) => 3 / (x / (y / 2)),
)
elementwise(
  'pow, a number on either side',
  (x, y) => f.add(f.pow(x, 3), f.add(f.pow(2, y), f.pow(x, y))),
  (x, y) => x ** 3 + 2 ** y + x ** y,
)
elementwise(
  'pow by 2 is the square',
  (x, y) => f.sub(f.pow(x, 2), y),
  (x, y) => x * x - y,
)
elementwise(
  'maximum and minimum',
  (x, y) => f.mul(f.maximum(x, y), f.minimum(x, 1)),
  (x, y) => Math.max(x, y) * Math.min(x, 1),
)
elementwise(
  'comparisons and where',
  (x, y) =>
    f.add(f.where(f.less(x, y), f.square(x), y), f.where(f.lessEqual(1, x), 0, f.mul(x, f.equal(x, x)))),
  (x, y) => (x < y ? x * x : y) + (1 <= x ? 0 : x),
)
elementwise(
  'functions of one tensor',
  (x, y) =>
    f.add(
      f.add(f.exp(f.neg(x)), f.log(y)),
      f.add(f.mul(f.sqrt(x), f.rsqrt(y)), f.mul(f.tanh(x), f.sigmoid(y))),
    ),
  (x, y) => Math.exp(-x) + Math.log(y) + Math.sqrt(x / y) + Math.tanh(x) / (1 + Math.exp(-y)),
)
elementwise(
  'more functions of one tensor',
  (x, y) =>
    f.add(f.add(f.relu(f.sub(x, 1)), f.abs(f.sub(y, 1))), f.add(f.reciprocal(x), f.mul(f.sin(x), f.cos(y)))),
  (x, y) => Math.max(x - 1, 0) + Math.abs(y - 1) + 1 / x + Math.sin(x) * Math.cos(y),
)

elementwise(
  'silu, log1p and clip',
  (x, y) => f.add(f.mul(f.silu(x), f.log1p(y)), f.clip(f.sub(x, y), -0.5, 0.75)),
  (x, y) => (x / (1 + Math.exp(-x))) * Math.log1p(y) + Math.min(0.75, Math.max(-0.5, x - y)),
)

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** Reduces the axes named with `fn` over float64 terms. */
function reducer(shape: number[], axes: number[], fn: (terms: number[]) => number): Oracle {
  return ({ x }) => {
    const groups = new Map<string, number[]>()
    for (let e = 0; e < size(shape); e++) {
      const index = shape.map((d, i) => Math.floor(e / size(shape.slice(i + 1))) % d)
      const key = index.filter((_, i) => !axes.includes(i)).join()
      groups.set(key, [...(groups.get(key) ?? []), x[e]])
    }
    return [Float64Array.from(groups.values(), fn)]
  }
}
const total = (terms: number[]) => terms.reduce((a, b) => a + b, 0)

for (const [axis, axes, keep, shape] of [
  [undefined, [0, 1, 2], false, '[]'],
  [undefined, [0, 1, 2], true, '[1,1,1]'],
  [1, [1], false, '[3,5]'],
  [-1, [2], true, '[3,4,1]'],
  [[0, 2], [0, 2], false, '[4]'],
  [[-1, 0], [0, 2], true, '[1,4,1]'],
] as [number | number[] | undefined, number[], boolean, string][]) {
  const x = normals(4, 3, 4, 5)
  const name = `over ${axis === undefined ? 'all axes' : `axis ${axis}`}${keep ? ', kept' : ''}`
  for (const [label, fn, terms] of [
    ['sum', f.sum, total],
    ['mean', f.mean, (t: number[]) => total(t) / t.length],
    ['max', f.max, (t: number[]) => Math.max(...t)],
  ] as [string, typeof f.sum, (t: number[]) => number][])
    checkOp(test, `${label} ${name}`, {
      inputs: { x },
      build: ({ x }) => {
        const y = fn(x, axis, keep)
        assert.is(shapeText(y.shape), shape)
        return [y]
      },
      oracle: reducer([3, 4, 5], axes, terms),
    })
}

/** Checks a function that moves elements: `at` gives, for each index of the result, the index in x [2,3,4]. */
function moves(
  name: string,
  build: (x: Tensor) => Tensor,
  shape: number[],
  at: (...index: number[]) => number[],
) {
  checkOp(test, name, {
    inputs: { x: normals(5, 2, 3, 4) },
    build: ({ x }) => {
      const y = build(x)
      assert.is(shapeText(y.shape), `[${shape}]`)
      return [f.mul(y, 2)]
    },
    oracle: ({ x }) => [
      Float64Array.from({ length: size(shape) }, (_, e) => {
        const [i, j, k] = at(...shape.map((d, a) => Math.floor(e / size(shape.slice(a + 1))) % d))
        return 2 * x[(i * 3 + j) * 4 + k]
      }),
    ],
  })
}

moves(
  'transpose of the last two',
  (x) => f.transpose(x),
  [2, 4, 3],
  (i, j, k) => [i, k, j],
)
moves(
  'transpose by a permutation',
  (x) => f.transpose(x, [2, 0, -2]),
  [4, 2, 3],
  (i, j, k) => [j, k, i],
)
moves(
  'slice',
  (x) => f.slice(x, [1, 0, -3], [2, 2, -1]),
  [1, 2, 2],
  (_, j, k) => [1, j, k + 1],
)
moves(
  'slice of the first dimension',
  (x) => f.slice(x, [1], [2]),
  [1, 3, 4],
  (_, j, k) => [1, j, k],
)
moves(
  'reshape',
  (x) => f.reshape(x, [4, -1]),
  [4, 6],
  (i, j) => [Math.floor((i * 6 + j) / 12), Math.floor(((i * 6 + j) % 12) / 4), (i * 6 + j) % 4],
)
moves(
  'broadcastTo',
  (x) => f.broadcastTo(f.slice(x, [0, 1], [1, 2]), [5, 3, 4]),
  [5, 3, 4],
  (_i, _j, k) => [0, 1, k],
)
moves(
  'concat of three',
  (x) => f.concat([f.slice(x, [0, 2], []), f.slice(x, [0, 0], [2, 1]), x], -2),
  [2, 5, 4],
  (i, j, k) => [i, [2, 0, 0, 1, 2][j], k],
)

checkOp(test, 'matmul with transposes and a batch', {
  inputs: { a: normals(6, 2, 3, 4), b: normals(7, 5, 4) },
  build: ({ a, b }) => [f.matmul(a, b, { transposeB: true })],
  oracle: ({ a, b }) => [
    Float64Array.from({ length: 30 }, (_, e) => {
      let v = 0
      for (let k = 0; k < 4; k++) v += a[Math.floor(e / 5) * 4 + k] * b[(e % 5) * 4 + k]
      return v
    }),
  ],
})

checkOp(test, 'cumsum along the last axis, another one, and from the end', {
  inputs: { x: normals(11, 2, 3, 4) },
  build: ({ x }) => [f.add(f.cumsum(x), f.mul(3, f.cumsum(x, 1, { reverse: true })))],
  oracle: ({ x }) => [
    Float64Array.from(x, (_, e) => {
      const [i, j, k] = [Math.floor(e / 12), Math.floor(e / 4) % 3, e % 4]
      let v = 0
      for (let m = 0; m <= k; m++) v += x[(i * 3 + j) * 4 + m]
      for (let m = j; m < 3; m++) v += 3 * x[(i * 3 + m) * 4 + k]
      return v
    }),
  ],
})

checkOp(test, 'argmax picks rows, and is compared with labels as floats', {
  inputs: { x: normals(12, 4, 5), table: normals(13, 5, 2), labels: integers(14, 0, 5, 4) },
  build: ({ x, table, labels }) => {
    const found = f.argmax(x)
    assert.is(shapeText(f.argmax(x, 0, true).shape), '[1,5]')
    assert.is(f.toFloat(x), x)
    return [f.add(f.gather(table, found), f.mean(f.equal(f.toFloat(found), f.toFloat(labels))))]
  },
  oracle: ({ x, table, labels }) => {
    const found = [0, 1, 2, 3].map((n) => {
      const row = Array.from({ length: 5 }, (_, c) => x[n * 5 + c])
      return row.indexOf(Math.max(...row))
    })
    const share = found.filter((c, n) => c === labels[n]).length / 4
    return [Float64Array.from({ length: 8 }, (_, e) => table[found[e >> 1] * 2 + (e & 1)] + share)]
  },
})

checkOp(test, 'gather and scatterAdd', {
  inputs: { x: normals(8, 4, 3), index: integers(9, -1, 5, 6) },
  build: ({ x, index }) => [f.scatterAdd(f.gather(x, index), index, 4)],
  oracle: ({ x, index }) => {
    const y = new Float64Array(12)
    for (const i of Array.from(index))
      if (i >= 0 && i < 4) for (let h = 0; h < 3; h++) y[i * 3 + h] += x[i * 3 + h]
    return [y]
  },
})

checkOp(test, 'a layer of one’s own: softmax from parts', {
  inputs: { x: normals(10, 3, 6) },
  build: ({ x }) => {
    const e = f.exp(f.sub(x, f.max(x, 1, true)))
    return [f.div(e, f.sum(e, 1, true))]
  },
  oracle: ({ x }) => {
    const shape = [3, 6]
    const e = Float64Array.from(x, Math.exp)
    const sums = reducer(shape, [1], total)({ x: e })[0]
    return [
      broadcast(
        [
          { shape, data: e },
          { shape: [3, 1], data: sums },
        ],
        (v, s) => v / s,
      ),
    ]
  },
})

test('run-time rows go through every function that may carry them', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(device, { x: normals(7, 67, 12) }, 18, ({ x }) => {
      const cube = f.reshape(x, [x.shape[0], 3, 4])
      const flat = f.reshape(cube, [-1, 4])
      assert.is(f.reshape(flat, [x.shape[0], -1]).shape[1], 12)
      return [
        f.transpose(cube),
        flat,
        f.slice(x, [0, 2], [Infinity, 5]),
        f.concat([x, x], 1),
        f.mean(cube, [1, 2]),
        f.cumsum(cube, 1),
        f.argmax(cube),
        f.clip(f.silu(x), -0.1, 0.5),
        f.add(1, f.mul(x, f.sum(x, 1, true))),
        f.broadcastTo(f.slice(x, [0, 3], [Infinity, 4]), x.shape),
      ]
    }),
  ))

test('the mean over run-time rows counts those that are there', () =>
  withDevice({ threads: 1 }, async (device) => {
    const capture = new Capture(new ParameterSet())
    const x = capture.input('x', [dynamic('rows', 10), 2])
    capture.output('y', f.mean(x))
    const runtime = new Runtime(device, capture.parameters, { step: capture.graph })
    await runtime.run('step', { x: new Float32Array(20).fill(9) }, { rows: 10 })
    await runtime.run('step', { x: Float32Array.of(1, 2, 3, 4) }, { rows: 2 })
    assert.is((await runtime.read('step', 'y'))[0], 2.5)
    runtime.free()
  }))

test('what does not fit is refused by name and shape', () => {
  const capture = new Capture(new ParameterSet())
  const x = capture.input('x', [2, 3])
  const ragged = capture.input('ragged', [dynamic('rows', 8), 4])
  const cases: [() => unknown, RegExp][] = [
    [() => f.add(1, 2), /add: no operand is a tensor/],
    [() => f.add(x, new Capture(new ParameterSet()).input('x', [2, 3])), /binary: operands of two captures/],
    [() => f.sum(x, 2), /sum: x is \[2,3\], which has no axis 2/],
    [() => f.sum(x, [0, -2]), /axis of \[0,0\] comes twice/],
    [() => f.reshape(x, [4, -1]), /reshape: x is \[2,3\], which does not fit \[4,-1\]/],
    [() => f.reshape(x, [-1, -1]), /reshape/],
    [() => f.reshape(x, [7]), /reshape: x is \[2,3\], which does not fit \[7\]/],
    [() => f.reshape(ragged, [-1, 3]), /reshape: x is \[rows<=8,4\]/],
    [() => f.transpose(x, [0, 0]), /transpose: x is \[2,3\], permutation is \[0,0\]/],
    [() => f.transpose(ragged), /transpose: x is \[rows<=8,4\]/],
    [() => f.slice(x, [1], [1]), /slice: x is \[2,3\], from 1 to 1 in dimension 0/],
    [() => f.slice(x, [0, 0], [2, -3]), /from 0 to -3 in dimension 1/],
    [() => f.slice(ragged, [1], []), /slice: x is \[rows<=8,4\], from 1 to Infinity in dimension 0/],
    [() => f.broadcastTo(x, [3]), /broadcastTo: x is \[2,3\], which does not repeat to \[3\]/],
    [() => f.cumsum(x, 2), /cumsum: x is \[2,3\], which has no axis 2/],
    [() => f.argmax(x, -3), /argmax: x is \[2,3\], which has no axis -3/],
    [() => f.clip(x, 2, 1), /clip: low is 2, high is 1/],
    [() => f.equal(f.argmax(x), 1), /binary: a is \[2\] i32/],
    [() => f.concat([], 0), /concat: no tensors/],
    [() => f.matmul(x, x), /matmul: a is \[2,3\] f32, b is \[2,3\] f32/],
  ]
  for (const [call, message] of cases) assert.throws(call, message)
})

test.run()
