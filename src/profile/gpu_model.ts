/**
 * A model of the time that kernels take on NVIDIA GPUs, for where none is at hand: figures of the cards, how many blocks a
 * multiprocessor holds, and formulae from operations and bytes to seconds. What it gives are predictions and must be called so.
 *
 * Sources. A100, H100, H200: NVIDIA's architecture whitepapers and data sheets (SXM, dense rates). RTX 4090: the Ada whitepaper,
 * appendix A. Limits of multiprocessors: CUDA C++ programming guide, "Compute Capabilities", and cuda_occupancy.h. Bandwidth of
 * L2: chipsandcheese.com, "Nvidia's H100: Funny L2, and Tons of Bandwidth" and "Microbenchmarking Nvidia's RTX 4090", scaled to
 * multiprocessors and clock. "measured": read on such a card through PyTorch 2.11, a device copy and a bf16 product of
 * 8192 x 8192 x 8192. Published: attention at S = 512, D = 64 on an H100 (Shah et al. 2024): forward FlashAttention-2 282, -3 333,
 * cuDNN 335 TFLOP/s, backward 198, 272, 266; forward and backward of -2 on an A100 132; hand-written wgmma products (763 TFLOP/s
 * at 4096^3), mma.sync on an H100 (63 to 65% of its peak). "assumed": nobody measured it here.
 */
export const CARDS = ['a100', 'h100', 'h200', 'rtx4090'] as const
export type Card = (typeof CARDS)[number]

export interface Chip {
  readonly name: string
  /** Compute capability x 10. */
  readonly capability: number
  readonly multiprocessors: number
  /** GHz under load. */
  readonly clock: number
  /** Operations of a clock in one multiprocessor, two for a multiply-add: of tensor cores on bf16 with f32 sums, and of f32. */
  readonly tensorFlops: number
  readonly vectorFlops: number
  /** Integer operations and elementary functions (exp2, reciprocal) of a clock in one multiprocessor. */
  readonly integers: number
  readonly specials: number
  /** Bytes of a clock that one multiprocessor reads of its shared memory, and of L2. */
  readonly sharedBandwidth: number
  readonly l2PerMultiprocessor: number
  /** 10^9 bytes a second: the data sheet's, and what a copy reaches (read and written). */
  readonly memory: number
  readonly copy: number
  /** 10^9 bytes a second that L2 serves in all. */
  readonly l2: number
  readonly l2Bytes: number
  readonly memoryBytes: number
  /** Share of the data sheet's bf16 rate that the best known product keeps up, for power and clocks. */
  readonly sustained: number
  /** Products of a whole warp group that read shared memory (wgmma), fed by the copy engine (TMA). */
  readonly wgmma: boolean
  readonly limits: Limits
}

/** What a multiprocessor holds at a time. */
export interface Limits {
  readonly warps: number
  readonly blocks: number
  readonly registers: number
  /** Bytes of all blocks together, and of one block. */
  readonly shared: number
  readonly sharedBlock: number
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const hopper = {
  capability: 90,
  multiprocessors: 132,
  clock: 1.83,
  tensorFlops: 4096,
  vectorFlops: 256,
  integers: 64,
  specials: 16,
  sharedBandwidth: 128,
  l2PerMultiprocessor: 64,
  l2: 7500, // assumed: products by pairs of blocks at 763 TFLOP/s take 6,000
  wgmma: true,
  limits: { warps: 64, blocks: 32, registers: 65536, shared: 228 * KIB, sharedBlock: 227 * KIB },
} as const

export const CHIPS: Readonly<Record<Card, Chip>> = {
  a100: {
    name: 'A100 SXM 80 GB',
    capability: 80,
    multiprocessors: 108,
    clock: 1.41,
    tensorFlops: 2048,
    vectorFlops: 128,
    integers: 64,
    specials: 16,
    sharedBandwidth: 128,
    l2PerMultiprocessor: 64,
    memory: 2039,
    copy: 1820, // assumed: an H100's share of its data sheet
    l2: 4800,
    l2Bytes: 40 * MIB,
    memoryBytes: 80 * GIB,
    sustained: 0.87, // assumed: 270 TFLOP/s
    wgmma: false,
    limits: { warps: 64, blocks: 32, registers: 65536, shared: 164 * KIB, sharedBlock: 163 * KIB },
  },
  h100: {
    ...hopper,
    name: 'H100 SXM 80 GB',
    memory: 3352,
    copy: 3000, // measured
    l2Bytes: 50 * MIB,
    memoryBytes: 80 * GIB,
    sustained: 798 / 989, // measured
  },
  h200: {
    ...hopper,
    name: 'H200 SXM 141 GB',
    memory: 4800,
    copy: 4300, // measured
    l2Bytes: 60 * MIB,
    memoryBytes: 141e9,
    sustained: 784 / 989, // measured, 770 to 798
  },
  rtx4090: {
    name: 'GeForce RTX 4090',
    capability: 89,
    multiprocessors: 128,
    clock: 2.52,
    tensorFlops: 512,
    vectorFlops: 256,
    integers: 64,
    specials: 16,
    sharedBandwidth: 128,
    l2PerMultiprocessor: 64,
    memory: 1008,
    copy: 900, // assumed
    l2: 5000,
    l2Bytes: 72 * MIB,
    memoryBytes: 24 * GIB,
    sustained: 0.95, // assumed
    wgmma: false,
    limits: { warps: 48, blocks: 24, registers: 65536, shared: 100 * KIB, sharedBlock: 99 * KIB },
  },
}

/** Limits by target of the compiler. */
export const TARGET_LIMITS: Readonly<Record<'80' | '90a', Limits>> = {
  '80': CHIPS.a100.limits,
  '90a': CHIPS.h100.limits,
}

export interface BlockResources {
  readonly threads: number
  /** Of a thread. */
  readonly registers: number
  /** Bytes of the block. */
  readonly shared: number
}

export interface Occupancy {
  /** Of a multiprocessor. */
  readonly blocks: number
  /** Of the warps that a multiprocessor holds, in [0, 1]. */
  readonly share: number
  /** What keeps a further block out. */
  readonly limit: 'warps' | 'blocks' | 'registers' | 'shared'
}

const WARP = 32
/** Registers are handed out to a warp in steps of 256, to warps of one of four parts; shared memory in steps of 128 bytes. */
const REGISTER_STEP = 256
const PARTS = 4
const SHARED_STEP = 128
/** Shared memory of each block that the system takes, from compute capability 8.0 on. */
const SHARED_SYSTEM = KIB

/**
 * How many blocks of a kernel a multiprocessor holds, by the rules of cuda_occupancy.h for compute capability 8.0 to 9.0.
 * No block fits (`blocks` 0) where one alone wants more than there is.
 */
export function occupancyOf({ threads, registers, shared }: BlockResources, limits: Limits): Occupancy {
  const warps = Math.ceil(threads / WARP)
  const perWarp = Math.ceil((registers * WARP) / REGISTER_STEP) * REGISTER_STEP
  const warpsOfPart = perWarp === 0 ? Infinity : Math.floor(limits.registers / PARTS / perWarp)
  // the hardware looks whether a block fits as if its warps were dealt out evenly
  const tooMany = perWarp * Math.ceil(warps / PARTS) * PARTS > limits.registers
  const sharedBlock = Math.ceil((shared + SHARED_SYSTEM) / SHARED_STEP) * SHARED_STEP
  const most = {
    warps: Math.floor(limits.warps / warps),
    blocks: limits.blocks,
    registers: tooMany ? 0 : perWarp === 0 ? Infinity : Math.floor((warpsOfPart * PARTS) / warps),
    shared: shared > limits.sharedBlock ? 0 : Math.floor(limits.shared / sharedBlock),
  }
  const limit = (Object.keys(most) as Occupancy['limit'][]).reduce((a, b) => (most[b] < most[a] ? b : a))
  return { blocks: most[limit], share: (most[limit] * warps) / limits.warps, limit }
}

// ---------------------------------------------------------------- from operations and bytes to seconds

/** What one block, or a whole kernel, asks of the parts of a chip. */
export interface Load {
  /** Operations of tensor cores, of f32 units, of integer units, elementary functions. */
  readonly tensor?: number
  readonly vector?: number
  readonly integers?: number
  readonly specials?: number
  /** Bytes of shared memory read and written, and of L2 read. */
  readonly shared?: number
  readonly l2?: number
}

export type Part = keyof Load | 'memory' | 'latency'

/** Seconds of each part that had work, as if it were alone. */
export type Parts = Readonly<Partial<Record<Part, number>>>

/** A kernel that follows another within a graph begins so much later (assumed: 1 us), and no kernel is shorter than RAMP. */
export const LAUNCH_GAP = 1e-6
/** From the first block's start to the first bytes from memory, and from the last bytes to the end (assumed). */
export const RAMP = 1.5e-6
/** A block's first tile on its way through L2, and its last results. */
export const FILL = 0.6e-6
/** Share of a copy's bandwidth that kernels reach which also reduce rows or draw masks (assumed). */
export const STREAMING = 0.92
/** Share of the f32 peak that products by multiply-adds reach (assumed; what is left feeds them). */
export const FMA_PRODUCTS = 0.75

/** Share of the data sheet's bf16 rate at which instructions of a kind are issued at best. */
export function issueRate(chip: Chip, wgmma: boolean): number {
  if (!chip.wgmma) return 0.93 * chip.sustained // assumed
  return wgmma ? chip.sustained : 0.64
}

/** Seconds that one multiprocessor needs for each part of a load. `issue`: of tensor cores, in [0, 1]. */
export function partsOf(chip: Chip, load: Load, issue: number): Parts {
  const rates: Record<keyof Load, number> = {
    tensor: chip.tensorFlops * issue,
    vector: chip.vectorFlops,
    integers: chip.integers,
    specials: chip.specials,
    shared: chip.sharedBandwidth,
    l2: Math.min(chip.l2PerMultiprocessor, chip.l2 / chip.multiprocessors / chip.clock),
  }
  const known = (Object.keys(load) as (keyof Load)[]).filter((part) => (load[part] ?? 0) > 0)
  return Object.fromEntries(known.map((part) => [part, load[part]! / rates[part] / (chip.clock * 1e9)]))
}

/**
 * Time of parts that work at the same time: that of the slowest, and more where others are nearly as slow, because nothing
 * overlaps wholly (the norm of order eight, assumed: two equal parts take 1.09 times as long as one).
 */
export function overlapped(parts: Parts): number {
  const times = Object.values(parts)
  const most = Math.max(0, ...times)
  return most === 0 ? 0 : most * times.reduce((n, t) => n + (t / most) ** 8, 0) ** (1 / 8)
}

/** Time of parts of which each waits for the one before. */
export function inTurn(parts: Parts): number {
  return Object.values(parts).reduce((a, b) => a + b, 0)
}

/** The part that takes longest. */
export function slowest(parts: Parts): Part {
  const found = Object.entries(parts) as [Part, number][]
  return found.reduce((a, b) => (b[1] > a[1] ? b : a), ['latency', 0] as [Part, number])[0]
}

/**
 * When the last of `units` ends, handed out in order to whichever slot is free first. Equal units in n slots take
 * ceil(units / n) turns: what the last, partly filled one wastes is the quantisation of waves.
 */
export function makespan(units: readonly number[], slots: number): number {
  if (units.length <= slots) return Math.max(0, ...units)
  const [first] = units
  if (units.every((unit) => unit === first)) return Math.ceil(units.length / slots) * first
  const heap = Float64Array.from(units.slice(0, slots)).sort()
  for (const unit of units.slice(slots)) {
    // the earliest slot takes the unit and sinks to its place
    heap[0] += unit
    let at = 0
    for (let child = 1; child < slots; child = 2 * at + 1) {
      if (child + 1 < slots && heap[child + 1] < heap[child]) child++
      if (heap[at] <= heap[child]) break
      const held = heap[at]
      heap[at] = heap[child]
      heap[child] = held
      at = child
    }
  }
  return heap.reduce((a, b) => Math.max(a, b), 0)
}

/** Seconds that bytes take from and to device memory, `share` of a copy's speed. */
export function memorySeconds(chip: Chip, bytes: number, share = 1): number {
  return bytes / (chip.copy * share * 1e9)
}

/** The least that anybody could take: operations at the best known rate, bytes at a copy's. */
export function floorSeconds(chip: Chip, work: { bf16: number; f32: number; bytes: number }): number {
  const perSecond = chip.multiprocessors * chip.clock * 1e9
  const compute =
    work.bf16 / (chip.tensorFlops * chip.sustained * perSecond) + work.f32 / (chip.vectorFlops * perSecond)
  return Math.max(compute, memorySeconds(chip, work.bytes))
}
