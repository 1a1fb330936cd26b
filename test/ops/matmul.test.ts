import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Tensor } from '../../src/autograd/tensor.js'
import { matmul } from '../../src/ops/matmul.js'
import { dynamic, f32, i32 } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkOp, checkRagged, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'

const test = suite('matmul')

interface Case {
  /** Products of a and of b, one where the operand is the same for all. */
  batchA?: number
  batchB?: number
  m: number
  n: number
  k: number
  transposeA?: boolean
  transposeB?: boolean
}

function oracle({ batchA = 1, batchB = 1, m, n, k, transposeA, transposeB }: Case): Oracle {
  const batch = Math.max(batchA, batchB)
  return ({ a, b }) => {
    const y = new Float64Array(batch * m * n)
    for (let s = 0; s < batch; s++) {
      const a0 = batchA === 1 ? 0 : s * m * k
      const b0 = batchB === 1 ? 0 : s * k * n
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let v = 0
          for (let l = 0; l < k; l++)
            v += a[a0 + (transposeA ? l * m + i : i * k + l)] * b[b0 + (transposeB ? j * k + l : l * n + j)]
          y[(s * m + i) * n + j] = v
        }
    }
    return [y]
  }
}

function inputs({ batchA = 1, batchB = 1, m, n, k, transposeA, transposeB }: Case) {
  const lead = (batch: number) => (batch === 1 ? [] : [batch])
  const a = transposeA ? [k, m] : [m, k]
  const b = transposeB ? [n, k] : [k, n]
  return { a: normals(m, ...lead(batchA), ...a), b: normals(n + 1, ...lead(batchB), ...b) }
}

for (const transposeA of [false, true])
  for (const transposeB of [false, true])
    for (const sizes of [
      { m: 1, n: 1, k: 1 },
      { m: 5, n: 7, k: 3 },
      { m: 13, n: 19, k: 9 },
      { batchA: 3, batchB: 3, m: 4, n: 5, k: 2 },
      { batchA: 4, batchB: 1, m: 3, n: 6, k: 5 },
      { batchA: 1, batchB: 2, m: 3, n: 17, k: 4 },
    ]) {
      const c = { ...sizes, transposeA, transposeB }
      const { a, b } = inputs(c)
      checkOp(test, `[${a.shape}]${transposeA ? "'" : ''} times [${b.shape}]${transposeB ? "'" : ''}`, {
        inputs: { a, b },
        build: ({ a, b }, capture) => capture.apply(matmul, [a, b], { transposeA, transposeB }),
        oracle: oracle(c),
        gradientAtol: 2e-5,
      })
    }

onEveryIsa(test, 'more than one block of k and of rows, alone and in a batch', async (device) => {
  for (const c of [
    { m: 130, n: 70, k: 401, transposeB: true },
    { batchA: 2, batchB: 2, m: 20, n: 30, k: 400 },
    { batchA: 3, batchB: 3, m: 200, n: 33, k: 40, transposeB: true },
    // runs of four elements, in all orders
    { m: 132, n: 264, k: 20 },
    { m: 132, n: 264, k: 20, transposeA: true },
    { m: 132, n: 264, k: 20, transposeB: true },
    { m: 132, n: 264, k: 20, transposeA: true, transposeB: true },
    { m: 12, n: 8, k: 600, transposeA: true },
  ]) {
    const tensors = inputs(c)
    const { outputs } = await runOp(device, tensors, ({ a, b }, capture) =>
      capture.apply(matmul, [a, b], {
        transposeA: c.transposeA ?? false,
        transposeB: c.transposeB ?? false,
      }),
    )
    const want = oracle(c)({ a: tensors.a.data, b: tensors.b.data })[0]
    allclose(outputs[0], want, { rtol: 1e-5, atol: 5e-5 })
  }
})

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, async (device) => {
    const plain = { transposeA: false, transposeB: false }
    const build = ({ a, b }: Record<string, Tensor>) => a.capture.apply(matmul, [a, b], plain)
    await checkRagged(device, { a: normals(1, 67, 9) }, 7, build, { b: normals(3, 9, 20) })
    for (const rows of [0, 1, 5])
      await checkRagged(device, { a: normals(4, 11, 3, 9), b: normals(5, 11, 9, 20) }, rows, build)
  }))

test('a batch of run-time size, and a sum over run-time rows', () => {
  const rows = dynamic('rows', 6)
  const plain = { transposeA: false, transposeB: false }
  assert.equal(matmul.infer([f32(rows, 3, 4), f32(rows, 4, 5)], plain), [f32(rows, 3, 5)])
  assert.equal(matmul.infer([f32(rows, 4), f32(rows, 5)], { transposeA: true, transposeB: false }), [
    f32(4, 5),
  ])
  assert.throws(
    () => matmul.infer([f32(3, 4), f32(rows, 4)], { transposeA: false, transposeB: true }),
    /matmul: a is \[3,4\] f32, b is \[rows<=6,4\] f32/,
  )
})

test('shapes that do not fit are refused by name', () => {
  const plain = { transposeA: false, transposeB: false }
  assert.throws(() => matmul.infer([f32(2, 3), f32(2, 3)], plain), /want a \[\*,M,K\], b \[\*,K,N\]/)
  assert.throws(() => matmul.infer([f32(2, 3, 4), f32(3, 4, 5)], plain), /matmul: a is \[2,3,4\] f32/)
  assert.throws(() => matmul.infer([f32(3), f32(3, 2)], plain), /matmul/)
  assert.throws(() => matmul.infer([f32(2, 3), i32(3, 2)], plain), /b is \[3,2\] i32/)
})

test.run()
