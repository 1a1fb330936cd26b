import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dropout } from '../../src/ops/dropout.js'
import { f32 } from '../../src/ops/shape.js'
import { allclose, sameBits } from '../support/allclose.js'
import { onThreads } from '../support/cases.js'
import { runOp, type TestTensor } from '../support/op_case.js'
import { checkRagged, normals, onEveryIsa, sameBitsOnThreads, withDevice } from '../support/op_check.js'

const test = suite('dropout')

/** Philox 4x32-10 in 64-bit arithmetic (Salmon et al. 2011). */
function philox(counter: number[], key: number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt)
  let [k0, k1] = key.map(BigInt)
  const mask = 0xffffffffn
  for (let round = 0; round < 10; round++) {
    const a = 0xd2511f53n * c0
    const b = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [(b >> 32n) ^ c1 ^ k0, b & mask, (a >> 32n) ^ c3 ^ k1, a & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return [c0, c1, c2, c3].map(Number)
}

/** 1 / (1 - p) where an element is kept, else 0. */
function factors(count: number, p: number, seed: number, draw: number, stream: number): Float64Array {
  return Float64Array.from({ length: count }, (_, e) => {
    const words = philox([Math.floor(e / 4), 0, stream * 65536, draw], [seed, 0xb10a1be7])
    return words[e % 4] >= Math.floor(p * 2 ** 32) ? 1 / (1 - p) : 0
  })
}

const scalars = { seed: 1234567, draw: 89 }
const run = (x: TestTensor, p: number, stream: number, s: Record<string, number> = scalars) => {
  return (device: Parameters<typeof runOp>[0]) =>
    runOp(
      device,
      { x },
      ({ x }, capture) => capture.apply(dropout, [x], { p, stream }),
      [Float32Array.from({ length: x.data.length }, (_, i) => 1 + (i % 7))],
      { scalars: s },
    )
}

test('the oracle gives the published words', () => {
  // known answers of Random123, philox4x32-10
  const hex = (words: number[]) => words.map((w) => w.toString(16).padStart(8, '0')).join(' ')
  assert.is(hex(philox([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8')
  assert.is(
    hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  )
})

for (const shape of [[1], [3, 5], [6, 67], [4099]])
  onEveryIsa(test, `[${shape}]: the mask of the generator, forward and backward`, async (device) => {
    const x = normals(1, ...shape)
    const { outputs, gradients } = await run(x, 0.3, 5)(device)
    const f = factors(x.data.length, 0.3, scalars.seed, scalars.draw, 5)
    allclose(
      outputs[0],
      f.map((v, i) => v * x.data[i]),
    )
    allclose(
      gradients.x,
      f.map((v, i) => v * (1 + (i % 7))),
    )
  })

onEveryIsa(test, 'p = 0 changes nothing', async (device) => {
  const x = normals(1, 3, 67)
  const { outputs, gradients } = await run(x, 0, 5)(device)
  sameBits(outputs[0], x.data)
  assert.is(gradients.x[3], 4)
})

test('seed, draw and stream each give another mask, and the rate is p', () =>
  withDevice({ threads: 2 }, async (device) => {
    const x = { shape: [20000], data: new Float32Array(20000).fill(1) }
    const masks: Float32Array[] = []
    for (const [stream, s] of [
      [1, { seed: 1, draw: 1 }],
      [2, { seed: 1, draw: 1 }],
      [1, { seed: 2, draw: 1 }],
      [1, { seed: 1, draw: 2 }],
    ] as [number, Record<string, number>][])
      masks.push((await run(x, 0.1, stream, s)(device)).outputs[0])
    for (const m of masks) {
      const rate = m.filter((v) => v === 0).length / m.length
      assert.ok(Math.abs(rate - 0.1) < 0.01, `${rate}`)
    }
    for (let i = 0; i < masks.length; i++)
      for (let j = 0; j < i; j++) {
        const both = masks[i].filter((v, k) => v === 0 && masks[j][k] === 0).length / 20000
        assert.ok(Math.abs(both - 0.01) < 0.003, `${both}`)
      }
  }))

test(`the same bits ${onThreads}`, () => sameBitsOnThreads(run(normals(2, 9001), 0.5, 3)))

test('rows past the run-time size stay as they are', () =>
  withDevice({ threads: 2 }, (device) =>
    checkRagged(
      device,
      { x: normals(7, 67, 19) },
      18,
      ({ x }, capture) => capture.apply(dropout, [x], { p: 0.4, stream: 2 }),
      {},
      scalars,
    ),
  ))

test('a probability outside [0, 1) is refused', () => {
  assert.throws(() => dropout.infer([f32(2)], { p: 1, stream: 0 }), /p = 1 in \[0, 1\)/)
})

test.run()
