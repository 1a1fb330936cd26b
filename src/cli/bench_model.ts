/** `bench runtime --model CARD`: what the model of performance expects of an NVIDIA GPU that need not be there. */
import { join } from 'node:path'
import { packageRoot } from '../paths.js'
import { CARDS, type Card, CHIPS } from '../profile/gpu_model.js'
import {
  type PredictedStep,
  predictSteps,
  pretrainingSteps,
  type StepChoice,
  usualSteps,
} from '../profile/predicted_steps.js'
import { count, note, printResult, table } from './output.js'

/** What `--model` takes: a card, or all of them. */
export const MODEL_CARDS = [...CARDS, 'all'] as const
export type ModelCard = (typeof MODEL_CARDS)[number]

export interface ModelOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  /** Tokens of a step and of a sequence, where a step of one's own is wanted. */
  readonly own?: { readonly rows: number; readonly length: number }
}

const MARK = 'PREDICTED by a model of the card, not measured'

export function benchModel(card: ModelCard, { json, quiet, own }: ModelOptions): void {
  const cards = card === 'all' ? CARDS : [card]
  const steps: StepChoice[] = own ? pretrainingSteps(own.rows, own.length) : usualSteps()
  note(`predicting ${steps.length} steps on ${cards.map((one) => CHIPS[one].name).join(', ')}`, quiet)
  const predicted = predictSteps(cards, steps, join(packageRoot, 'bench', 'results'))
  const object = {
    predicted: true,
    note: MARK,
    precision: 'bf16',
    cards: cards.map((one) => ({
      card: one,
      name: CHIPS[one].name,
      steps: predicted.get(one)!.map(summary),
    })),
  }
  printResult(json, object, () => [...predicted].map(([one, rows]) => describe(one, rows)).join('\n\n'))
}

const round = (value: number, digits: number) => Number(value.toPrecision(digits))

function summary(step: PredictedStep) {
  const { prediction: p, measured } = step
  return {
    name: step.name,
    what: step.what,
    rows: step.rows,
    sequences: step.sequences,
    planned_bytes: step.plannedBytes,
    fits: step.fits,
    predicted_step_ms: round(1e3 * p.seconds, 4),
    predicted_tokens_per_second: Math.round(step.rows / p.seconds),
    predicted_sequences_per_second: round(step.sequences / p.seconds, 5),
    predicted_mfu: round(p.mfu, 4),
    predicted_launches: p.launches,
    predicted_gap_ms: round(1e3 * p.gapSeconds, 4),
    predicted_families: p.families.map((f) => ({
      family: f.family,
      launches: f.launches,
      ms: round(1e3 * f.seconds, 4),
      tflops: round(f.flops / f.seconds / 1e12, 4),
      gigabytes_per_second: round(f.bytes / f.seconds / 1e9, 4),
      of_floor: round(f.ofFloor, 3),
      measured_ms: measured?.families.get(f.family) ?? null,
    })),
    measured: measured
      ? {
          step_ms: round(1e3 * measured.seconds, 4),
          tokens_per_second: Math.round(step.rows / measured.seconds),
          predicted_over_measured: round(p.seconds / measured.seconds, 3),
          best_peer: measured.peer
            ? { name: measured.peer.name, step_ms: 1e3 * measured.peer.seconds }
            : null,
          file: measured.file,
        }
      : null,
  }
}

function describe(card: Card, steps: readonly PredictedStep[]): string {
  const { name } = CHIPS[card]
  const head = ['step', 'ms', 'tokens/s', 'sequences/s', 'MFU', 'measured ms', 'predicted / measured']
  const rows = steps.map((step) => {
    const { prediction: p, measured } = step
    return [
      `${step.what}${step.fits ? '' : ' (does not fit its memory)'}`,
      (1e3 * p.seconds).toFixed(2),
      count(Math.round(step.rows / p.seconds)),
      count(Math.round(step.sequences / p.seconds)),
      `${(100 * p.mfu).toFixed(1)}%`,
      measured ? (1e3 * measured.seconds).toFixed(2) : 'never',
      measured ? (p.seconds / measured.seconds).toFixed(2) : '',
    ]
  })
  const parts = steps.map(
    (step) =>
      `${name}, PREDICTED: ${step.what}; ${count(step.prediction.launches)} launches\n${families(step)}`,
  )
  return [
    `${name}, ALBERT base, bf16: ${MARK}`,
    '',
    table(head, rows),
    ...parts.flatMap((part) => ['', part]),
  ].join('\n')
}

function families({ prediction: p, measured }: PredictedStep): string {
  const rows = p.families.map((f) => [
    f.family,
    f.launches,
    (1e3 * f.seconds).toFixed(3),
    `${((100 * f.seconds) / p.seconds).toFixed(1)}%`,
    (f.flops / f.seconds / 1e12).toFixed(1),
    (f.bytes / f.seconds / 1e9).toFixed(0),
    `${(100 * f.ofFloor).toFixed(0)}%`,
    measured?.families.get(f.family)?.toFixed(3) ?? '',
  ])
  rows.push([
    'between launches',
    p.launches,
    (1e3 * p.gapSeconds).toFixed(3),
    `${((100 * p.gapSeconds) / p.seconds).toFixed(1)}%`,
    '',
    '',
    '',
    '',
  ])
  return table(['kernels', 'launches', 'ms', 'share', 'TFLOP/s', 'GB/s', 'floor / time', 'measured ms'], rows)
}
