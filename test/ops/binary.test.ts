import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BinaryFunction, binary } from '../../src/ops/binary.js'
import { f32, i32 } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { broadcast } from '../support/broadcast.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, onEveryIsa, uniforms, withDevice } from '../support/op_check.js'

const test = suite('binary')

const functions: Record<BinaryFunction, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  pow: (a, b) => a ** b,
  equal: (a, b) => (a === b ? 1 : 0),
  less: (a, b) => (a < b ? 1 : 0),
  less_equal: (a, b) => (a <= b ? 1 : 0),
}

const shapes: [number[], number[]][] = [
  [[7], [7]],
  [[3, 5], [5]],
  [
    [4, 1, 3],
    [2, 1],
  ],
  [
    [2, 3, 1, 5],
    [3, 4, 1],
  ],
  [[], [2, 9]],
  [[37], []],
  [[3, 8], [8]],
  [
    [3, 8],
    [3, 1],
  ],
  [
    [2, 3, 4],
    [2, 1, 4],
  ],
]

for (const fn of Object.keys(functions) as BinaryFunction[])
  for (const [a, b] of shapes)
    checkOp(test, `${fn} of [${a}] and [${b}]`, {
      inputs: { a: uniforms(1, 0.3, 2, ...a), b: uniforms(2, 0.4, 2.5, ...b) },
      build: ({ a, b }, capture) => capture.apply(binary, [a, b], { fn }),
      oracle: (x) => [
        broadcast(
          [
            { shape: a, data: x.a },
            { shape: b, data: x.b },
          ],
          functions[fn],
        ),
      ],
      gradients: ['equal', 'less', 'less_equal'].includes(fn) ? 0 : 1,
    })

onEveryIsa(test, 'rows longer than one task, and many short ones', async (device) => {
  for (const [a, b] of [
    [[2, 40000], [40000]],
    [
      [30000, 2],
      [30000, 1],
    ],
  ]) {
    const inputs = { a: normals(3, ...a), b: normals(4, ...b) }
    const { outputs } = await runOp(device, inputs, ({ a, b }, capture) =>
      capture.apply(binary, [a, b], { fn: 'sub' }),
    )
    const want = broadcast([inputs.a, inputs.b], functions.sub)
    allclose(outputs[0], want)
  }
})

onEveryIsa(test, 'a tie sends the gradient of max and min to the first operand', async (device) => {
  const inputs = {
    a: { shape: [3], data: Float32Array.of(1, 2, 3) },
    b: { shape: [3], data: Float32Array.of(1, 3, 2) },
  }
  const dy = Float32Array.of(5, 6, 7)
  const result = (fn: BinaryFunction) =>
    runOp(device, inputs, ({ a, b }, capture) => capture.apply(binary, [a, b], { fn }), [dy])
  const max = await result('max')
  allclose(max.gradients.a, [5, 0, 7])
  allclose(max.gradients.b, [0, 6, 0])
  const min = await result('min')
  allclose(min.gradients.a, [5, 6, 0])
  allclose(min.gradients.b, [0, 0, 7])
})

onEveryIsa(test, 'a NaN makes max and min NaN and comparisons 0', async (device) => {
  const inputs = {
    a: { shape: [3], data: Float32Array.of(Number.NaN, 1, Number.NaN) },
    b: { shape: [3], data: Float32Array.of(1, Number.NaN, Number.NaN) },
  }
  for (const fn of ['max', 'min', 'equal', 'less', 'less_equal'] as const) {
    const { outputs } = await runOp(device, inputs, ({ a, b }, capture) =>
      capture.apply(binary, [a, b], { fn }),
    )
    for (const y of outputs[0]) assert.ok(Object.is(y, fn === 'max' || fn === 'min' ? Number.NaN : 0), fn)
  }
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { a: normals(7, 67, 19), b: normals(8, 67, 1) },
      18,
      ({ a, b, bias }, capture) => [
        ...capture.apply(binary, [a, b], { fn: 'mul' }),
        ...capture.apply(binary, [bias, a], { fn: 'add' }),
      ],
      { bias: normals(9, 19) },
    ),
  ))

test('shapes that do not broadcast are refused by name', () => {
  assert.throws(
    () => binary.infer([f32(2, 3), f32(2)], { fn: 'add' }),
    /binary: a is \[2,3\] f32, b is \[2\] f32 \(want shapes of f32, bf16 or f16 that broadcast\)/,
  )
  assert.throws(() => binary.infer([f32(2), i32(2)], { fn: 'add' }), /b is \[2\] i32/)
})

test.run()
