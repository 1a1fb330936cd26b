/** The mathematics of profiles on made-up timelines: the table, the summary, the trace. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TimelineEvent } from '../../src/device/device.js'
import { kernel } from '../../src/device/kernel.js'
import type { Call, Program } from '../../src/device/program.js'
import { roofAt, summarize } from '../../src/profile/profile.js'
import { buildTrace } from '../../src/profile/trace.js'

const test = suite('profile')

const call = (name: string, place: string, flops: number, bytes: number, modelFlops = 0): Call => ({
  kind: 'call',
  kernel: kernel(name, {}, {}),
  refs: [],
  params: [],
  label: `${name} ${place}`,
  // twice the work for twice the rows
  work: ({ rows }) => ({ flops: flops * rows, bytes: bytes * rows, modelFlops: modelFlops * rows }),
})

/** product once, then three times product and copy. */
const program: Program = {
  name: 'step',
  arenas: [],
  scalars: [],
  steps: [
    call('product', 'in', 1000, 10, 1000),
    {
      kind: 'repeat',
      count: 3,
      reverse: true,
      body: [call('product', 'layer', 500, 100, 400), call('copy', 'layer', 0, 300)],
    },
  ],
}

/** Nanoseconds: 100 for the first product, then 50 and 150 in each iteration, 10 between calls. */
function timeline(slower = 1): TimelineEvent[] {
  const events: TimelineEvent[] = []
  let at = 0
  const add = (index: number, iteration: number, duration: number) => {
    events.push({ call: index, iteration, start: at, duration: duration * slower })
    at += duration * slower + 10
  }
  add(0, 0, 100)
  for (const i of [2, 1, 0]) {
    add(1, i, 50)
    add(2, i, 150)
  }
  return events
}

const peaks = { gflops: 40, bf16: 80, int8: 160, gigabytes: 8 }
const input = {
  program,
  sizes: { rows: 2 },
  steps: [
    { ms: 0.001, events: timeline() },
    { ms: 0.003, events: timeline(3) },
  ],
  tokens: 20,
  peaks,
  by: 'kernel',
} as const

const near = (found: number | undefined, want: number) =>
  assert.ok(Math.abs((found ?? Number.NaN) - want) <= 1e-9 * Math.abs(want), `${found} (want ${want})`)

test('a row for each kernel: calls, time and share of a step on average', () => {
  const { kernels } = summarize(input)
  assert.equal(
    kernels.map(({ name, calls }) => [name, calls]),
    [
      ['copy', 3],
      ['product', 4],
    ],
  )
  const [copy, product] = kernels
  // 450 and 1350 ns; 250 and 750 ns
  near(copy.ms, 900e-6)
  near(product.ms, 500e-6)
  near(copy.share + product.share, 100)
  near(copy.share, (100 * 900) / 1400)
})

test('operations and bytes follow the sizes of the run; the roof that binds is named', () => {
  const [copy, product] = summarize(input).kernels
  // 2 (1000 + 3 500) operations and 2 (10 + 3 100) bytes in 500 ns
  assert.is(product.flops, 5000)
  assert.is(product.bytes, 620)
  near(product.gflops, 10)
  near(product.gbps, 1.24)
  near(product.intensity, 5000 / 620)
  // 8 operations a byte at 8 GB/s are more than 40 GFLOP/s
  assert.is(product.roof, 'compute')
  near(product.percentOfPeak, 25)
  // 1800 bytes in 900 ns
  assert.is(copy.gflops, 0)
  near(copy.gbps, 2)
  assert.is(copy.roof, 'memory')
  near(copy.percentOfPeak, 25)
})

test('a step: tokens a second, operations, MFU without what is no operation of the model, time outside kernels', () => {
  const p = summarize(input)
  assert.is(p.steps, 2)
  near(p.ms, 0.002)
  near(p.kernelMs, 0.0014)
  near(p.outsideMs, 0.0006)
  near(p.tokensPerSecond, 20 / 2e-6)
  assert.is(p.flops, 5000)
  assert.is(p.modelFlops, 2 * (1000 + 3 * 400))
  assert.is(p.bytes, 620 + 1800)
  near(p.gflops, 2.5)
  near(p.mfu, 4400 / 2000 / 40)
})

test('a row for each label tells where a kernel was called', () => {
  const { kernels } = summarize({ ...input, by: 'label' })
  assert.equal(
    kernels.map(({ name, calls }) => [name, calls]),
    [
      ['copy layer', 3],
      ['product layer', 3],
      ['product in', 1],
    ],
  )
})

test('without peaks there are speeds, but no share of a peak', () => {
  const { mfu, kernels } = summarize({ ...input, peaks: undefined })
  assert.is(mfu, undefined)
  near(kernels[1].gflops, 10)
  assert.is(kernels[1].percentOfPeak, undefined)
  assert.is(kernels[1].roof, undefined)
})

test('a program that does not tell its work has times', () => {
  const steps = [{ kind: 'call', kernel: kernel('k', {}, {}), refs: [], params: [], label: 'k' }] as const
  const { kernels, mfu } = summarize({
    ...input,
    program: { ...program, steps },
    steps: [{ ms: 1, events: [{ call: 0, iteration: 0, start: 0, duration: 5e5 }] }],
  })
  near(kernels[0].ms, 0.5)
  assert.is(kernels[0].percentOfPeak, undefined)
  assert.is(kernels[0].intensity, undefined)
  assert.is(mfu, 0)
  assert.throws(() => summarize({ ...input, steps: [] }), /at least one step/)
})

test('the roof is the slope of memory up to the ridge and flat behind it', () => {
  assert.equal(roofAt(peaks, 1), { roof: 'memory', gflops: 8 })
  assert.equal(roofAt(peaks, 5), { roof: 'compute', gflops: 40 })
  assert.equal(roofAt(peaks, 50), { roof: 'compute', gflops: 40 })
})

test('the trace has a track of steps and one of kernels inside them, in microseconds', () => {
  const steps = [
    { start: 10, running: 10.5, end: 12, events: timeline() },
    { start: 20, running: 20.25, end: 22, events: timeline(3) },
  ]
  const trace = JSON.parse(JSON.stringify(buildTrace(program, { rows: 2 }, steps, { isa: 'none' })))
  const of = (cat: string) => trace.traceEvents.filter((e: { cat?: string }) => e.cat === cat)
  const wholes = of('step').filter((e: { name: string }) => e.name.startsWith('step'))
  assert.equal(
    wholes.map((e: { ts: number; dur: number; ph: string }) => [e.ph, e.ts, e.dur]),
    [
      ['X', 0, 2000],
      ['X', 10000, 2000],
    ],
  )
  const kernels = of('kernel')
  assert.is(kernels.length, 14)
  const [first, second] = kernels
  near(first.ts, 500)
  near(first.dur, 0.1)
  assert.equal(first.args, {
    label: 'product in',
    iteration: 0,
    flops: 2000,
    bytes: 20,
    gflops: 20,
    gbps: 0.2,
    step: 0,
  })
  near(second.ts, 500.11)
  assert.is(second.args.iteration, 2)
  near(kernels[7].ts, 10250)
  assert.equal(
    trace.traceEvents
      .filter((e: { name: string }) => e.name === 'thread_name')
      .map((e: { args: { name: string } }) => e.args.name),
    ['steps', 'kernels'],
  )
  assert.equal(trace.otherData, { isa: 'none' })
})

test('products of 8-bit integers are held against their own peak, by kernels and by the step', () => {
  const [first, loop] = program.steps
  const int8 = {
    ...first,
    kernel: { ...(first as Call).kernel, name: 'product_int8', products: 'int8' },
  } as Call
  const p = summarize({ ...input, program: { ...program, steps: [int8, loop] } })
  const row = p.kernels.find(({ name }) => name === 'product_int8')!
  // 2000 operations in 200 ns of 160 a nanosecond; memory allows 8 x 20 bytes in a nanosecond, which takes 2.5 ns
  near(row.percentOfPeak, (100 * 2000) / 160 / 200)
  assert.is(row.products, 'int8')
  // 2000 operations of integers, 3 x 800 of floats, in 2000 ns
  near(p.mfu, (2000 / 160 + 2400 / 40) / 2000)
})

test.run()
