/** The roofline as it is drawn, and the places of its numbers. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Box, overlap, placeLabels } from '../../src/profile/labels.js'
import type { KernelRow } from '../../src/profile/profile.js'
import { rooflineSvg } from '../../src/profile/roofline.js'
import { checkPicture } from '../support/picture.js'

const test = suite('roofline')

const peaks = { gflops: 40, bf16: 80, int8: 160, gigabytes: 8 }

function row(name: string, share: number, more: Partial<KernelRow> = {}): KernelRow {
  return {
    name,
    share,
    calls: 1,
    ms: share / 10,
    flops: 1e9,
    bytes: 1e8,
    gflops: 20,
    gbps: 2,
    intensity: 10,
    roof: 'compute',
    percentOfPeak: 50,
    ...more,
  }
}

const idle = { flops: 0, gflops: 0, intensity: 0, roof: 'memory' } as const

test('a dot, a number and a line of the table for each kernel of at least 1%', async () => {
  const kernels = [
    row('product', 60),
    row('sum', 30, { gflops: 4, intensity: 1, roof: 'memory' }),
    row('rare', 0.5),
  ]
  const svg = await rooflineSvg([...kernels, row('move', 9.5, idle)], peaks, 'a <step> & more', 'Some CPU')
  checkPicture(svg)
  assert.match(svg, '<title>a &#60;step&#62; &#38; more</title>')
  assert.match(svg, '>f32: 40 GFLOP/s<')
  assert.match(svg, '>memory: 8.0 GB/s<')
  assert.is(svg.match(/aria-roledescription="circle"/g)?.length, 3)
  for (const text of [
    '1',
    '2',
    'product',
    'sum',
    'move',
    '60.0%',
    '50% of f32',
    '50% of memory',
    'no operations',
  ])
    assert.match(svg, `>${text}<`)
  assert.match(svg, '>1 others, small dots or none<')
  assert.not.match(svg, '>3<')
  assert.not.match(svg, '>rare<')
})

test('a roof of compute for each distinct peak that the kernels use', async () => {
  const draw = async (...products: KernelRow['products'][]) => {
    const svg = await rooflineSvg(
      products.map((one) => row(one ?? 'f32', 30, { products: one })),
      peaks,
      'roofs',
    )
    return [...svg.matchAll(/>([a-z0-9 ]+): (\d+) GFLOP\/s</g)].map(([, name, gflops]) => `${name} ${gflops}`)
  }
  assert.equal(await draw(undefined), ['f32 40'])
  assert.equal(await draw('bf16', undefined), ['f32 40', 'bf16 80'])
  assert.equal(await draw('int8'), ['int8 160'])
  const one = { ...peaks, bf16: 40 }
  const svg = await rooflineSvg([row('a', 50), row('b', 50, { products: 'bf16' })], one, 'one')
  assert.match(svg, '>bf16 and f32: 40 GFLOP/s<')
})

test('the names of roofs that lie close together do not cover each other', async () => {
  const near = { ...peaks, bf16: 44 }
  const svg = await rooflineSvg([row('a', 50), row('b', 50, { products: 'bf16' })], near, 'near')
  const at = (name: string) =>
    Number(svg.match(new RegExp(`translate\\([\\d.]+,([\\d.]+)\\)"[^>]*>${name}: \\d+ GFLOP`))?.[1])
  assert.ok(at('f32') - at('bf16') > 12, `${at('f32')} and ${at('bf16')}`)
})

test('the slope of memory meets the roof at the ridge; dots lie where logarithms put them', async () => {
  const kernels = [
    row('a', 40, { gflops: 40, intensity: 5 }),
    row('b', 30, { gflops: 4, intensity: 50 }),
    row('c', 30, { gflops: 0.4, intensity: 0.5 }),
  ]
  const svg = await rooflineSvg(kernels, peaks, 'places')
  const [slope, roof] = [...svg.matchAll(/aria-roledescription="line mark" d="M([^"]+)"/g)].map(([, d]) =>
    d.split('L').map((point) => point.split(',').map(Number)),
  )
  assert.equal(slope.at(-1), roof[0])
  assert.is(roof[0][1], roof[1][1])
  assert.ok(slope[0][0] < slope[1][0] && slope[0][1] > slope[1][1], 'up to the right')
  const [a, b, c] = [
    ...svg.matchAll(/aria-roledescription="circle"[^>]*transform="translate\(([\d.]+),([\d.]+)\)"/g),
  ].map((m) => [Number(m[1]), Number(m[2])])
  // the ridge of 40 / 8
  assert.ok(Math.abs(a[0] - roof[0][0]) < 0.1 && Math.abs(a[1] - roof[0][1]) < 0.1)
  // factors of ten: b to the right of a and as far below it as half the way to c
  assert.ok(Math.abs(b[0] - a[0] - (a[0] - c[0])) < 0.1)
  assert.ok(Math.abs(c[1] - b[1] - (b[1] - a[1])) < 0.1)
})

test('the same profile gives the same bytes; one without operations is drawn too', async () => {
  const kernels = [row('product', 60), row('sum', 40, { gflops: 4, intensity: 1 })]
  assert.is(await rooflineSvg(kernels, peaks, 'twice'), await rooflineSvg(kernels, peaks, 'twice'))
  checkPicture(await rooflineSvg([row('move', 100, idle)], peaks, 'nothing'))
  checkPicture(await rooflineSvg([], peaks, 'empty'))
})

test('labels cover no dot and no other label, in crowds too', () => {
  const frame = { width: 600, height: 440 }
  const size = { width: 15, height: 12 }
  const taken: Box[] = [{ x: 300, y: 200, width: 120, height: 12 }]
  for (const spread of [0, 10, 60, 300]) {
    const dots = Array.from({ length: 20 }, (_, i) => ({
      x: 300 + spread * Math.sin(12.9 * i),
      y: 220 + 0.7 * spread * Math.cos(78.2 * i),
      radius: 3 + (i % 7),
    }))
    const labels = placeLabels(dots, 14, size, frame, taken)
    assert.is(labels.length, 14)
    const solid = [
      ...taken,
      ...dots.map(({ x, y, radius }) => ({ x, y, width: 2 * radius, height: 2 * radius })),
    ]
    labels.forEach((label, i) => {
      for (const other of [...solid, ...labels.slice(0, i)])
        assert.not(overlap(label, other), `${i} at ${spread}`)
      assert.ok(label.x > 0 && label.x < frame.width && label.y > 0 && label.y < frame.height)
    })
  }
})

test.run()
