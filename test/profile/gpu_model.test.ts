/** The model of NVIDIA GPUs: formulae against counts by hand, published figures, and what must hold whatever the figures are. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kernel } from '../../src/device/kernel.js'
import type { Call, Program, Ref, Work } from '../../src/device/program.js'
import { compile } from '../../src/graph/runtime.js'
import {
  ATTENTION,
  attentionEstimate,
  FMA_TILES,
  HOPPER_TILES,
  MMA_TILES,
  planProduct,
  productEstimate,
  streamEstimate,
} from '../../src/profile/gpu_kernels.js'
import {
  CARDS,
  CHIPS,
  type Chip,
  FILL,
  floorSeconds,
  LAUNCH_GAP,
  makespan,
  overlapped,
  partsOf,
  RAMP,
  slowest,
} from '../../src/profile/gpu_model.js'
import { ncbiDisease, typicalLengths } from '../../src/profile/ncbi_disease.js'
import { measurements, predictSteps, pretrainingSteps } from '../../src/profile/predicted_steps.js'
import { predict } from '../../src/profile/prediction.js'
import { makeWorkload } from '../../src/profile/workload.js'
import { fail } from '../support/failure.js'
import { root } from '../support/paths.js'
import { random } from '../support/random.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('model of GPUs')
const { h100, a100 } = CHIPS

function near(found: number, want: number, share: number, what = ''): void {
  if (!(Math.abs(found / want - 1) <= share)) fail(`${what}: ${found}, want ${want} within ${100 * share}%`)
}

test('the cards have the peaks of their data sheets', () => {
  const peak = (chip: Chip, of: 'tensorFlops' | 'vectorFlops') =>
    (chip[of] * chip.multiprocessors * chip.clock) / 1e3
  // TFLOP/s, dense
  const sheets = { a100: [312, 19.5], h100: [989, 62], h200: [989, 62], rtx4090: [165.2, 82.6] }
  for (const card of CARDS) {
    near(peak(CHIPS[card], 'tensorFlops'), sheets[card][0], 0.003, card)
    near(peak(CHIPS[card], 'vectorFlops'), sheets[card][1], 0.003, card)
    assert.ok(CHIPS[card].copy < CHIPS[card].memory, card)
  }
  near(peak(h100, 'tensorFlops') * h100.sustained, 798, 0.003)
})

test('parts of a load are divisions', () => {
  // 4096 operations a clock at 1.83 GHz, half of them issued; 256; 64; 16; 128 bytes; 7500 / 132 / 1.83 = 31.0 bytes
  const load = { tensor: 4096e3, vector: 256e3, integers: 64e3, specials: 16e3, shared: 128e3, l2: 1e6 }
  const parts = partsOf(h100, load, 0.5)
  near(parts.tensor!, 2e3 / 1.83e9, 1e-12)
  for (const part of ['vector', 'integers', 'specials', 'shared'] as const)
    near(parts[part]!, 1e3 / 1.83e9, 1e-12)
  near(parts.l2!, 1e6 / (7500e9 / 132), 1e-12)
  assert.is(slowest(parts), 'l2')
  assert.equal(partsOf(h100, { tensor: 0 }, 1), {})
})

test('parts that overlap take as long as the slowest, two that are equal 1.09 times as long', () => {
  assert.is(overlapped({}), 0)
  assert.is(overlapped({ memory: 3 }), 3)
  near(overlapped({ memory: 3, tensor: 3 }), 3 * 2 ** (1 / 8), 1e-12)
  near(overlapped({ memory: 3, tensor: 0.3 }), 3, 1e-4)
})

test('units go to the slot that is free first', () => {
  assert.is(makespan([], 4), 0)
  assert.is(makespan([5], 4), 5)
  // 768 equal units on 132 slots: six turns
  assert.is(makespan(new Array(768).fill(2), 132), 12)
  const draw = random(5)
  for (let round = 0; round < 20; round++) {
    const slots = draw.integer(1, 12)
    const units = Array.from({ length: draw.integer(1, 60) }, () => draw.integer(1, 30))
    const busy = new Array<number>(slots).fill(0)
    for (const unit of units) busy[busy.indexOf(Math.min(...busy))] += unit
    assert.is(makespan(units, slots), Math.max(...busy))
  }
})

test('a product of 8192 x 768 x 3072 is at its floor but for the quantisation of its waves', () => {
  const [m, k, n] = [8192, 768, 3072]
  const bytes = 2 * (m * k + k * n + m * n)
  const work = { bf16: 2 * m * n * k, f32: 0, bytes }
  // 38.65 GFLOP at 798 TFLOP/s
  near(floorSeconds(h100, work), 48.4e-6, 0.005)
  const found = productEstimate(h100, { m, n, k, bf16: true }, { memory: bytes, l2: bytes })
  // 32 x 12 tiles of 256 x 256 on 66 pairs of multiprocessors: 5.8 turns, which are 6
  assert.is(found.blocks, 768)
  assert.is(found.turns, 6)
  const waves = 6 / (384 / 66)
  // what each block waits for at its ends, and the kernel
  const waits = (6 * FILL) / 2 + RAMP
  const most = (floorSeconds(h100, work) * waves + waits) * 1.06
  if (found.seconds < floorSeconds(h100, work) || found.seconds > most)
    fail(`${found.seconds}, want ${floorSeconds(h100, work)} to ${most}`)
})

test('tiles, their plan and tasks are those of the kernels', () => {
  const source = (name: string) => readFileSync(join(root, 'kernels/cuda', name), 'utf8')
  const number = (text: string, pattern: RegExp) => Number(text.match(pattern)?.[1] ?? fail(`no ${pattern}`))
  // of all lists of a file
  const kinds = (text: string) => {
    const lists = [...text.matchAll(/TileKind k\w+\[\] = \{(.*)\};/g)].map(([, list]) => list)
    return [...lists.join().matchAll(/\{([^}]*)\}/g)].map(([, numbers]) => numbers.split(',').map(Number))
  }
  const ours = (tiles: typeof MMA_TILES) =>
    tiles.map(({ m, n, k, rate, cluster }) => [m * cluster, n, k, rate])
  const [hopper, mma, fma, split] = ['hopper', 'mma', 'f32', 'split'].map((n) => source(`product_${n}.cuh`))
  assert.equal(ours(HOPPER_TILES), kinds(hopper))
  assert.equal(ours(MMA_TILES), kinds(mma))
  assert.equal(ours(FMA_TILES), kinds(fma))
  const clusters = [...hopper.matchAll(/HopperTile<(\d+), (\d+)>, kInnerA/g)]
  assert.equal(
    HOPPER_TILES.map(({ n, cluster }) => `${n} ${cluster}`).sort(),
    clusters.map(([, n, blocks]) => `${n} ${blocks}`).sort(),
  )
  const shapes = [...mma.matchAll(/MmaTile<(\d+), (\d+), (\d+), (\d+), (\d+), \d+, (\d+)>;/g)]
  assert.equal(
    MMA_TILES.map((t) => [t.m, t.n, t.k, t.m / t.warpM, t.n / t.warpN, t.beside]),
    shapes.map((found) => found.slice(1).map(Number)),
  )
  for (const constant of [
    'kOnce = 64,',
    'kBytesAClock = 16,',
    'kLaunch = 4000,',
    'kMostScratch = 64 << 20',
    'kMostSplits = 32;',
  ])
    assert.ok(split.includes(constant), `product_split.cuh has not ${constant}`)
  const hopperAttention = readdirSync(join(root, 'kernels/cuda'))
    .filter((file) => file.startsWith('attention_hopper'))
    .map(source)
    .join('\n')
  assert.is(ATTENTION.hopper.task, number(hopperAttention, /kQueriesOfTask = (\d+)/))
  assert.is(ATTENTION.hopper.tile, number(hopperAttention, /kTileRows = (\d+)/))
  assert.is(
    ATTENTION.hopperBackward.turn,
    number(hopperAttention, /kTilesOfKeys = (\d+)/) * ATTENTION.hopper.tile,
  )
  assert.match(source('attention_mma.cuh'), /call\.D <= 64\)\s*record_mma_forward<64, 2>/)
  assert.match(
    source('attention_mma_backward.cuh'),
    /record_mma_backward<64, 64, 4, 64> : record_mma_backward<64, 64, 8, 64>/,
  )
})

test('a gradient of weights is cut along its rows as the kernels do it', () => {
  const shape = { m: 768, n: 768, k: 65_536, bf16: true }
  // 6 x 3 tiles of 128 x 256 on 108 multiprocessors
  const { splits, tile } = planProduct(a100, MMA_TILES, shape)
  assert.ok(splits > 3 && splits <= 32, `${splits} splits of ${tile.m} x ${tile.n}`)
  const whole = planProduct(h100, HOPPER_TILES, { m: 65_536, n: 3072, k: 768, bf16: true })
  assert.equal([whole.splits, whole.tile.n], [1, 256])
  // on Hopper all clusters end together: not much above the floor, where whole tiles would leave most of the chip idle
  const bytes = 2 * 2 * 768 * 65_536
  const floor = floorSeconds(h100, { bf16: 2 * 768 * 768 * 65_536, f32: 0, bytes })
  const seconds = (even: boolean) =>
    productEstimate(h100, { ...shape, even }, { memory: bytes, l2: bytes }).seconds
  assert.ok(seconds(true) < 1.35 * floor, `${seconds(true)}, floor ${floor}`)
  assert.ok(seconds(true) < seconds(false))
})

test('published speeds come out', () => {
  const shape = {
    lengths: new Array<number>(32).fill(512),
    heads: 16,
    headSize: 64,
    causal: false,
    dropout: false,
    bf16: true,
  }
  const pairs = 32 * 16 * 512 * 512
  const none = { memory: 0, l2: 0 }
  const speed = (chip: Chip, backward: boolean) =>
    ((backward ? 10 : 4) * 64 * pairs) / attentionEstimate(chip, shape, backward, none).seconds / 1e12
  const both = (chip: Chip) => 14 / (4 / speed(chip, false) + 10 / speed(chip, true))
  near(speed(h100, false), 333, 0.1, 'FlashAttention-3, forward')
  near(speed(h100, true), 272, 0.1, 'FlashAttention-3, backward')
  near(both(a100), 132, 0.1, 'FlashAttention-2, forward and backward')
  const cube = { m: 4096, n: 4096, k: 4096, bf16: true }
  const bytes = 6 * 4096 ** 2
  near(
    (2 * 4096 ** 3) / productEstimate(h100, cube, { memory: bytes, l2: bytes }).seconds / 1e12,
    740,
    0.06,
    'a product',
  )
})

test('dropout costs attention the drawing of its words', () => {
  const shape = { lengths: [512, 512], heads: 12, headSize: 64, causal: false, bf16: true }
  const none = { memory: 0, l2: 0 }
  const of = (dropout: boolean) => attentionEstimate(h100, { ...shape, dropout }, false, none)
  assert.ok(of(true).seconds > 1.3 * of(false).seconds)
  assert.is(of(true).bound, 'integers')
  // 2 sequences of 2 tasks of 256 queries, 12 heads; then tasks of what is there only
  assert.is(of(false).blocks, 48)
  assert.is(attentionEstimate(h100, { ...shape, lengths: [257, 5], dropout: false }, false, none).blocks, 36)
})

test('a kernel that streams takes as long as its bytes, and no less than its start and end', () => {
  const stream = (bytes: number) =>
    streamEstimate(h100, { flops: 0, words: 0, launches: 1 }, { memory: bytes, l2: 0 })
  near(stream(3e9).seconds, 1e-3 / 0.92 + RAMP, 1e-9)
  assert.is(stream(3e9).bound, 'memory')
  assert.is(stream(100).bound, 'latency')
  near(stream(100).seconds, RAMP, 1e-3)
})

/** y = x over a range, in a program of one arena. */
function copies(ranges: [from: number, to: number, bytes: number][]): Program {
  const copy = kernel('copy_forward', { x: 'read', y: 'write' }, {})
  const ref = (offset: number, bytes: number): Ref => ({
    arena: 0,
    offset,
    bytes,
    stride: 0,
    shift: 0,
    modulo: 1,
  })
  const steps = ranges.map(([from, to, bytes]): Call => {
    const work = (): Work => ({ flops: 0, modelFlops: 0, bytes: 2 * bytes })
    const refs = [ref(from, bytes), ref(to, bytes)]
    return { kind: 'call', kernel: copy, refs, params: [], label: 'copy', work }
  })
  return { name: 'copies', arenas: [{ name: 'a', bytes: 1 << 30 }], scalars: [], steps }
}

test('what L2 holds costs no device memory', () => {
  const MIB = 1 << 20
  const bytes = (program: Program) => predict(program, {}, [], h100).families[0].bytes / MIB
  // both ranges fit: the second copy reads what the first one wrote, and writes where it was
  assert.is(bytes(copies([[0, 100 * MIB, 10 * MIB]])), 20)
  assert.is(
    bytes(
      copies([
        [0, 100 * MIB, 10 * MIB],
        [100 * MIB, 0, 10 * MIB],
      ]),
    ),
    20,
  )
  // of three ranges of 15 MiB the last one pushes out the first
  const far: [number, number, number][] = [
    [0, 100 * MIB, 15 * MIB],
    [200 * MIB, 300 * MIB, 15 * MIB],
    [0, 100 * MIB, 15 * MIB],
  ]
  assert.is(bytes(copies(far)), 90)
  // what is larger than L2 is never there
  assert.is(
    bytes(
      copies([
        [0, 100 * MIB, 60 * MIB],
        [100 * MIB, 0, 60 * MIB],
      ]),
    ),
    240,
  )
})

const step = makeWorkload({
  kind: 'pretrain',
  preset: 'base',
  vocabulary: 30_000,
  rows: 4096,
  length: 512,
  recompute: false,
  precision: 'bf16',
  seed: 1,
})
const { program } = compile({ step: step.graph }).get('step')!
const lengths = new Array<number>(8).fill(512)

test('a step is its kernels and the gaps between them, and nothing is faster than its floor', () => {
  for (const card of CARDS) {
    const p = predict(program, step.sizes, lengths, CHIPS[card])
    near(p.seconds, p.families.reduce((n, f) => n + f.seconds, 0) + p.launches * LAUNCH_GAP, 1e-12)
    assert.ok(p.launches > 300 && p.launches < 500, `${p.launches} launches`)
    for (const { family, ofFloor } of p.families)
      assert.ok(ofFloor > 0 && ofFloor <= 1, `${card} ${family}: ${ofFloor}`)
    const { multiprocessors, clock, tensorFlops } = CHIPS[card]
    near(p.mfu, p.modelFlops / p.seconds / (multiprocessors * clock * 1e9 * tensorFlops), 1e-12)
    assert.ok(p.mfu > 0.1 && p.mfu < 0.8, `${card}: ${p.mfu}`)
  }
})

test('no figure of a card makes a step slower when it grows', () => {
  const seconds = (chip: Chip) => predict(program, step.sizes, lengths, chip).seconds
  const rates = [
    'tensorFlops',
    'vectorFlops',
    'integers',
    'specials',
    'sharedBandwidth',
    'l2PerMultiprocessor',
  ] as const
  for (const card of ['h100', 'a100'] as const) {
    const chip = CHIPS[card]
    const usual = seconds(chip)
    let helped = 0
    for (const figure of [...rates, 'copy', 'l2', 'l2Bytes', 'sustained'] as const) {
      const more = seconds({ ...chip, [figure]: 1.3 * chip[figure] })
      if (more > usual * (1 + 1e-12)) fail(`${card}: more ${figure} makes ${usual} into ${more}`)
      if (more < usual * 0.999) helped++
    }
    assert.ok(helped >= 4, `${helped} figures matter`)
    assert.ok(seconds({ ...chip, copy: chip.copy / 2 }) > 1.05 * usual)
  }
})

test('lengths are those of NCBI-disease', () => {
  for (const count of [31, 32, 100, 1024]) {
    const found = typicalLengths(count)
    near(found.reduce((a, b) => a + b, 0) / count, 37.6, 0.03, `${count}`)
    assert.ok(Math.max(...found) <= 199 && Math.min(...found) >= 3)
  }
  assert.is(
    ncbiDisease.lengths.reduce<number>((a, b) => a + b, 0),
    ncbiDisease.sentences,
  )
})

test('a measurement on such a card stands beside its prediction', () => {
  const folder = join(temporaryFolder(), 'results')
  assert.is(measurements(folder, 'h100').size, 0)
  mkdirSync(folder)
  const race = (name: string, precision: string, seconds: number) => ({
    name,
    precision,
    ours: { name: 'ours', seconds },
    rounds: 3,
  })
  const steps = [{ name: 'base_8x512', families: [{ family: 'optimizer', ms: 0.2 }] }]
  const write = (file: string, card: string | undefined, races: unknown[]) =>
    writeFileSync(join(folder, file), JSON.stringify({ facts: { card }, races, steps }))
  write('pretraining.json', undefined, [race('base_8x512', 'bf16', 9)])
  write('pretraining.h200.json', 'h200', [race('base_8x512', 'bf16', 8)])
  const peer = { name: 'PyTorch', seconds: 0.02 }
  write('pretraining.h100.json', 'h100', [
    race('base_8x512', 'f32', 1),
    { ...race('base_8x512', 'bf16', 0.01), peer },
  ])
  const [plain, dropped] = predictSteps(['h100'], pretrainingSteps(4096, 512), folder).get('h100')!
  const families = new Map([['optimizer', 0.2]])
  assert.equal(plain.measured, { seconds: 0.01, file: 'pretraining.h100.json', peer, families })
  assert.is(dropped.measured, undefined)
  assert.is(dropped.name, 'base_8x512_dropout')
  assert.ok(plain.fits && plain.prediction.seconds < dropped.prediction.seconds)
})

test.run()
