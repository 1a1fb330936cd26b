/**
 * The steps whose time on a GPU is predicted: pretraining and fine-tuning of ALBERT base in bf16, at the sizes and under the
 * names that bench/gpu.sh measures; and what it measured on such a card, where bench/results has it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../error.js'
import { compile, memoryPlan } from '../graph/runtime.js'
import { type Card, CHIPS } from './gpu_model.js'
import { typicalLengths } from './ncbi_disease.js'
import { type Prediction, predict } from './prediction.js'
import { type Kind, makeWorkload } from './workload.js'

/** A step by the name that its measurement has. */
export interface StepChoice {
  readonly name: string
  readonly what: string
  readonly kind: Kind
  readonly lengths: readonly number[]
  readonly dropout: number
}

export interface PredictedStep extends StepChoice {
  readonly rows: number
  readonly sequences: number
  readonly plannedBytes: number
  /** Whether the plan fits the card's memory. */
  readonly fits: boolean
  readonly prediction: Prediction
  readonly measured?: Measured
}

/** Of the same step on such a card. */
export interface Measured {
  readonly seconds: number
  /** File of bench/results. */
  readonly file: string
  /** The fastest peer of the same run. */
  readonly peer?: { readonly name: string; readonly seconds: number }
  /** Milliseconds of each family of kernels. */
  readonly families: ReadonlyMap<string, number>
}

const equal = (sequences: number, length: number) => new Array<number>(sequences).fill(length)

/** Tokens of the steps of pretraining: enough for every multiprocessor, and PyTorch has room for its activations. */
const ROWS = 32_768
/** Sentences of a batch of fine-tuning, as BioBERT's and BioALBERT's papers have them. */
const SENTENCES = 32

export function usualSteps(): StepChoice[] {
  return [512, 128]
    .flatMap((length) => pretrainingSteps(ROWS, length))
    .concat([
      {
        name: `finetune_base_${SENTENCES}`,
        what: `fine-tuning, ${SENTENCES} sentences as long as NCBI-disease’s`,
        kind: 'finetune',
        lengths: typicalLengths(SENTENCES),
        dropout: 0.1,
      },
    ])
}

/** Pretraining on sequences of one length, without dropout (ALBERT version 2) and with it (version 1). */
export function pretrainingSteps(rows: number, length: number): StepChoice[] {
  const sequences = Math.floor(rows / length)
  if (sequences === 0) throw new UsageError(`${rows} rows hold no sequence of ${length} tokens`)
  return [0, 0.1].map((dropout) => ({
    name: `base_${sequences}x${length}${dropout > 0 ? '_dropout' : ''}`,
    what: `pretraining, ${sequences} sequences of ${length}, ${dropout > 0 ? `dropout ${dropout}` : 'no dropout'}`,
    kind: 'pretrain' as const,
    lengths: equal(sequences, length),
    dropout,
  }))
}

/** Predicts steps on one card or several; `results` is the folder of measurements. */
export function predictSteps(
  cards: readonly Card[],
  steps: readonly StepChoice[],
  results: string,
): Map<Card, PredictedStep[]> {
  const found = new Map<Card, PredictedStep[]>(cards.map((card) => [card, []]))
  const measured = new Map(cards.map((card) => [card, measurements(results, card)]))
  for (const step of steps) {
    const { kind, lengths, dropout } = step
    const rows = lengths.reduce((a, b) => a + b, 0)
    const workload = makeWorkload({
      kind,
      preset: 'base',
      vocabulary: 30_000,
      rows,
      lengths,
      dropout,
      recompute: false,
      precision: 'bf16',
      seed: 1,
    })
    const programs = compile({ step: workload.graph })
    const plannedBytes = memoryPlan(workload.parameters, programs.values()).totalBytes
    for (const card of cards) {
      const chip = CHIPS[card]
      const prediction = predict(programs.get('step')!.program, workload.sizes, lengths, chip)
      found.get(card)!.push({
        ...step,
        rows,
        sequences: lengths.length,
        plannedBytes,
        fits: plannedBytes < 0.95 * chip.memoryBytes,
        prediction,
        measured: measured.get(card)!.get(step.name),
      })
    }
  }
  return found
}

/** What a file of results has of interest here. */
interface Results {
  readonly facts?: { readonly card?: string }
  readonly races?: readonly {
    readonly name: string
    readonly precision: string
    readonly ours: { readonly seconds: number }
    readonly peer?: { readonly name: string; readonly seconds: number }
  }[]
  readonly steps?: readonly {
    readonly name: string
    readonly families: readonly { readonly family: string; readonly ms: number }[]
  }[]
}

/** The races in bf16 that were run on a card, by name. */
export function measurements(folder: string, card: Card): Map<string, Measured> {
  const found = new Map<string, Measured>()
  if (!existsSync(folder)) return found
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()) {
    const { facts, races = [], steps = [] } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results
    if (facts?.card !== card) continue
    for (const { name, precision, ours, peer } of races)
      if (precision === 'bf16') {
        const families = steps.find((step) => step.name === name)?.families ?? []
        const times = new Map(families.map(({ family, ms }) => [family, ms]))
        found.set(name, { seconds: ours.seconds, file, peer, families: times })
      }
  }
  return found
}
