import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type GeluForm, linearGelu } from '../../src/ops/linear_gelu.js'
import { allclose, sameBits } from '../support/allclose.js'
import { onThreads } from '../support/cases.js'
import { rejects } from '../support/failure.js'
import { runOp } from '../support/op_case.js'
import {
  checkOp,
  checkRagged,
  normals,
  type Oracle,
  onEveryIsa,
  sameBitsOnThreads,
  withDevice,
} from '../support/op_check.js'
import { opsGolden } from '../support/ops_golden.js'

const test = suite('linear_gelu')

/** The normal distribution function: its Taylor series near 0, elsewhere the continued fraction of Mills' ratio. */
function normalDistribution(x: number): number {
  const a = Math.abs(x)
  const density = Math.exp((-a * a) / 2) / Math.sqrt(2 * Math.PI)
  if (a < 4) {
    let term = a
    let sum = a
    for (let k = 3; k < 120; k += 2) {
      term *= (a * a) / k
      sum += term
    }
    return 0.5 + Math.sign(x) * density * sum
  }
  let fraction = a
  for (let k = 200; k > 0; k--) fraction = a + k / fraction
  const tail = density / fraction
  return x < 0 ? tail : 1 - tail
}

const gelu: Record<GeluForm, (v: number) => number> = {
  tanh: (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  erf: (v) => v * normalDistribution(v),
}
const forms = Object.keys(gelu) as GeluForm[]

/** y = gelu(z) and z, in float64. */
function oracle(rows: number, inner: number, out: number, form: GeluForm): Oracle {
  return ({ x, weight, bias }) => {
    const z = new Float64Array(rows * out)
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < out; o++) {
        z[n * out + o] = bias[o]
        for (let i = 0; i < inner; i++) z[n * out + o] += x[n * inner + i] * weight[o * inner + i]
      }
    return [z.map(gelu[form]), z]
  }
}

for (const form of forms)
  for (const [rows, inner, out] of [
    [1, 1, 1],
    [3, 5, 7],
    [9, 17, 49],
    [20, 6, 33],
  ])
    checkOp(test, `${form} [${rows},${inner}] x [${out},${inner}]: y, z and the gradients`, {
      inputs: { x: normals(1, rows, inner), weight: normals(2, out, inner), bias: normals(3, out) },
      build: ({ x, weight, bias }, capture) => capture.apply(linearGelu, [x, weight, bias], { form }),
      oracle: oracle(rows, inner, out, form),
      atol: 3e-6,
    })

test('the oracle of the erf form agrees with tables of the normal distribution', () => {
  // Abramowitz and Stegun 26.2, tables 26.1 and 26.2
  const table = {
    0: 0.5,
    1: 0.841344746068543,
    2: 0.97724986805182,
    3: 0.998650101968369,
    5: 0.999999713348428,
  }
  for (const [x, p] of Object.entries(table)) {
    assert.ok(Math.abs(normalDistribution(Number(x)) - p) < 1e-14, x)
    assert.ok(Math.abs(normalDistribution(-Number(x)) - (1 - p)) < 1e-14, x)
  }
})

/** Weights that hand x through: y is gelu of one number a row, dx its derivative. */
for (const form of forms)
  onEveryIsa(test, `${form}: from the far tails to the middle`, async (device) => {
    const points = [
      -1e4,
      -60,
      -14,
      -12,
      ...Array.from({ length: 161 }, (_, i) => (i - 80) / 8),
      12,
      14,
      60,
      1e4,
    ]
    const x = Float32Array.from(points)
    const one = { shape: [1, 1], data: Float32Array.of(1) }
    const bias = { shape: [1], data: Float32Array.of(0) }
    const inputs = { x: { shape: [x.length, 1], data: x }, weight: one, bias }
    const dy = new Float32Array(x.length).fill(1)
    const { outputs, gradients } = await runOp(
      device,
      inputs,
      (t, c) => c.apply(linearGelu, [t.x, t.weight, t.bias], { form }),
      [dy],
    )
    allclose(outputs[0], points.map(gelu[form]), { rtol: 2e-6, atol: 3e-7, name: 'y' })
    const h = 1e-5
    const slopes = points.map((p) => (gelu[form](p + h) - gelu[form](p - h)) / (2 * h))
    allclose(gradients.x, slopes, { rtol: 2e-6, atol: 1e-6, name: 'dx' })
  })

onEveryIsa(test, 'y and gradients of PyTorch', async (device) => {
  const golden = opsGolden('mapping')
  const { outputs, gradients } = await runOp(
    device,
    { x: golden.tensor('x'), weight: golden.tensor('weight'), bias: golden.tensor('bias') },
    ({ x, weight, bias }, capture) => capture.apply(linearGelu, [x, weight, bias], {}),
    [golden.floats('dy')],
  )
  allclose(outputs[0], golden.floats('y'), { atol: 3e-6, name: 'y' })
  for (const key of ['x', 'weight', 'bias'])
    allclose(gradients[key], golden.floats(`d${key}`), { rtol: 1e-4, atol: 1e-5, name: `d${key}` })
})

onEveryIsa(
  test,
  'y has the same bits whether z is saved or not; without it there is no gradient',
  async (device) => {
    const inputs = { x: normals(1, 21, 30), weight: normals(2, 50, 30), bias: normals(3, 50) }
    const run = (save: boolean) =>
      runOp(device, inputs, ({ x, weight, bias }, c) =>
        c.apply(linearGelu, [x, weight, bias], { form: 'erf', save }).slice(0, 1),
      )
    const [saved, unsaved] = [await run(true), await run(false)]
    sameBits(unsaved.outputs[0], saved.outputs[0], { name: 'y' })
    const dy = normals(4, 21, 50).data as Float32Array
    await rejects(
      runOp(
        device,
        inputs,
        ({ x, weight, bias }, c) => c.apply(linearGelu, [x, weight, bias], { save: false }).slice(0, 1),
        [dy],
      ),
      /linear_gelu: no gradient where nothing was saved/,
    )
  },
)

for (const form of forms)
  test(`${form}: the same bits ${onThreads}`, () => {
    const inputs = { x: normals(1, 150, 90), weight: normals(2, 400, 90), bias: normals(3, 400) }
    const dy = normals(4, 150, 400).data as Float32Array
    return sameBitsOnThreads((device) =>
      runOp(device, inputs, ({ x, weight, bias }, c) => c.apply(linearGelu, [x, weight, bias], { form }), [
        dy,
      ]),
    )
  })

test('rows past the run-time size stay as they are', () =>
  withDevice({}, (device) =>
    checkRagged(
      device,
      { x: normals(1, 30, 20) },
      13,
      (t, c) => c.apply(linearGelu, [t.x, t.weight, t.bias], {}),
      { weight: normals(2, 24, 20), bias: normals(3, 24) },
    ),
  ))

test.run()
