/**
 * How the kernels of kernels/cuda cut their work, and from that what one execution of each takes on a chip. What is common to
 * all kernels and cards stands in gpu_model.ts; here are tiles, counts of instructions and of launches.
 */
import {
  type Chip,
  FILL,
  FMA_PRODUCTS,
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

/** A block's part of a product [m, n], and how it is fed. */
export interface Tile {
  readonly m: number
  readonly n: number
  /** Depth of a step. */
  readonly k: number
  /** Part of the tile of one warp (mma.sync), or of one warp group (wgmma, whose A is read once and B by every group). */
  readonly warpM: number
  readonly warpN: number
  /** Blocks of a multiprocessor that work side by side: what one waits for is hidden by the others. */
  readonly beside: number
  /** Blocks that read the same operand at the same time, so that L2 serves them together. */
  readonly merged: number
}

export const WGMMA_TILES: readonly Tile[] = [
  { m: 128, n: 256, k: 64, warpM: 64, warpN: 256, beside: 2, merged: 1.6 },
  { m: 128, n: 128, k: 64, warpM: 64, warpN: 128, beside: 2, merged: 1.6 },
]
export const MMA_TILES: readonly Tile[] = [
  { m: 128, n: 128, k: 32, warpM: 64, warpN: 64, beside: 2, merged: 1.3 },
  { m: 64, n: 64, k: 32, warpM: 32, warpN: 32, beside: 4, merged: 1.3 },
]
export const FMA_TILES: readonly Tile[] = [
  { m: 128, n: 128, k: 8, warpM: 64, warpN: 32, beside: 2, merged: 1.3 },
  { m: 64, n: 64, k: 16, warpM: 32, warpN: 16, beside: 3, merged: 1.3 },
]
/** Most stretches into which the depth of a product is cut where there are too few tiles. */
const MOST_SPLITS = 32
/** A stretch is at least that deep. */
const LEAST_DEPTH = 256

export interface ProductShape {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly bf16: boolean
}

/** A product with its epilogue, in the tile and the number of stretches that suit it best. */
export function productEstimate(chip: Chip, shape: ProductShape, traffic: Traffic): Estimate {
  const tiles = !shape.bf16 ? FMA_TILES : chip.wgmma ? WGMMA_TILES : MMA_TILES
  let best: Estimate | undefined
  for (const tile of tiles) {
    const across = Math.ceil(shape.m / tile.m) * Math.ceil(shape.n / tile.n)
    const slots = chip.multiprocessors * tile.beside
    for (let splits = 1; splits <= MOST_SPLITS; splits++) {
      if (splits > 1 && (across * (splits - 1) >= slots || shape.k / splits < LEAST_DEPTH)) break
      const found = tiledProduct(chip, shape, traffic, tile, across, splits)
      if (!best || found.seconds < best.seconds) best = found
    }
  }
  return best!
}

function tiledProduct(
  chip: Chip,
  { m, n, k, bf16 }: ProductShape,
  traffic: Traffic,
  tile: Tile,
  across: number,
  splits: number,
): Estimate {
  const depth = Math.ceil(k / splits / tile.k) * tile.k
  const operations = 2 * tile.m * tile.n * depth
  const size = bf16 ? 2 : 4
  const load: Load = {
    [bf16 ? 'tensor' : 'vector']: bf16 ? operations : operations / FMA_PRODUCTS,
    shared: size * depth * (tile.m * tile.n * (1 / tile.warpM + 1 / tile.warpN) + tile.m + tile.n),
    l2: (size * depth * (tile.m + tile.n)) / tile.merged,
  }
  const parts = partsOf(chip, load, issueRate(chip, chip.wgmma && bf16))
  const unit = overlapped(parts) + FILL / tile.beside
  const blocks = across * splits
  const arithmetic = makespan(new Array<number>(blocks).fill(unit), chip.multiprocessors)
  const memory = memorySeconds(chip, traffic.memory)
  // parts of split sums go through L2, and the launch that adds them up comes behind
  const sums = splits > 1 ? (2 * 4 * m * n * splits) / (chip.l2 * 1e9) + RAMP + LAUNCH_GAP : 0
  return {
    seconds: overlapped({ tensor: arithmetic, memory }) + sums + RAMP,
    launches: splits > 1 ? 2 : 1,
    bound: memory > arithmetic ? 'memory' : slowest(parts),
    blocks,
    turns: Math.ceil(blocks / chip.multiprocessors),
  }
}

// ---------------------------------------------------------------- attention

/** Queries of a block, forward, and keys of a step. */
export const ATTENTION_TILE = { queries: 128, keys: 64 } as const
/** F32 operations for a score beside products: scaling, maximum, difference, sum, rounding; backward also dP - D, times P. */
const SCORE_OPERATIONS = { forward: 6, backward: 8 } as const
/**
 * Integer operations for a random word: four words take ten rounds of Philox of two long products, which count twice, and two
 * exclusive ors, whose unit works beside that of the products; then a comparison and a choice (assumed).
 */
const WORD_OPERATIONS = 12
/**
 * Share of the rate that products, exponentials and masks in turn would give. Forward 1 and backward 0.6 are what
 * FlashAttention reaches (sources in gpu_model.ts): 333 of 335 TFLOP/s, and of -2 about 200 of 330.
 */
const ATTENTION_SHARE = { forward: 1, backward: 0.6 } as const

export interface AttentionShape {
  readonly lengths: readonly number[]
  readonly heads: number
  readonly headSize: number
  readonly causal: boolean
  readonly dropout: boolean
  readonly bf16: boolean
}

/**
 * Forward, a block has some queries of one head; backward, a block has a head of a sequence. Products, softmax and masks of a
 * block wait for each other; what a second block on the multiprocessor hides is in ATTENTION_SHARE.
 */
export function attentionEstimate(
  chip: Chip,
  shape: AttentionShape,
  backward: boolean,
  traffic: Traffic,
): Estimate {
  const { queries, keys } = ATTENTION_TILE
  const share = backward ? ATTENTION_SHARE.backward : ATTENTION_SHARE.forward
  let worst: Parts = {}
  const seconds = (rows: number, columns: number): number => {
    const scores = rows * Math.ceil(columns / keys) * keys * (shape.causal ? 0.5 : 1)
    const operations = (backward ? 10 : 4) * scores * shape.headSize
    const side = scores * (backward ? SCORE_OPERATIONS.backward : SCORE_OPERATIONS.forward)
    const parts = partsOf(
      chip,
      {
        ...(shape.bf16 ? { tensor: operations } : {}),
        vector: side + (shape.bf16 ? 0 : operations / FMA_PRODUCTS),
        specials: scores,
        integers: shape.dropout ? WORD_OPERATIONS * scores : 0,
      },
      issueRate(chip, chip.wgmma),
    )
    worst = parts
    return Object.values(parts).reduce((a, b) => a + b, 0) / share + FILL / 2
  }
  const units: number[] = []
  for (const length of shape.lengths) {
    const tiles = Math.ceil(length / queries)
    const unit = backward ? tiles * seconds(queries, length) : seconds(queries, length)
    for (let i = 0; i < shape.heads * (backward ? 1 : tiles); i++) units.push(unit)
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

// ---------------------------------------------------------------- the vocabulary, and what only streams

/** Products with the vocabulary in f32, by multiply-adds, and an exponential for every logit each time they are computed. */
export function vocabularyEstimate(
  chip: Chip,
  { operations, logits }: { operations: number; logits: number },
  traffic: Traffic,
): Estimate {
  const each = 1 / chip.multiprocessors
  const load = { vector: (operations / FMA_PRODUCTS) * each, specials: logits * each }
  const parts = { ...partsOf(chip, load, 1), memory: memorySeconds(chip, traffic.memory) }
  return { seconds: overlapped(parts) + 2 * RAMP + LAUNCH_GAP, launches: 2, bound: slowest(parts) }
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
