/**
 * BioALBERT and BioBERT at the same work: the pretraining step of both on the same synthetic sequences and device.
 * Models of one size take turns, step by step, so that what else the machine does falls on both alike; medians count.
 * Memory and bytes come from the plan, before anything runs.
 */
import type { Instance } from '../../data/instances/stream.js'
import { Philox } from '../../data/random.js'
import type { Device, TimelineEvent } from '../../device/device.js'
import { type Program, SQUARES, totalWork } from '../../device/program.js'
import { UsageError, UserError } from '../../error.js'
import { callCount } from '../../graph/lower.js'
import { compile, type InputData, type MemoryPlan, memoryPlan, Runtime } from '../../graph/runtime.js'
import { preset } from '../../model/config.js'
import { availableMemory } from '../memory.js'
import { corrections, DEFAULT_OPTIMIZER, type OptimizerSettings, optimizerInputs } from '../optimizer.js'
import { Collator } from './batch.js'
import { mlmScale, type PretrainingPrograms, pretrainingPrograms } from './programs.js'
import { USUAL_OPTIMIZER } from './settings.js'

export const BENCH_FAMILIES = ['bioalbert', 'biobert'] as const
export type BenchFamily = (typeof BENCH_FAMILIES)[number]
export const BENCH_SIZES = ['nano', 'mini', 'base', 'large'] as const
export type BenchSize = (typeof BENCH_SIZES)[number]
export type BenchModel = `${BenchFamily}-${BenchSize}`
export const BENCH_MODELS = BENCH_SIZES.flatMap((size) =>
  BENCH_FAMILIES.map((family): BenchModel => `${family}-${size}`),
)

/** Pieces of ALBERT's vocabulary and of BERT's cased one, which BioBERT base has. */
const VOCABULARY = { bioalbert: 30_000, biobert: 28_996 }
/** Masked pieces: 15%, at most 20 (Naseem et al. 2020). */
const masked = (length: number) => Math.min(20, Math.max(1, Math.round(0.15 * length)))
const LEARNING_RATE = 1e-4
const SPLIT_ROUNDS = 3

export interface BenchChoices {
  readonly models: readonly BenchModel[]
  /** Tokens of a step, at most, and of each sequence. */
  readonly rows: number
  readonly length: number
  /** Timed steps of each model, after one that is not. */
  readonly steps: number
  readonly seed: number
}

/** Seconds of the parts of a step. */
export interface StepSplit {
  readonly forward: number
  readonly backward: number
  readonly optimizer: number
}

export interface BenchResult {
  readonly model: BenchModel
  readonly family: BenchFamily
  readonly size: BenchSize
  readonly optimizer: OptimizerSettings['name']
  readonly parameters: number
  readonly memory: MemoryPlan
  /** Multiply-adds of forward and backward pass for a token: half of the operations of their products. */
  readonly multiplyAdds: number
  /** Medians, in seconds. */
  readonly step: number
  readonly split: StepSplit
  /** Loss of the first and of the last step. */
  readonly losses: readonly [first: number, last: number]
}

interface Contestant {
  readonly model: BenchModel
  readonly family: BenchFamily
  readonly size: BenchSize
  readonly optimizer: OptimizerSettings
  readonly programs: PretrainingPrograms
  readonly memory: MemoryPlan
  /** Calls of the forward pass, and of forward and backward pass. */
  readonly forwardCalls: number
  readonly gradientCalls: number
}

/**
 * Runs the race. Models of one size are on the device together, one size after the other. Throws a UsageError for
 * rows that hold no sequence, a UserError when memory is short or a loss is not finite.
 */
export async function benchRuntime(
  device: Device,
  choices: BenchChoices,
  onStep: (model: BenchModel, seconds: number) => void = () => {},
): Promise<BenchResult[]> {
  const { rows, length } = choices
  if (length < 4) throw new UsageError(`sequences of ${length} tokens (want 4 or more)`)
  if (rows < length) throw new UsageError(`${rows} rows hold no sequence of ${length} tokens`)
  const results: BenchResult[] = []
  for (const size of BENCH_SIZES) {
    const names = BENCH_MODELS.filter((name) => name.endsWith(size) && choices.models.includes(name))
    if (names.length > 0) results.push(...(await race(device, names, choices, onStep)))
  }
  return results
}

async function race(
  device: Device,
  names: readonly BenchModel[],
  choices: BenchChoices,
  onStep: (model: BenchModel, seconds: number) => void,
): Promise<BenchResult[]> {
  const contestants = names.map((name) => prepare(name, choices))
  const need = contestants.reduce((sum, { memory }) => sum + memory.totalBytes, device.bytes)
  const available = device.info.name === 'cpu' ? availableMemory() : device.available
  if (available !== undefined && need > available)
    throw new UserError(
      `not enough memory: ${names.join(' and ')} need ${gib(need)} together, ${gib(available)} are available; ` +
        'name fewer --models, or fewer --rows',
    )
  const runners: Runner[] = []
  try {
    for (const contestant of contestants) runners.push(await Runner.open(device, contestant, choices))
    const times = runners.map((): number[] => [])
    const splits = runners.map((): StepSplit[] => [])
    const first: number[] = []
    for (const runner of runners) {
      await runner.step()
      first.push(await runner.loss())
    }
    for (let round = 0; round < choices.steps; round++)
      for (const [i, runner] of runners.entries()) {
        const start = performance.now()
        await runner.step()
        times[i].push((performance.now() - start) / 1000)
        if (round < SPLIT_ROUNDS) splits[i].push(await runner.split())
        onStep(names[i], times[i][round])
      }
    const results: BenchResult[] = []
    for (const [i, runner] of runners.entries()) {
      const part = (name: keyof StepSplit) => median(splits[i].map((split) => split[name]))
      const { model, family, size, optimizer, memory, programs } = contestants[i]
      results.push({
        model,
        family,
        size,
        optimizer: optimizer.name,
        parameters: programs.parameters.count,
        memory,
        multiplyAdds: runner.operations() / 2 / runner.rows,
        step: median(times[i]),
        split: { forward: part('forward'), backward: part('backward'), optimizer: part('optimizer') },
        losses: [first[i], await runner.loss()],
      })
    }
    return results
  } finally {
    for (const runner of runners) runner.free()
  }
}

function prepare(model: BenchModel, { rows, length }: BenchChoices): Contestant {
  const [family, size] = model.split('-') as [BenchFamily, BenchSize]
  const sequences = Math.floor(rows / length)
  const given = preset(family === 'biobert' ? `bert-${size}` : size, VOCABULARY[family])
  // the published models were trained with this dropout, and the small ones should have the same kernels
  const config = { ...given, dropout: 0.1, maxPositions: Math.max(given.maxPositions, length) }
  const optimizer = { ...DEFAULT_OPTIMIZER, name: USUAL_OPTIMIZER[config.modelType] }
  const capacity = { rows: sequences * length, sequences, masked: sequences * masked(length) }
  const programs = pretrainingPrograms(config, capacity, optimizer)
  const { step, accumulate, evaluate } = programs.graphs
  return {
    model,
    family,
    size,
    optimizer,
    programs,
    memory: memoryPlan(programs.parameters, compile({ step }).values()),
    forwardCalls: callCount(evaluate.root.nodes),
    gradientCalls: callCount(accumulate.root.nodes),
  }
}

/** One model on the device, with its batch. */
class Runner {
  private draws = 0
  private constructor(
    private readonly runtime: Runtime,
    private readonly contestant: Contestant,
    private readonly inputs: Readonly<Record<string, InputData>>,
    private readonly fixed: Readonly<Record<string, number>>,
  ) {}

  static async open(
    device: Device,
    contestant: Contestant,
    { rows, length, seed }: BenchChoices,
  ): Promise<Runner> {
    const { parameters, graphs } = contestant.programs
    const sequences = Math.floor(rows / length)
    const runtime = new Runtime(device, parameters, { step: graphs.step })
    try {
      await runtime.writeState('parameters', parameters.initialize(cheapNormals(seed)))
    } catch (error) {
      runtime.free()
      throw error
    }
    const instances = syntheticInstances(seed, sequences, length, VOCABULARY[contestant.family])
    const capacity = { rows: sequences * length, sequences, masked: sequences * masked(length) }
    const batch = new Collator(capacity).collate(instances)
    const fixed = {
      rows: batch.rows,
      sequences,
      masked: batch.masked,
      mlm_scale: mlmScale(batch.masked),
      sop_scale: 1 / sequences,
      seed,
      lr: LEARNING_RATE,
      ...corrections(contestant.optimizer, 1),
    }
    return new Runner(runtime, contestant, { ...batch.inputs, ...optimizerInputs(parameters) }, fixed)
  }

  get rows(): number {
    return this.fixed.rows
  }

  private get program(): Program {
    return this.runtime.program('step').program
  }

  private scalars(): Record<string, number> {
    return { ...this.fixed, draw: this.draws++ }
  }

  step(): Promise<void> {
    return this.runtime.run('step', this.inputs, this.scalars())
  }

  /** Runs a step and adds up what the calls of each part took. */
  async split(): Promise<StepSplit> {
    return splitOf(await this.runtime.timeline('step', this.inputs, this.scalars()), this.contestant)
  }

  async loss(): Promise<number> {
    const [loss] = await this.runtime.read('step', 'loss')
    if (!Number.isFinite(loss)) throw new UserError(`${this.contestant.model}: the loss is ${loss}`)
    return loss
  }

  /** Operations of the products of forward and backward pass. */
  operations(): number {
    const { rows, sequences } = this.fixed
    return totalWork(this.program, { ...this.fixed, [SQUARES]: rows ** 2 / sequences }).modelFlops
  }

  free(): void {
    this.runtime.free()
  }
}

/** The calls of a step in program order are those of the forward pass, of the backward pass, of the update. */
function splitOf(
  events: readonly TimelineEvent[],
  { forwardCalls, gradientCalls }: Pick<Contestant, 'forwardCalls' | 'gradientCalls'>,
): StepSplit {
  const split = { forward: 0, backward: 0, optimizer: 0 }
  for (const { call, duration } of events)
    split[call < forwardCalls ? 'forward' : call < gradientCalls ? 'backward' : 'optimizer'] += duration / 1e9
  return split
}

/** Sequences of random pieces, split in the middle, with masked places spread evenly. */
function syntheticInstances(
  seed: number,
  sequences: number,
  length: number,
  vocabularySize: number,
): Instance[] {
  const random = new Philox(seed)
  // the same pieces for every vocabulary
  const most = Math.min(...Object.values(VOCABULARY), vocabularySize) - 5
  const pieces = (n: number) => Int32Array.from({ length: n }, () => 5 + random.integer(most))
  return Array.from({ length: sequences }, () => {
    const k = masked(length)
    return {
      ids: pieces(length),
      splitAt: Math.floor(length / 2),
      positions: Int32Array.from({ length: k }, (_, i) => 1 + Math.floor((i * (length - 2)) / k)),
      labels: pieces(k),
      sop: random.integer(2) as 0 | 1,
      source: 'in_order',
    }
  })
}

/** Normal values enough for a bench, at little cost: a table of them, entered at a place of each parameter's own. */
function cheapNormals(seed: number): (name: string) => () => number {
  const random = new Philox(seed)
  const table = Float32Array.from({ length: 65_521 }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
    return radius * Math.cos(2 * Math.PI * random.uniform())
  })
  return () => {
    let at = random.integer(table.length)
    return () => {
      at = at + 1 === table.length ? 0 : at + 1
      return table[at]
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}
