/** dropout_add_layernorm against float64 loops, with masks from a generator of the test's own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dropoutAddLayernorm } from '../../src/ops/dropout_add_layernorm.js'
import { dynamic } from '../../src/ops/shape.js'
import { allclose } from '../support/allclose.js'
import { ofEachKind } from '../support/cases.js'
import { checkHalf, halfNormals, wide } from '../support/half_case.js'
import { runKernel } from '../support/kernel_case.js'
import { runOp } from '../support/op_case.js'
import { checkOp, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'
import { dropoutFactors, philox } from '../support/philox.js'
import { random } from '../support/random.js'

const test = suite('dropout_add_layernorm')
const scalars = { seed: 1234567890, draw: 77 }

/** y, sum, mean, rstd in float64. */
function oracle(hidden: number, eps: number, p: number, stream: number): Oracle {
  return ({ x, residual, weight, bias }) => {
    const rows = x.length / hidden
    const y = new Float64Array(x.length)
    const sum = new Float64Array(x.length)
    const mean = new Float64Array(rows)
    const rstd = new Float64Array(rows)
    for (let n = 0; n < rows; n++) {
      const factors = dropoutFactors({ ...scalars, p, stream }, n, hidden)
      for (let h = 0; h < hidden; h++) {
        sum[n * hidden + h] = residual[n * hidden + h] + factors[h] * x[n * hidden + h]
        mean[n] += sum[n * hidden + h] / hidden
      }
      let q = 0
      for (let h = 0; h < hidden; h++) q += (sum[n * hidden + h] - mean[n]) ** 2
      rstd[n] = 1 / Math.sqrt(q / hidden + eps)
      for (let h = 0; h < hidden; h++)
        y[n * hidden + h] = (sum[n * hidden + h] - mean[n]) * rstd[n] * weight[h] + bias[h]
    }
    return [y, sum, mean, rstd]
  }
}

test('the generator of the test gives the published values of Philox 4x32-10', () => {
  assert.equal(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
  const ones = 0xffffffff
  assert.equal(
    philox([ones, ones, ones, ones], [ones, ones]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  )
  assert.equal(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  )
})

for (const [rows, hidden, p] of ofEachKind({
  'below and above a vector': [
    [3, 5, 0],
    [1, 2, 0],
  ],
  'whole vectors': [[7, 64, 0.5]],
  tails: [[5, 37, 0.1]],
  'rows of several tasks': [[70, 9, 0.25]],
}))
  checkOp(test, `[${rows},${hidden}], p ${p}: outputs and gradients`, {
    inputs: {
      x: normals(1, rows, hidden),
      residual: normals(2, rows, hidden),
      weight: normals(3, hidden),
      bias: normals(4, hidden),
    },
    build: ({ x, residual, weight, bias }, capture) =>
      capture.apply(dropoutAddLayernorm, [x, residual, weight, bias], { eps: 1e-3, p, stream: 5 }),
    oracle: oracle(hidden, 1e-3, p, 5),
    scalars,
    rtol: 2e-5,
    atol: 5e-6,
    gradientAtol: 2e-5,
  })

onEveryIsa(test, 'the share of dropped elements is p, and streams and draws differ', async (device) => {
  const rows = 40
  const hidden = 250
  const inputs = {
    x: { shape: [rows, hidden], data: new Float32Array(rows * hidden).fill(1) },
    residual: { shape: [rows, hidden], data: new Float32Array(rows * hidden) },
    weight: normals(1, hidden),
    bias: normals(2, hidden),
  }
  const sums = async (stream: number, draw: number) => {
    const attrs = { eps: 1e-5, p: 0.2, stream }
    const { outputs } = await runOp(
      device,
      inputs,
      ({ x, residual, weight, bias }, capture) =>
        capture.apply(dropoutAddLayernorm, [x, residual, weight, bias], attrs),
      [],
      { scalars: { seed: 3, draw } },
    )
    return outputs[1]
  }
  const first = await sums(0, 0)
  const dropped = first.filter((v) => v === 0).length / first.length
  assert.ok(Math.abs(dropped - 0.2) < 0.02, `dropped ${dropped}`)
  assert.ok(first.every((v) => v === 0 || Math.abs(v - 1.25) < 1e-6))
  for (const other of [await sums(1, 0), await sums(0, 1)]) {
    const same = other.filter((v, i) => v === first[i]).length / other.length
    assert.ok(Math.abs(same - 0.68) < 0.03, `${same} of the mask repeats`)
  }
})

onEveryIsa(test, 'forward writes the rows that are there and no more', async (device) => {
  const hidden = 19
  const rows = 18
  const shape = [dynamic('rows', 67), hidden]
  const r = random(7)
  const inputs = {
    x: { shape, data: r.normals(rows * hidden) },
    residual: { shape, data: r.normals(rows * hidden) },
    weight: { shape: [hidden], data: r.normals(hidden) },
    bias: { shape: [hidden], data: r.normals(hidden) },
  }
  const { forward } = dropoutAddLayernorm
  const outputs = { y: { shape }, sum: { shape }, mean: { shape: [shape[0]] }, rstd: { shape: [shape[0]] } }
  const attrs = { eps: 1e-5, p: 0.3, stream: 9 }
  const buffers = { ...inputs, ...outputs }
  const result = await runKernel(device, dropoutAddLayernorm, forward, buffers, attrs, { ...scalars, rows })
  const data = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, t.data]))
  oracle(
    hidden,
    1e-5,
    0.3,
    9,
  )(data).forEach((want, i) => {
    const found = result[dropoutAddLayernorm.outputs[i]]
    allclose(found.subarray(0, want.length), want, { rtol: 2e-5, atol: 2e-6, name: `output ${i}` })
    assert.ok(found.subarray(want.length).every(Number.isNaN), `output ${i} past the end`)
  })
})

onEveryIsa(test, 'backward writes the rows that are there and no more', async (device) => {
  const hidden = 21
  const rows = 66
  const shape = [dynamic('rows', 130), hidden]
  const r = random(11)
  const data = (n: number) => ({ shape: [hidden], data: r.normals(n) })
  const [backward] = dropoutAddLayernorm.backward!
  const buffers = {
    x: { shape },
    residual: { shape },
    dy: { shape, data: r.normals(rows * hidden) },
    sum: { shape, data: r.normals(rows * hidden) },
    weight: data(hidden),
    bias: data(hidden),
    mean: { shape: [shape[0]], data: r.normals(rows, 0.1) },
    rstd: { shape: [shape[0]], data: r.uniforms(rows, 0.5, 2) },
    dx: { shape },
    dresidual: { shape },
    dweight: data(hidden),
    dbias: data(hidden),
  }
  const attrs = { eps: 0, p: 0.3, stream: 2 }
  const result = await runKernel(device, dropoutAddLayernorm, backward, buffers, attrs, { ...scalars, rows })
  for (const name of ['dx', 'dresidual']) {
    const there = result[name].subarray(0, rows * hidden)
    assert.ok(there.every(Number.isFinite))
    assert.ok(result[name].subarray(rows * hidden).every(Number.isNaN), `${name} past the end`)
  }
  // bias: what was there, plus the sum over the rows
  const want = Float64Array.from(buffers.dbias.data)
  for (let i = 0; i < rows * hidden; i++) want[i % hidden] += buffers.dy.data[i]
  allclose(result.dbias, want, { rtol: 1e-5, atol: 2e-5, name: 'dbias' })
  for (let n = 0; n < rows; n++) {
    const factors = dropoutFactors({ ...scalars, p: 0.3, stream: 2 }, n, hidden)
    const row = result.dresidual.subarray(n * hidden, (n + 1) * hidden)
    allclose(
      result.dx.subarray(n * hidden, (n + 1) * hidden),
      row.map((v, h) => v * factors[h]),
      { name: `dx of row ${n}` },
    )
  }
})

for (const [rows, hidden, p] of ofEachKind({
  'below and above a vector': [[3, 5, 0]],
  'tails, rows of several tasks': [[70, 37, 0.1]],
  'whole vectors': [
    [9, 200, 0.5],
    [67, 768, 0.1],
  ],
  'long rows': [
    [2, 1024, 0.1],
    [2, 2056, 0.1],
  ],
}).map(([rows, hidden, p]) => [rows, wide(hidden), p])) {
  const { draw, seed } = scalars
  checkHalf(test, `[${rows},${hidden}], p ${p}`, {
    inputs: {
      x: halfNormals(1, 1, rows, hidden),
      residual: halfNormals(2, 1, rows, hidden),
      weight: normals(3, hidden),
      bias: normals(4, hidden),
    },
    narrow: ['x', 'residual'],
    size: rows * hidden,
    scalars,
    build: ({ x, residual, weight, bias }, capture) =>
      capture.apply(dropoutAddLayernorm, [x, residual, weight, bias], { eps: 1e-3, p, stream: 5 }),
    reference(n, { x, residual, weight, bias }, dy) {
      const [y, sum, dx, dresidual] = [0, 1, 2, 3].map(() => new Float64Array(rows * hidden))
      const [mean, rstd] = [0, 1].map(() => new Float64Array(rows))
      const [dweight, dbias] = [0, 1].map(() => new Float64Array(hidden))
      for (let r = 0; r < rows; r++) {
        const factors = dropoutFactors({ draw, seed, p, stream: 5 }, r, hidden)
        const at = r * hidden
        for (let h = 0; h < hidden; h++) sum[at + h] = n.store(residual[at + h] + factors[h] * x[at + h])
        const row = sum.subarray(at, at + hidden)
        mean[r] = row.reduce((s, v) => n.sum(s + v), 0) / hidden
        rstd[r] = 1 / Math.sqrt(row.reduce((s, v) => n.sum(s + (v - mean[r]) ** 2), 0) / hidden + 1e-3)
        const hat = row.map((v) => (v - mean[r]) * rstd[r])
        const g = hat.map((_, h) => dy[at + h] * weight[h])
        const mg = g.reduce((s, v) => n.sum(s + v), 0) / hidden
        const mgx = g.reduce((s, v, h) => n.sum(s + v * hat[h]), 0) / hidden
        for (let h = 0; h < hidden; h++) {
          y[at + h] = n.store(hat[h] * weight[h] + bias[h])
          dresidual[at + h] = n.store(rstd[r] * (g[h] - mg - hat[h] * mgx))
          dx[at + h] = n.store(factors[h] * dresidual[at + h])
          dweight[h] = n.sum(dweight[h] + dy[at + h] * hat[h])
          dbias[h] = n.sum(dbias[h] + dy[at + h])
        }
      }
      return {
        outputs: [y, sum, mean, rstd],
        gradients: { x: dx, residual: dresidual, weight: dweight, bias: dbias },
      }
    },
  })
}

test('shapes that do not fit are named', async () => {
  await withDevice({ threads: 1 }, async (device) => {
    const inputs = {
      x: normals(1, 2, 3),
      residual: normals(2, 2, 4),
      weight: normals(3, 3),
      bias: normals(4, 3),
    }
    try {
      await runOp(device, inputs, ({ x, residual, weight, bias }, capture) =>
        capture.apply(dropoutAddLayernorm, [x, residual, weight, bias], { eps: 1e-5, p: 0, stream: 0 }),
      )
    } catch (error) {
      assert.match((error as Error).message, /dropout_add_layernorm: x is \[2,3\] f32, residual is \[2,4\]/)
      return
    }
    assert.unreachable()
  })
})

test.run()
