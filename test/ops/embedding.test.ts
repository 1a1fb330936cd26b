/** embedding against float64 loops, with masks from a generator of the test's own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cast } from '../../src/ops/cast.js'
import { embedding } from '../../src/ops/embedding.js'
import { dynamic } from '../../src/ops/shape.js'
import { allclose, sameBits } from '../support/allclose.js'
import { ofEachKind } from '../support/cases.js'
import { BF16_KERNEL, bf16, narrowIsas } from '../support/half_case.js'
import { type KernelBuffer, runKernel } from '../support/kernel_case.js'
import { runOp } from '../support/op_case.js'
import { checkOp, integers, normals, type Oracle, onEveryIsa, withDevice } from '../support/op_check.js'
import { dropoutFactors } from '../support/philox.js'
import { random } from '../support/random.js'

const test = suite('embedding')
const scalars = { seed: 4000000000, draw: 3 }

/** y, mean, rstd in float64. */
function oracle(width: number, eps: number, p: number, stream: number): Oracle {
  return ({ ids, segments, positions, word, segment, position, weight, bias }) => {
    const rows = ids.length
    const y = new Float64Array(rows * width)
    const mean = new Float64Array(rows)
    const rstd = new Float64Array(rows)
    for (let n = 0; n < rows; n++) {
      const factors = dropoutFactors({ ...scalars, p, stream }, n, width)
      const x = Float64Array.from({ length: width }, (_, e) => {
        const w = word[ids[n] * width + e]
        return w + segment[segments[n] * width + e] + position[positions[n] * width + e]
      })
      mean[n] = x.reduce((a, b) => a + b) / width
      rstd[n] = 1 / Math.sqrt(x.reduce((a, b) => a + (b - mean[n]) ** 2, 0) / width + eps)
      for (let e = 0; e < width; e++)
        y[n * width + e] = factors[e] * ((x[e] - mean[n]) * rstd[n] * weight[e] + bias[e])
    }
    return [y, mean, rstd]
  }
}

const tensors = (rows: number, width: number, V: number, T: number, P: number) => ({
  ids: integers(1, 0, V, rows),
  segments: integers(2, 0, T, rows),
  positions: integers(3, 0, P, rows),
  word: normals(4, V, width),
  segment: normals(5, T, width),
  position: normals(6, P, width),
  weight: normals(7, width),
  bias: normals(8, width),
})

for (const [rows, width, V, T, P, p] of ofEachKind({
  'below a vector': [
    [5, 3, 7, 2, 4, 0],
    [1, 2, 1, 1, 1, 0],
  ],
  tails: [[9, 67, 3, 2, 5, 0.1]],
  'whole vectors, rows of several tasks': [[75, 16, 11, 3, 2, 0.5]],
  'many words': [
    [66, 5, 20, 1, 9, 0.25],
    [130, 5, 40, 1, 33, 0.25],
  ],
}))
  checkOp(test, `N ${rows}, E ${width}, tables of ${V}, ${T}, ${P}, p ${p}: outputs and gradients`, {
    inputs: tensors(rows, width, V, T, P),
    build: (t, capture) =>
      capture.apply(
        embedding,
        embedding.inputs.map((name) => t[name]),
        { eps: 1e-3, p, stream: 65535 },
      ),
    oracle: oracle(width, 1e-3, p, 65535),
    scalars,
    rtol: 2e-5,
    atol: 5e-6,
    gradientAtol: 5e-5,
  })

for (const p of [0, 0.25])
  for (const isa of narrowIsas(BF16_KERNEL))
    test(`bf16, p ${p}: y is that of f32 rounded once, gradients are those of f32 (${isa})`, async () => {
      const inputs = tensors(75, 37, 11, 3, 2)
      const dy = random(9)
        .normals(75 * 37)
        .map(bf16)
      const run = (dtype: 'f32' | 'bf16', threads: number) =>
        withDevice({ isa, threads }, (device) =>
          runOp(
            device,
            inputs,
            (t, capture) => {
              const given = embedding.inputs.map((name) => t[name])
              const [y] = capture.apply(embedding, given, { eps: 1e-3, p, stream: 65535, dtype })
              return dtype === 'f32' ? [y] : capture.apply(cast, [y], { to: 'f32' })
            },
            [dy],
            { scalars },
          ),
        )
      const want = await run('f32', 2)
      for (const threads of [1, 2, 3]) {
        const found = await run('bf16', threads)
        sameBits(found.outputs[0], want.outputs[0].map(bf16), { name: 'y' })
        for (const [name, g] of Object.entries(want.gradients))
          sameBits(found.gradients[name], g, { name: `d${name}` })
      }
    })

onEveryIsa(test, 'an id outside its table counts as the nearest one inside', async (device) => {
  const inputs = tensors(4, 6, 5, 2, 3)
  const attrs = { eps: 1e-5, p: 0, stream: 0 }
  const dy = random(1).normals(24)
  const run = async (ids: number[], segments: number[], positions: number[]) => {
    const named = { ids, segments, positions }
    for (const [name, values] of Object.entries(named))
      Object.assign(inputs, { [name]: { shape: [4], data: Int32Array.from(values) } })
    return runOp(
      device,
      inputs,
      (t, capture) =>
        capture.apply(
          embedding,
          embedding.inputs.map((name) => t[name]),
          attrs,
        ),
      [dy],
      { scalars },
    )
  }
  const outside = await run([-1, 5, 1 << 30, -(2 ** 31)], [0, 2, 1, -5], [3, 1000000, 1, -1])
  const inside = await run([0, 4, 4, 0], [0, 1, 1, 0], [2, 2, 1, 0])
  allclose(outside.outputs[0], inside.outputs[0], { rtol: 0, atol: 0 })
  for (const name of ['word', 'segment', 'position'])
    allclose(outside.gradients[name], inside.gradients[name], { rtol: 0, atol: 0, name: `d${name}` })
})

onEveryIsa(test, 'a word in nearly every row and words in few: the sums of their rows', async (device) => {
  const [rows, width, eps] = [1500, 4, 1e-3]
  const inputs = tensors(rows, width, 600, 2, 512)
  const often = (inputs.ids.data as Int32Array).map((id, n) => (n % 5 === 0 ? id : 77))
  inputs.ids = { shape: [rows], data: often }
  const dy = random(2).normals(rows * width)
  const { gradients } = await runOp(
    device,
    inputs,
    (t, capture) =>
      capture.apply(
        embedding,
        embedding.inputs.map((name) => t[name]),
        { eps, p: 0, stream: 0 },
      ),
    [dy],
    { scalars },
  )
  const { ids, segments, positions, word, segment, position, weight } = inputs
  const tables = [
    { name: 'word', ids, values: word.data },
    { name: 'segment', ids: segments, values: segment.data },
    { name: 'position', ids: positions, values: position.data },
  ].map((table) => ({ ...table, want: new Float64Array(table.values.length) }))
  for (let n = 0; n < rows; n++) {
    const x = new Float64Array(width)
    for (const { ids, values } of tables)
      for (let e = 0; e < width; e++) x[e] += values[ids.data[n] * width + e]
    const mean = x.reduce((a, b) => a + b) / width
    const rstd = 1 / Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / width + eps)
    const hat = x.map((v) => (v - mean) * rstd)
    const g = hat.map((_, e) => dy[n * width + e] * weight.data[e])
    const mg = g.reduce((a, b) => a + b) / width
    const mgx = g.reduce((a, b, e) => a + b * hat[e], 0) / width
    for (const { ids, want } of tables)
      for (let e = 0; e < width; e++) want[ids.data[n] * width + e] += rstd * (g[e] - mg - hat[e] * mgx)
  }
  for (const { name, want } of tables)
    allclose(gradients[name], want, { rtol: 1e-4, atol: 1e-4, name: `d${name}` })
})

onEveryIsa(test, 'only the rows that are there are written and counted', async (device) => {
  const width = 21
  const rows = 66
  const capacity = dynamic('rows', 200)
  const r = random(12)
  const [V, T, P] = [50, 2, 70]
  const table = (n: number) => ({ shape: [n, width], data: r.normals(n * width) })
  const line = () => ({ shape: [width], data: r.normals(width) })
  const index = (high: number) => ({ shape: [capacity], data: r.integers(rows, 0, high) })
  const inputs = {
    ids: index(V),
    segments: index(T),
    positions: index(P),
    word: table(V),
    segment: table(T),
    position: table(P),
    weight: line(),
    bias: line(),
  }
  const buffers: Record<string, KernelBuffer> = {
    ...inputs,
    y: { shape: [capacity, width] },
    mean: { shape: [capacity] },
    rstd: { shape: [capacity] },
  }
  const attrs = { eps: 1e-5, p: 0.2, stream: 4 }
  const forward = await runKernel(device, embedding, embedding.forward, buffers, attrs, { ...scalars, rows })
  const data = Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, t.data]))
  oracle(
    width,
    1e-5,
    0.2,
    4,
  )(data).forEach((want, i) => {
    const found = forward[embedding.outputs[i]]
    allclose(found.subarray(0, want.length), want, { rtol: 2e-5, atol: 5e-6, name: `output ${i}` })
    assert.ok(found.subarray(want.length).every(Number.isNaN), `output ${i} past the end`)
  })

  const gradients = {
    dword: table(V),
    dsegment: table(T),
    dposition: table(P),
    dweight: line(),
    dbias: line(),
  }
  const dy = { shape: [capacity, width], data: r.normals(rows * width) }
  const statistics = {
    mean: { shape: [capacity], data: forward.mean.slice(0, rows) },
    rstd: { shape: [capacity], data: forward.rstd.slice(0, rows) },
  }
  const result = await runKernel(
    device,
    embedding,
    embedding.backward![0],
    { ...buffers, ...gradients, ...statistics, dy },
    attrs,
    { ...scalars, rows },
  )
  for (const name of Object.keys(gradients)) assert.ok(result[name].every(Number.isFinite), name)
  // every table gains the same total: the sum over the rows
  const gained = (name: keyof typeof gradients) => {
    const total = new Float64Array(width)
    result[name].forEach((v, i) => {
      total[i % width] += v - gradients[name].data[i]
    })
    return total
  }
  allclose(gained('dsegment'), gained('dword'), { rtol: 1e-4, atol: 1e-4 })
  allclose(gained('dposition'), gained('dword'), { rtol: 1e-4, atol: 1e-4 })
  const dbias = Float64Array.from(gradients.dbias.data)
  for (let n = 0; n < rows; n++) {
    const factors = dropoutFactors({ ...scalars, p: 0.2, stream: 4 }, n, width)
    for (let e = 0; e < width; e++) dbias[e] += factors[e] * dy.data[n * width + e]
  }
  allclose(result.dbias, dbias, { rtol: 1e-5, atol: 2e-5, name: 'dbias' })
  assert.ok(result.dsum.subarray(rows * width).every(Number.isNaN), 'dsum past the end')
})

test.run()
