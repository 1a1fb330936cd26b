import { suite } from 'uvu'
import { linear } from '../../src/ops/linear.js'
import { allclose } from '../support/allclose.js'
import { runOp } from '../support/op_case.js'
import { checkRagged, normals, onEveryIsa, sameBitsOnThreads, withDevice } from '../support/op_check.js'

const test = suite('linear')

/** Scaled so that y and its gradients are of order one, as in a trained network. */
function tensors(rows: number, inner: number, out: number) {
  const scaled = (seed: number, scale: number, ...shape: number[]) => {
    const t = normals(seed, ...shape)
    return { shape: t.shape, data: t.data.map((v) => v * scale) as Float32Array }
  }
  return {
    x: normals(1, rows, inner),
    weight: scaled(2, 1 / Math.sqrt(inner), out, inner),
    bias: normals(3, out),
    dy: scaled(4, 1 / Math.sqrt(rows * out), rows, out).data,
  }
}

// sizes around the edges of tiles (8 x 48, 6 x 16), of blocks (128 rows, 384 of K, 384 and 3072 columns) and below them
for (const [rows, inner, out] of [
  [1, 1, 1],
  [2, 3, 5],
  [9, 49, 47],
  [64, 16, 96],
  [130, 385, 50],
  [7, 800, 17],
  [131, 20, 390],
  [3, 5, 3080],
])
  onEveryIsa(test, `[${rows},${inner}] x [${out},${inner}]: y and its gradients`, async (device) => {
    const { dy, ...inputs } = tensors(rows, inner, out)
    const got = await runOp(
      device,
      inputs,
      ({ x, weight, bias }, c) => c.apply(linear, [x, weight, bias], {}),
      [dy],
    )
    const [x, w, b] = [inputs.x.data, inputs.weight.data, inputs.bias.data]
    const y = new Float64Array(rows * out)
    const dx = new Float64Array(rows * inner)
    const dw = new Float64Array(out * inner)
    const db = new Float64Array(out)
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < out; o++) {
        const g = dy[n * out + o]
        let s = b[o]
        for (let i = 0; i < inner; i++) {
          s += x[n * inner + i] * w[o * inner + i]
          dx[n * inner + i] += g * w[o * inner + i]
          dw[o * inner + i] += g * x[n * inner + i]
        }
        y[n * out + o] = s
        db[o] += g
      }
    allclose(got.outputs[0], y, { rtol: 1e-5, atol: 3e-6, name: 'y' })
    allclose(got.gradients.x, dx, { rtol: 1e-4, atol: 1e-6, name: 'dx' })
    allclose(got.gradients.weight, dw, { rtol: 1e-4, atol: 1e-6, name: 'dweight' })
    allclose(got.gradients.bias, db, { rtol: 1e-4, atol: 1e-6, name: 'dbias' })
  })

test('the same bits on 1, 2, 3 and 7 threads', () => {
  const { dy, ...inputs } = tensors(300, 500, 400)
  return sameBitsOnThreads((device) =>
    runOp(device, inputs, ({ x, weight, bias }, c) => c.apply(linear, [x, weight, bias], {}), [dy]),
  )
})

test('rows past the run-time size stay as they are', () => {
  const { x, weight, bias } = tensors(30, 20, 24)
  return withDevice({}, (device) =>
    checkRagged(device, { x }, 13, (t, c) => c.apply(linear, [t.x, t.weight, t.bias], {}), { weight, bias }),
  )
})

test('operands that do not fit are named with their shapes', () =>
  withDevice({}, async (device) => {
    let message = ''
    await runOp(
      device,
      { x: normals(1, 8, 128), weight: normals(2, 256, 768), bias: normals(3, 256) },
      (t, c) => c.apply(linear, [t.x, t.weight, t.bias], {}),
    ).catch((error: Error) => {
      message = error.message
    })
    if (!message.includes('x is [8,128]') || !message.includes('weight is [256,768]'))
      throw new Error(message)
  }))

test.run()
