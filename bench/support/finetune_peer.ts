/**
 * A prepared fine-tuning run in PyTorch, step for step as ours goes: it trains up to an evaluation and hands out the logits of dev,
 * which our task decodes and scores; the best weights are kept and give the logits of test in the end. What is scored, and how the
 * best is chosen, is therefore the same for both.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../src/error.js'
import type { Example } from '../../src/model/head.js'
import type { Fitted, Scores } from '../../src/tasks/task.js'
import { answersOf } from '../../src/training/finetuning/model.js'
import { choiceScore, isBetter } from '../../src/training/finetuning/run_state.js'
import type { FinetuneRun, Part } from '../../src/training/finetuning/setup.js'
import { exportRun, readLogits } from './finetune_export.js'
import { type Peer, startPeer } from './peer.js'
import { INSTALL, peerCommand } from './peers.js'

/** What both sides tell of a run. */
export interface SideResult {
  readonly best_step: number
  readonly dev: Scores
  readonly test: Scores
  /** Of the run without start-up: training, evaluations, files. */
  readonly seconds: number
  /** Pieces, none of them padding, by second of training. */
  readonly tokens_per_second: number
}

export interface PeerResult extends SideResult {
  /** Share of the pieces computed in training that were padding. */
  readonly padding: number
  /** What the peer says of itself. */
  readonly description: Readonly<Record<string, unknown>>
}

export interface PeerOptions {
  /** Folder for what is handed over; it is made, and gone in the end. */
  readonly folder: string
  /** Bf16 by autocast; f32 if not given. */
  readonly precision?: 'bf16'
  /** Sequences that it computes at a time; all of a batch if not given. */
  readonly micro?: number
  readonly compile?: boolean
  onEvaluation?(step: number, dev: Scores): void
}

interface Trained {
  readonly losses: number[]
  readonly seconds: number
  readonly pieces: number
  readonly padded: number
}

/** Trains it from start to end. Throws a UserError where PyTorch is not installed or a loss is no number. */
export async function trainPeer(run: FinetuneRun, options: PeerOptions): Promise<PeerResult> {
  const { folder } = options
  try {
    await exportRun(folder, run)
    return await withPeer(options, async (peer) => {
      const description = await peer.ready
      return { ...(await trainAll(run, peer, options)), description }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What PyTorch is asked about a folder of `exportRun`, which stays. Throws a UserError where it is not installed. */
export async function withPeer<T>(options: PeerOptions, ask: (peer: Peer) => Promise<T>): Promise<T> {
  const { folder: run, precision = 'f32', micro, compile } = options
  const found = peerCommand({
    name: 'PyTorch',
    precision,
    script: 'finetune.py',
    options: { run, precision, ...(micro !== undefined && { micro }), ...(compile && { compile }) },
  })
  if ('missing' in found) throw new UserError(`PyTorch: ${found.missing}`)
  const peer = startPeer(found.command, found.argv, found.env)
  try {
    return await ask(peer)
  } catch (error) {
    const { message } = error as Error
    if (!message.startsWith('ModuleNotFoundError')) throw error
    throw new UserError(`PyTorch: ${found.command}: ${message} (${INSTALL.python})`)
  } finally {
    await peer.close()
  }
}

async function trainAll(
  run: FinetuneRun,
  peer: Peer,
  { folder, onEvaluation }: PeerOptions,
): Promise<Omit<PeerResult, 'description'>> {
  const { task, schedule, evalEvery, data } = run
  const began = performance.now()
  const logitsOf = async (split: 'dev' | 'test', examples: readonly Example[]) => {
    const file = join(folder, `${split}.logits`)
    await peer.ask(`logits ${split} ${file}`)
    return readLogits(file, examples, data.labels.length)
  }
  let best: { step: number; score: number; fitted: Fitted; dev: Scores } | undefined
  const sum = { seconds: 0, pieces: 0, padded: 0 }
  for (let step = 0; step < schedule.total; ) {
    step = Math.min(step + evalEvery, schedule.total)
    const trained = (await peer.ask(`train ${step}`)) as unknown as Trained
    if (!trained.losses.every(Number.isFinite))
      throw new UserError(`PyTorch: a loss before step ${step} is no number`)
    for (const key of ['seconds', 'pieces', 'padded'] as const) sum[key] += trained[key]
    const logits = await logitsOf('dev', run.dev.examples)
    const fitted = task.fit?.(run.dev.split.items, run.dev.examples, logits, run.context) ?? {}
    const dev = scoresOf(run, run.dev, logits, fitted)
    onEvaluation?.(step, dev)
    const score = choiceScore(task.metric, dev)
    if (isBetter(score, best)) {
      best = { step, score, fitted, dev }
      await peer.ask('keep')
    }
  }
  if (best === undefined) throw new Error('a run ended without an evaluation')
  await peer.ask('recall')
  const test = scoresOf(run, run.test, await logitsOf('test', run.test.examples), best.fitted)
  return {
    best_step: best.step,
    dev: best.dev,
    test,
    seconds: (performance.now() - began) / 1000,
    tokens_per_second: Math.round(sum.pieces / sum.seconds),
    padding: 1 - sum.pieces / sum.padded,
  }
}

function scoresOf(
  { task, context }: FinetuneRun,
  { split, examples }: Part,
  logits: Float32Array[],
  fitted: Fitted,
): Scores {
  const answers = answersOf(task, split.items, examples, logits, { ...context, fitted })
  return task.score(split.items, answers, context.labels)
}
