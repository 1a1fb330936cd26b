/**
 * How the kernels of kernels/cuda cut their work, and from that what one execution of each takes on a chip. What is common to
 * all kernels and cards stands in gpu_model.ts; here are tiles, counts of instructions and of launches.
 */
import {
  type Chip,
  FILL,
  FMA_PRODUCTS,
  inTurn,
  issueRate,
  LAUNCH_GAP,
  type Load,
  makespan,
  memorySeconds,
  overlapped,
  type Part,
  type Parts,
  partsOf,
  RAMP,
  STREAMING,
  slowest,
} from './gpu_model.js'

/** Bytes of an execution: from and to device memory, and all that pass L2. */
export interface Traffic {
  readonly memory: number
  readonly l2: number
}

export interface Estimate {
  readonly seconds: number
  readonly launches: number
  /** The part of the chip that takes longest. */
  readonly bound: Part
  /** Blocks of the largest launch, where that is modelled, and turns that they take. */
  readonly blocks?: number
  readonly turns?: number
}

// ---------------------------------------------------------------- products

/** A block's part of a product [m, n], and how it is fed. Sizes are those of kernels/cuda/product_*.cuh, which a test compares. */
export interface Tile {
  readonly m: number
  readonly n: number
  /** Depth of a step. */
  readonly k: number
  /** Multiply-adds of a clock, of a whole cluster, by which `planProduct` chooses. */
  readonly rate: number
  /** Part of the tile of one warp (mma.sync, multiply-adds), or of a warpgroup (wgmma). */
  readonly warpM: number
  readonly warpN: number
  /** Blocks of a multiprocessor, or warpgroups that take turns: what one waits for at its ends is hidden by the others. */
  readonly beside: number
  /** Blocks side by side along m that bring B for each other (clusters). */
  readonly cluster: number
  /** How many blocks' reads of the same bytes L2 serves as one, where no cluster does (assumed). */
  readonly merged: number
}

const hopper = { m: 128, k: 64, warpM: 64, beside: 2 }
export const HOPPER_TILES: readonly Tile[] = [
  { ...hopper, n: 256, rate: 3200, warpN: 256, cluster: 2, merged: 1 },
  { ...hopper, n: 192, rate: 2900, warpN: 192, cluster: 2, merged: 1 },
  { ...hopper, n: 128, rate: 1200, warpN: 128, cluster: 1, merged: 1.3 },
]
const warps = { cluster: 1, merged: 1.3 }
export const MMA_TILES: readonly Tile[] = [
  { ...warps, m: 128, n: 256, k: 32, rate: 900, warpM: 64, warpN: 64, beside: 1 },
  { ...warps, m: 128, n: 128, k: 32, rate: 850, warpM: 64, warpN: 64, beside: 2 },
  { ...warps, m: 64, n: 64, k: 64, rate: 500, warpM: 32, warpN: 32, beside: 3 },
]
export const FMA_TILES: readonly Tile[] = [
  { ...warps, m: 128, n: 128, k: 8, rate: 112, warpM: 64, warpN: 32, beside: 2 },
  { ...warps, m: 64, n: 64, k: 16, rate: 70, warpM: 32, warpN: 16, beside: 3 },
  { ...warps, m: 64, n: 16, k: 16, rate: 40, warpM: 32, warpN: 8, beside: 3 },
]

export interface ProductShape {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly bf16: boolean
  /** A gradient of weights: its depth is the rows of the batch, which on Hopper all clusters share out evenly. */
  readonly even?: boolean
}

export interface ProductPlan {
  readonly tile: Tile
  /** Stretches of the depth, whose sums are added up by a launch behind. */
  readonly splits: number
  readonly clocks: number
}

/** What `plan_product` and `clocks_of_even` count: clocks of a tile beside its depth, of a launch, bytes of a clock through L2. */
const PLAN = { once: 64, launch: 4000, bytesOfClock: 16, mostScratch: 64 * 2 ** 20, mostSplits: 32 } as const

/**
 * `plan_product` of kernels/cuda/product_split.cuh: how the kernels themselves choose tile and splits; a cluster counts as one
 * multiprocessor and splits nothing (`plan_hopper`).
 */
export function planProduct(
  { multiprocessors }: Pick<Chip, 'multiprocessors'>,
  tiles: readonly Tile[],
  { m, n, k }: ProductShape,
): ProductPlan {
  let best: ProductPlan | undefined
  for (const tile of tiles) {
    const { rows, slots, count, steps } = cutInto(tile, multiprocessors, { m, n, k })
    for (let splits = 1; splits <= (tile.cluster > 1 ? 1 : PLAN.mostSplits); splits++) {
      if (splits > 1 && (splits * 4 > steps || splits * 4 * m * n > PLAN.mostScratch)) break
      const turns = Math.ceil((count * splits) / slots)
      const depth = Math.ceil(steps / splits) * tile.k
      let clocks = (turns * rows * tile.n * (depth + PLAN.once)) / tile.rate
      if (splits > 1) clocks += PLAN.launch + ((8 * splits + 8) * m * n) / (PLAN.bytesOfClock * slots)
      if (!best || clocks < best.clocks) best = { tile, splits, clocks }
    }
  }
  return best!
}

/** `plan_hopper<true>`: tiles that do not fill a turn are shared out by their depth. */
function planEven({ multiprocessors }: Chip, tiles: readonly Tile[], shape: ProductShape): ProductPlan {
  const plans = tiles
    .filter((tile) => tile.cluster === 1 || tile.n === 256)
    .map((tile): ProductPlan => {
      const { rows, slots, count, steps } = cutInto(tile, multiprocessors, shape)
      const each = (rows * tile.n) / tile.rate
      const { whole, shared, parts } = evenCut(count, slots, steps)
      let clocks = whole * each * (steps * tile.k + PLAN.once)
      if (shared > 0) clocks += each * (shared * tile.k + PLAN.once)
      if (parts > 0)
        clocks += PLAN.launch + (8 * parts * rows * tile.n) / (PLAN.bytesOfClock * multiprocessors)
      return { tile, splits: 1, clocks }
    })
  return plans.reduce((a, b) => (b.clocks < a.clocks ? b : a))
}

function cutInto(tile: Tile, multiprocessors: number, { m, n, k }: Pick<ProductShape, 'm' | 'n' | 'k'>) {
  const rows = tile.m * tile.cluster
  return {
    rows,
    slots: Math.floor(multiprocessors / tile.cluster),
    count: Math.ceil(m / rows) * Math.ceil(n / tile.n),
    steps: Math.ceil(k / tile.k),
  }
}

/** Whole tiles of each cluster, steps of its share of the rest, and about how many parts wait to be added (hopper_units.cuh). */
function evenCut(count: number, slots: number, steps: number) {
  const rest = count % slots
  const shared = rest === 0 ? 0 : Math.min(steps, Math.max(4, Math.ceil((steps * rest) / slots)))
  return { whole: (count - rest) / slots, shared, parts: shared > 0 && shared < steps ? slots + rest : 0 }
}

/** The path that kernels/cuda/product.cuh takes. */
function pathOf(chip: Chip, shape: ProductShape): ProductPlan & { wgmma: boolean } {
  if (!shape.bf16) return { ...planProduct(chip, FMA_TILES, shape), wgmma: false }
  const mma = { ...planProduct(chip, MMA_TILES, shape), wgmma: false }
  if (!chip.wgmma) return mma
  const plan = shape.even ? planEven : planProduct
  const wgmma = { ...plan(chip, HOPPER_TILES, shape), wgmma: true }
  return mma.clocks < wgmma.clocks ? mma : wgmma
}

/** Seconds of each part for one block's tile of a depth. */
function tileParts(chip: Chip, tile: Tile, depth: number, bf16: boolean, wgmma: boolean): Parts {
  const operations = 2 * tile.m * tile.n * depth
  const size = bf16 ? 2 : 4
  // wgmma reads A once and B for every warpgroup, warps read both for each part of theirs; then the ring is filled
  const area = tile.m * tile.n
  const reads = (wgmma ? tile.m : area / tile.warpN) + area / tile.warpM
  const load: Load = {
    [bf16 ? 'tensor' : 'vector']: bf16 ? operations : operations / FMA_PRODUCTS,
    shared: size * depth * (reads + tile.m + tile.n),
    l2: (size * depth * (tile.m + tile.n / tile.cluster)) / tile.merged,
  }
  return partsOf(chip, load, issueRate(chip, wgmma))
}

/** A product with its epilogue. */
export function productEstimate(chip: Chip, shape: ProductShape, traffic: Traffic): Estimate {
  const { m, n, bf16 } = shape
  const { tile, splits, wgmma } = pathOf(chip, shape)
  const { rows, slots, count, steps } = cutInto(tile, chip.multiprocessors, shape)
  const unit = (depth: number) => tileParts(chip, tile, depth, bf16, wgmma)
  const seconds = (depth: number) => overlapped(unit(depth)) + FILL / tile.beside
  const depth = Math.ceil(steps / splits) * tile.k
  const even = shape.even && wgmma ? evenCut(count, slots, steps) : undefined
  const arithmetic = even
    ? even.whole * seconds(depth) + (even.shared > 0 ? seconds(even.shared * tile.k) : 0)
    : // a cluster takes its tiles together
      makespan(new Array<number>(count * splits).fill(seconds(depth)), slots)
  // parts are written, read, and their sum is written
  const partBytes = even ? 8 * even.parts * rows * tile.n : splits > 1 ? (8 * splits + 8) * m * n : 0
  const memory = memorySeconds(chip, traffic.memory)
  return {
    seconds:
      overlapped({ tensor: arithmetic, memory }) +
      (partBytes > 0 ? partBytes / (chip.l2 * 1e9) + RAMP + LAUNCH_GAP : 0) +
      RAMP,
    launches: even || splits > 1 ? 2 : 1,
    bound: memory > arithmetic ? 'memory' : slowest(unit(depth)),
    blocks: count * splits * tile.cluster,
    turns: Math.ceil((count * splits) / slots),
  }
}

// ---------------------------------------------------------------- attention

/** Rows of a tile of queries, and of a task or block; columns of a step, forward and backward (kernels/cuda/attention_*.cuh). */
export const ATTENTION = {
  hopper: { tile: 64, task: 256, keys: 64 },
  mma: { tile: 128, task: 128, keys: 64 },
  backward: { queries: 64, keys: 128, shortKeys: 64 },
  /** Keys of a turn lie in shared memory; with more, dQ waits in L2. */
  hopperBackward: { tile: 64, turn: 256 },
} as const
/** F32 operations for a score beside products: scaling, maximum, difference, sum, rounding; backward also dP - D, times P. */
const SCORE_OPERATIONS = { forward: 6, backward: 8 } as const
/**
 * Bytes of shared memory for a score, backward, as the kernels count them: 46 KB for 160 products of 4,096 operations
 * (attention_mma_backward.cuh); 124 bytes in each of 640 cycles for a tile of 64 x 64 (attention_hopper_backward.cuh).
 */
const BACKWARD_SHARED = { mma: (46 * 1024 * 640) / (160 * 4096), hopper: (124 * 640) / 64 ** 2 } as const
/**
 * Integer operations for a random word: four words take ten rounds of Philox of two long products, which count twice, and two
 * exclusive ors, whose unit works beside that of the products; then a comparison and a choice (assumed).
 */
const WORD_OPERATIONS = 12
/**
 * Share of the rate that products, exponentials and masks in turn would give: what FlashAttention reaches (sources in
 * gpu_model.ts). Forward -3 333 of 335 TFLOP/s; backward with wgmma -3 272 of 485, with mma.sync -2 198 of 312 on an H100, and
 * on a chip that is made for mma.sync about 125 of 160.
 */
const ATTENTION_SHARE = { forward: 1, wgmma: 0.56, guest: 0.63, native: 0.78 } as const

export interface AttentionShape {
  readonly lengths: readonly number[]
  readonly heads: number
  readonly headSize: number
  readonly causal: boolean
  readonly dropout: boolean
  readonly bf16: boolean
}

const upTo = (n: number, step: number) => Math.ceil(n / step) * step

/**
 * Forward, a task is some queries of one head, backward a whole head of a sequence. Products, softmax and masks wait for each
 * other; what warps hide of each other is in ATTENTION_SHARE.
 */
export function attentionEstimate(
  chip: Chip,
  shape: AttentionShape,
  backward: boolean,
  traffic: Traffic,
): Estimate {
  const wgmma = chip.wgmma && shape.bf16 && shape.headSize === 64
  const form = wgmma ? ATTENTION.hopper : ATTENTION.mma
  const isShort = shape.lengths.reduce((a, b) => a + b, 0) / 64 <= shape.lengths.length
  const turn = wgmma
    ? ATTENTION.hopperBackward.turn
    : isShort
      ? ATTENTION.backward.shortKeys
      : ATTENTION.backward.keys
  const keys = backward && !wgmma ? turn : form.keys
  const rows = wgmma || backward ? ATTENTION.hopper.tile : form.task / 2
  const bytesOfScore = wgmma ? BACKWARD_SHARED.hopper : BACKWARD_SHARED.mma
  const backwardShare = wgmma ? 'wgmma' : chip.wgmma ? 'guest' : 'native'
  const share = ATTENTION_SHARE[backward ? backwardShare : 'forward']
  let worst: Parts = {}
  const seconds = (queries: number, columns: number): number => {
    const scores = upTo(queries, rows) * upTo(columns, keys) * (shape.causal ? 0.5 : 1)
    const operations = (backward ? 10 : 4) * scores * shape.headSize
    const side = scores * (backward ? SCORE_OPERATIONS.backward : SCORE_OPERATIONS.forward)
    // sums of dQ wait in L2 from one turn of keys to the next
    const waits = backward ? 8 * queries * shape.headSize * (Math.ceil(columns / turn) - 1) : 0
    const parts = partsOf(
      chip,
      {
        ...(shape.bf16 ? { tensor: operations } : {}),
        vector: side + (shape.bf16 ? 0 : operations / FMA_PRODUCTS),
        specials: scores,
        integers: shape.dropout ? WORD_OPERATIONS * scores : 0,
        shared: backward && shape.bf16 ? (bytesOfScore * scores * shape.headSize) / 64 : 0,
        l2: waits,
      },
      issueRate(chip, wgmma),
    )
    worst = parts
    const { tensor = 0, shared = 0, l2 = 0, ...others } = parts
    return (overlapped({ tensor, shared, l2 }) + inTurn(others)) / share + FILL / 2
  }
  const units: number[] = []
  for (const length of shape.lengths) {
    const tasks = backward ? [length] : pieces(length, form.task)
    for (let a = 0; a < shape.heads; a++) for (const queries of tasks) units.push(seconds(queries, length))
  }
  const arithmetic = makespan(units, chip.multiprocessors)
  const memory = memorySeconds(chip, traffic.memory)
  return {
    seconds: overlapped({ tensor: arithmetic, memory }) + RAMP,
    launches: 1,
    bound: memory > arithmetic ? 'memory' : slowest(worst),
    blocks: units.length,
    turns: Math.ceil(units.length / chip.multiprocessors),
  }
}

/** A length in pieces of `size` and what is left. */
function pieces(length: number, size: number): number[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => Math.min(size, length - i * size))
}

// ---------------------------------------------------------------- the vocabulary, and what only streams

/** Products of f32 in three parts of bf16 (parts.cuh): six products for each; and what a logit costs in memory, backward. */
export const VOCABULARY_PRODUCTS = 6
const LOGIT_BYTES = 18
/** Words whose logits exist at a time, backward, about: what the memory of `partial` holds at a width of 128. */
const GROUP = 2728

/**
 * Projection onto the vocabulary with its loss (linear_cross_entropy.cu). `operations`: of the products in f32; the logits of a
 * group of words are written once and read twice backward.
 */
export function vocabularyEstimate(
  chip: Chip,
  {
    operations,
    rows,
    words,
    backward,
  }: { operations: number; rows: number; words: number; backward: boolean },
  traffic: Traffic,
): Estimate {
  const each = 1 / chip.multiprocessors
  const logits = rows * words
  const load = {
    tensor: VOCABULARY_PRODUCTS * operations * each,
    specials: logits * each,
    vector: 4 * logits * each,
  }
  const memory = memorySeconds(chip, traffic.memory + (backward ? LOGIT_BYTES * logits : 0), STREAMING)
  const parts = { ...partsOf(chip, load, issueRate(chip, false)), memory }
  const launches = backward ? 2 + 3 * Math.ceil(words / GROUP) : 4
  return {
    seconds: overlapped(parts) + launches * RAMP + (launches - 1) * LAUNCH_GAP,
    launches,
    bound: slowest(parts),
  }
}

/** A kernel that reads and writes and does little beside: `flops` f32 operations, `words` random words. */
export function streamEstimate(
  chip: Chip,
  { flops, words, launches }: { flops: number; words: number; launches: number },
  traffic: Traffic,
): Estimate {
  const each = 1 / chip.multiprocessors
  const load = { vector: flops * each, integers: WORD_OPERATIONS * words * each, l2: traffic.l2 * each }
  const parts = { ...partsOf(chip, load, 1), memory: memorySeconds(chip, traffic.memory, STREAMING) }
  const work = overlapped(parts)
  return {
    seconds: work + launches * RAMP + (launches - 1) * LAUNCH_GAP,
    launches,
    bound: work < launches * RAMP ? 'latency' : slowest(parts),
  }
}

/** Launches of kernels that have more than one, by what their names begin with; the first that fits counts. */
export const LAUNCHES: readonly (readonly [prefix: string, launches: number])[] = [
  ['dropout_add_layernorm_backward', 2],
  ['layernorm_backward', 2],
  ['embedding_backward', 3],
  ['global_norm', 2],
  ['lamb', 3],
]

export function launchesOf(kernel: string): number {
  return LAUNCHES.find(([prefix]) => kernel.startsWith(prefix))?.[1] ?? 1
}
