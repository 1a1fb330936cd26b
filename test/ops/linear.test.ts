import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { add, mean, reshape } from '../../src/autograd/functions.js'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import { calls } from '../../src/device/program.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { compile } from '../../src/graph/runtime.js'
import { linear } from '../../src/ops/linear.js'
import { type GeluForm, linearGelu } from '../../src/ops/linear_gelu.js'
import { scale } from '../../src/ops/scale.js'
import { allclose } from '../support/allclose.js'
import { isFew, ofEachKind, once, onThreads } from '../support/cases.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  checkRagged,
  normals,
  onEveryIsa,
  sameBitsOnThreads,
  uniforms,
  withDevice,
} from '../support/op_check.js'

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
for (const [rows, inner, out] of ofEachKind({
  'below a tile': [
    [2, 3, 5],
    [1, 1, 1],
  ],
  'around tiles': [[9, 49, 47]],
  'whole tiles': [[64, 16, 96]],
  'around blocks of rows': [
    [130, 21, 50],
    [130, 385, 50],
    [131, 20, 390],
  ],
  'more than a block of K': [[7, 800, 17]],
  'more than a task of columns': [[3, 5, 390]],
  'more than a block of columns': [
    [1, 2, 3080],
    [3, 5, 3080],
  ],
  'runs of four elements, around the tiles of CUDA (64, 128)': [
    [12, 24, 20],
    [132, 24, 392],
    [9, 1640, 8],
    [520, 16, 12],
  ],
})) {
  const { dy, ...inputs } = tensors(rows, inner, out)
  const wanted = once(() => {
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
    return { y, dx, dw, db }
  })
  onEveryIsa(test, `[${rows},${inner}] x [${out},${inner}]: y and its gradients`, async (device) => {
    const got = await runOp(
      device,
      inputs,
      ({ x, weight, bias }, c) => c.apply(linear, [x, weight, bias], {}),
      [dy],
    )
    const { y, dx, dw, db } = wanted()
    allclose(got.outputs[0], y, { rtol: 1e-5, atol: 3e-6, name: 'y' })
    allclose(got.gradients.x, dx, { rtol: 1e-4, atol: 1e-6, name: 'dx' })
    allclose(got.gradients.weight, dw, { rtol: 1e-4, atol: 1e-6, name: 'dweight' })
    allclose(got.gradients.bias, db, { rtol: 1e-4, atol: 1e-6, name: 'dbias' })
  })
}

const dense = (
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  inner: number,
  out: number,
) =>
  Float64Array.from({ length: rows * out }, (_, at) => {
    const [n, o] = [Math.floor(at / out), at % out]
    let s = b[o]
    for (let i = 0; i < inner; i++) s += x[n * inner + i] * w[o * inner + i]
    return s
  })

/** By the power series, which has nine digits and more for |x| below 4. */
function erf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; n < 80; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const gelu = (form: GeluForm, z: Float64Array) =>
  z.map((v) =>
    form === 'erf'
      ? (v / 2) * (1 + erf(v / Math.SQRT2))
      : (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  )

// What x already has of gradient is added by the product itself, and a GELU in front of it is differentiated there; the
// test asks for the program, since the results would be the same without.
const kernelsOf = (capture: Capture): string[] => {
  const program = compile({ op: capture.graph }).get('op')!.program
  return [...calls(program)].map((call) => call.kernel.name)
}

for (const [rows, inner, out] of ofEachKind({
  'around tiles': [
    [9, 49, 47],
    [1, 1, 1],
  ],
  'around blocks': [
    [130, 5, 17],
    [130, 50, 385],
    [7, 800, 17],
  ],
}))
  onEveryIsa(test, `[${rows},${inner}] x [${out},${inner}]: dx is added to what x has`, async (device) => {
    const { dy, ...inputs } = tensors(rows, inner, out)
    const also = normals(5, rows, inner).data as Float32Array
    let capture: Capture | undefined
    const got = await runOp(
      device,
      inputs,
      ({ x, weight, bias }, c) => {
        capture = c
        // x itself is a parameter, whose gradient is gathered elsewhere
        const [inside] = c.apply(scale, [x], { by: 1, scalar: '' })
        return [
          ...c.apply(linear, [inside, weight, bias], {}),
          ...c.apply(scale, [inside], { by: 2, scalar: '' }),
        ]
      },
      [dy, also],
    )
    const w = inputs.weight.data
    const dx = Float64Array.from(also, (v) => 2 * v)
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < out; o++)
        for (let i = 0; i < inner; i++) dx[n * inner + i] += dy[n * out + o] * w[o * inner + i]
    allclose(got.gradients.x, dx, { rtol: 1e-4, atol: 3e-6, name: 'dx' })
    assert.ok(kernelsOf(capture!).includes('linear_backward_input_joined'))
  })

for (const form of ['tanh', 'erf'] as const)
  checkOp(test, `dx of what a GELU (${form}) gave, which nobody else uses`, {
    inputs: {
      x: normals(1, 21, 19),
      weight: uniforms(2, -0.3, 0.3, 37, 19),
      bias: normals(3, 37),
      after: normals(4, 11, 37),
      shift: normals(5, 11),
    },
    build: ({ x, weight, bias, after, shift }, c) => {
      const [y] = c.apply(linearGelu, [x, weight, bias], { form })
      return c.apply(linear, [y, after, shift], {})
    },
    oracle: ({ x, weight, bias, after, shift }) => {
      const y = gelu(form, dense(x, weight, bias, 21, 19, 37))
      return [dense(y, after, shift, 21, 37, 11)]
    },
  })

test('a GELU whose result has other uses is differentiated by itself', () => {
  const labels = (more: boolean) => {
    const set = new ParameterSet()
    const p = (name: string, ...shape: number[]) => set.add(name, shape, { init: zeros })
    const [w, b, v, a] = [p('w', 7, 5), p('b', 7), p('v', 3, 7), p('a', 3)]
    const capture = new Capture(set)
    const of = (parameter: typeof w) => capture.parameter(parameter)
    const [y] = capture.apply(linearGelu, [capture.input('x', [4, 5]), of(w), of(b)], {})
    const [z] = capture.apply(linear, [y, of(v), of(a)], {})
    const sum = (t: Tensor) => mean(reshape(t, [t.shape.reduce<number>((n, d) => n * (d as number), 1)]), 0)
    const loss = more ? add(sum(z), sum(y)) : sum(z)
    capture.backward(reshape(loss, []))
    return kernelsOf(capture)
  }
  assert.ok(labels(false).includes('linear_backward_input_joined'))
  assert.not.ok(labels(false).includes('linear_gelu_backward_activation'))
  assert.ok(labels(true).includes('linear_gelu_backward_activation'))
})

test(`the same bits ${onThreads}`, () => {
  const { dy, ...inputs } = isFew ? tensors(140, 60, 50) : tensors(300, 500, 400)
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
