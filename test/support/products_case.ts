/** Products on a device against float64 loops: all orders of the operands, in fours and not, edges of tiles, rows that are not there. */
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import { linear } from '../../src/ops/linear.js'
import { linearCrossEntropy } from '../../src/ops/linear_cross_entropy.js'
import { matmul } from '../../src/ops/matmul.js'
import { dynamic } from '../../src/ops/shape.js'
import { allclose } from './allclose.js'
import { f16 } from './half_case.js'
import { runKernel } from './kernel_case.js'
import { runOp } from './op_case.js'
import { integers, normals } from './op_check.js'
import { random } from './random.js'

/** sum over k of left(i, k) right(k, j), plus `start`. */
function product(
  [rows, columns, depth]: readonly number[],
  left: (i: number, k: number) => number,
  right: (k: number, j: number) => number,
  start: (i: number, j: number) => number = () => 0,
): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns]
    let s = start(i, j)
    for (let k = 0; k < depth; k++) s += left(i, k) * right(k, j)
    return s
  })
}

const SIZES: Readonly<Record<'f32' | 'f16', readonly (readonly [number, number, number])[]>> = {
  f32: [
    [70, 36, 68],
    [67, 9, 33],
    [2, 5, 3],
  ],
  f16: [
    [70, 36, 68],
    [130, 72, 132],
    [2, 8, 4],
  ],
}

/** In f16 activations and the weight are rounded, and what is stored of a result, by at most 2^-11 of it. */
export async function dense(device: Device, type: 'f32' | 'f16'): Promise<void> {
  const rows = dynamic('rows', 140)
  const [stored, rtol] = type === 'f16' ? ([{ dtype: type }, 2 ** -11] as const) : ([{}, 1e-5] as const)
  const numbers = (seed: number, ...shape: number[]) => {
    const { data } = normals(seed, ...shape)
    return type === 'f16' ? data.map(f16) : data
  }
  for (const [there, inner, out] of SIZES[type]) {
    const [x, weight, bias, dy] = [
      numbers(1, there, inner),
      numbers(2, out, inner),
      normals(3, out).data,
      numbers(4, there, out),
    ]
    const before = { weight: normals(5, out, inner).data, bias: normals(6, out).data }
    // what is not given starts as NaN, rows past the end of x and dy too
    const buffers = {
      x: { shape: [rows, inner], data: x as Float32Array, ...stored },
      weight: { shape: [out, inner], data: weight as Float32Array, ...stored },
      bias: { shape: [out], data: bias as Float32Array },
      y: { shape: [rows, out], ...stored },
    }
    const run = (kernel: typeof linear.forward, more: object = {}) =>
      runKernel(device, linear, kernel, { ...buffers, ...more }, {}, { rows: there })
    const name = `${type}, [${there},${inner}] x [${out},${inner}]`
    const { y } = await run(linear.forward)
    const wantY = product(
      [there, out, inner],
      (n, i) => x[n * inner + i],
      (i, o) => weight[o * inner + i],
      (_, o) => bias[o],
    )
    allclose(y.subarray(0, there * out), wantY, { atol: 2e-5, rtol, name: `${name}: y` })
    assert.ok(y.subarray(there * out).every(Number.isNaN), `${name}: y past the end`)
    const [toInput, , toWeight] = linear.kernels!
    const given = { dy: { shape: [rows, out], data: dy as Float32Array, ...stored } }
    const { dx } = await run(toInput, { ...given, dx: { shape: [rows, inner], ...stored } })
    const wantX = product(
      [there, inner, out],
      (n, o) => dy[n * out + o],
      (o, i) => weight[o * inner + i],
    )
    allclose(dx.subarray(0, there * inner), wantX, { atol: 2e-5, rtol, name: `${name}: dx` })
    assert.ok(dx.subarray(there * inner).every(Number.isNaN), `${name}: dx past the end`)
    const { dweight, dbias } = await run(toWeight, {
      ...given,
      dweight: { shape: [out, inner], data: before.weight },
      dbias: { shape: [out], data: before.bias },
    })
    const wantW = product(
      [out, inner, there],
      (o, n) => dy[n * out + o],
      (n, i) => x[n * inner + i],
      (o, i) => before.weight[o * inner + i],
    )
    allclose(dweight, wantW, { atol: 3e-5, rtol: 1e-5, name: `${name}: dweight` })
    const wantB = product(
      [1, out, there],
      () => 1,
      (n, o) => dy[n * out + o],
      (_, o) => before.bias[o],
    )
    allclose(dbias, wantB, { atol: 3e-5, rtol: 1e-5, name: `${name}: dbias` })
  }
}

export async function matrices(device: Device): Promise<void> {
  const [batch, m, n, k] = [2, 68, 72, 20]
  for (const transposeA of [false, true])
    for (const transposeB of [false, true]) {
      const a = normals(1, batch, ...(transposeA ? [k, m] : [m, k]))
      const b = normals(2, batch, ...(transposeB ? [n, k] : [k, n]))
      const { outputs } = await runOp(device, { a, b }, (t, capture) =>
        capture.apply(matmul, [t.a, t.b], { transposeA, transposeB }),
      )
      for (let s = 0; s < batch; s++) {
        const want = product(
          [m, n, k],
          (i, l) => a.data[s * m * k + (transposeA ? l * m + i : i * k + l)],
          (l, j) => b.data[s * k * n + (transposeB ? j * k + l : l * n + j)],
        )
        const name = `${transposeA ? 'transposed' : 'plain'} times ${transposeB ? 'transposed' : 'plain'}, ${s}`
        allclose(outputs[0].subarray(s * m * n, (s + 1) * m * n), want, { atol: 2e-5, rtol: 1e-5, name })
      }
    }
}

export async function vocabulary(device: Device, width: number): Promise<void> {
  const [rows, words] = [70, 301]
  const inputs = {
    x: normals(1, rows, width),
    weight: normals(2, words, width),
    bias: normals(3, words),
    labels: integers(4, -1, words, rows),
  }
  // of two equal largest logits the first one counts: words 7 and 280 are alike
  inputs.weight.data.copyWithin(280 * width, 7 * width, 8 * width)
  inputs.bias.data[7] = 40
  inputs.bias.data[280] = 40
  inputs.labels.data.set([7, 280, 8])
  const dloss = random(5).normals(rows)
  const { outputs, gradients } = await runOp(
    device,
    inputs,
    (t, capture) => capture.apply(linearCrossEntropy, [t.x, t.weight, t.bias, t.labels], {}),
    [dloss],
  )
  const [x, weight, bias] = [inputs.x.data, inputs.weight.data, inputs.bias.data]
  const logits = product(
    [rows, words, width],
    (i, e) => x[i * width + e],
    (e, v) => weight[v * width + e],
    (_, v) => bias[v],
  )
  const dlogits = new Float64Array(rows * words)
  for (let r = 0; r < rows; r++) {
    const row = logits.subarray(r * words, (r + 1) * words)
    const most = Math.max(...row)
    const lse = most + Math.log(row.reduce((sum, l) => sum + Math.exp(l - most), 0))
    const label = inputs.labels.data[r]
    const want = [label < 0 ? 0 : lse - row[label], lse, row.indexOf(most) === label ? 1 : 0]
    allclose(
      outputs.map((o) => o[r]),
      want,
      { atol: 1e-5, rtol: 1e-5, name: `row ${r}: loss, lse, correct` },
    )
    for (let v = 0; v < words && label >= 0; v++)
      dlogits[r * words + v] = dloss[r] * (Math.exp(row[v] - lse) - (v === label ? 1 : 0))
  }
  const want = {
    x: product(
      [rows, width, words],
      (r, v) => dlogits[r * words + v],
      (v, e) => weight[v * width + e],
    ),
    weight: product(
      [words, width, rows],
      (v, r) => dlogits[r * words + v],
      (r, e) => x[r * width + e],
    ),
    bias: product(
      [1, words, rows],
      () => 1,
      (r, v) => dlogits[r * words + v],
    ),
  }
  for (const [name, gradient] of Object.entries(want))
    allclose(gradients[name], gradient, { atol: 1e-5, rtol: 1e-4, name: `${width} columns: d${name}` })
}

/** Tests of a variant of products with operands of such types; statistics of logits of so many columns. */
export function productsOnWebgpu(
  test: ReturnType<typeof suite>,
  name: string,
  device: Device,
  types: readonly ('f32' | 'f16')[],
  widths: readonly number[] = [12, 9],
): void {
  for (const type of types)
    test(`${name}: ${type}: y, dx, dweight and dbias of dense layers, of the rows that are there`, () =>
      dense(device, type))
  if (!types.includes('f32')) return
  test(`${name}: matrices in all orders`, () => matrices(device))
  for (const width of widths)
    test(`${name}: statistics of the logits of a vocabulary and their gradients, ${width} columns`, () =>
      vocabulary(device, width))
}
