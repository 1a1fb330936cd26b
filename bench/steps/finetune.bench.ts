/**
 * Steps of fine-tuning ALBERT base to named entities at the papers' limit of 512 pieces and batch of 32, on sentences as
 * long as those of NCBI-disease: ours on ragged batches, in turn with PyTorch padded to the longest of the batch and, in
 * a race of its own, padded to 512 as the papers' scripts do. All start from the same weights and take the same batches in the
 * same order; the loss of the first must agree.
 */
import { rmSync } from 'node:fs'
import type { Device } from '../../src/device/device.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { epochOrder } from '../../src/training/finetuning/batches.js'
import { train } from '../../src/training/finetuning/loop.js'
import { DEFAULT_OPTIMIZER, type OptimizerSettings } from '../../src/training/optimizer.js'
import { random } from '../../test/support/random.js'
import { ncbiDisease } from '../shapes.js'
import { quick } from '../support/bench.js'
import { openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import type { PeerSpec } from '../support/peers.js'
import type { TrainingPrecision } from '../support/precisions.js'
import { type Contestant, ownCpu, race } from '../support/race.js'
import { labelledJson, madeUp, ncbiLengths, openTagging, saveTagging, tagging } from '../support/tagging.js'

const MODEL = quick ? 'mini' : 'base'
const BATCH = quick ? 8 : 32
const BATCHES = quick ? 2 : 6
const DROPOUT = 0.1
/** Rows of a micro-batch, as `finetune` has them. */
const ROWS = 2048
/** 32 x 512 pieces want more than 20 GB of PyTorch's activations at once. */
const MICRO = Math.min(8, BATCH)
const LIMIT = 512
const SEED = 1
const TOLERANCE = { f32: 1e-4, bf16: 5e-3, int8: 0 }
const optimizer: OptimizerSettings = { ...DEFAULT_OPTIMIZER, name: 'adamw' }

const model = tagging(MODEL, DROPOUT)
const draw = random(7)
const examples = madeUp(ncbiLengths(BATCHES * BATCH, draw), ncbiDisease.firstPieces, draw)
const order = epochOrder(examples.length, SEED, 0)
const tokens = examples.reduce((n, { ids }) => n + ids.length, 0) / BATCHES
const cost = { units: { sentences: BATCH, tokens } }
const whole = {
  what: `an epoch of ${ncbiDisease.sentences.toLocaleString('en-US')} sentences`,
  count: ncbiDisease.sentences / BATCH,
}

const folder = temporaryFolder()
const device = await openBenchDevice()
try {
  await saveTagging(folder, model, labelledJson(examples, order))
  const ours: Awaited<ReturnType<typeof contestant>>[] = []
  for (const precision of ['f32', 'bf16'] as const) ours.push(await contestant(device, precision))
  const [{ loss: first }] = ours
  for (const { name, precision, loss } of ours) agree(name, loss, first, TOLERANCE[precision])
  console.log(
    `${BATCHES} batches of ${BATCH} sentences, ${tokens.toFixed(0)} pieces a batch, dropout ${DROPOUT}`,
  )
  await against(`finetune_${MODEL}_${BATCH}`, longest(), {})
  if (MICRO < BATCH)
    console.log(
      `padded to ${LIMIT}: ${BATCH} sentences as micro-batches of ${MICRO}, all at once want too much memory`,
    )
  // a padded step is so long that two must do
  await against(
    `finetune_${MODEL}_${BATCH}_padded_${LIMIT}`,
    [padded()],
    quick ? {} : { rounds: 2, warmup: 0 },
  )

  async function against(name: string, specs: PeerSpec[], options: { rounds?: number; warmup?: number }) {
    const peers = await openPeers(name, specs, (spec, ready) =>
      agree(spec.name, ready.first_loss, first, TOLERANCE[spec.precision]),
    )
    try {
      for (const one of ours) one.restart()
      await race(name, cost, [...ours, ...peers.contestants], {
        rounds: BATCHES,
        warmup: quick ? 0 : 1,
        ...options,
        whole,
      })
    } finally {
      await peers.close()
    }
  }
} finally {
  await device.destroy()
  rmSync(folder, { recursive: true, force: true })
}

/** Ours in a precision, and the loss of the first batch without dropout. A call is one step on the next batch. */
async function contestant(
  on: Device,
  precision: TrainingPrecision,
): Promise<Contestant & { loss: number; restart(): void }> {
  const first = [...order.subarray(0, BATCH)]
  const { runtime, loss } = await openTagging(
    on,
    model,
    { rows: ROWS, optimizer, precision },
    examples,
    first,
  )
  let turn = 0
  return {
    name: `ours ${precision}`,
    precision,
    ours: true,
    cpu: ownCpu,
    loss,
    restart() {
      turn = 0
    },
    async run() {
      const step = turn++ % BATCHES
      const settings = {
        totalSteps: step + 1,
        batchSize: BATCH,
        capacity: { rows: ROWS, length: model.config.maxPositions },
        seed: SEED,
        optimizer,
        rate: () => 1e-5,
      }
      const losses: number[] = []
      await train(
        runtime,
        tokenHead,
        examples,
        settings,
        { step, draw: turn * 8 },
        { onStep: (done) => losses.push(done.loss) > 0 },
      )
      if (!(losses.length === 1 && losses[0] < 2 * loss))
        throw new Error(`ours: losses ${losses} after ${loss}`)
    },
  }
}

function longest(): PeerSpec[] {
  return (['f32', 'bf16'] as const).map((precision) => ({
    name: `PyTorch ${precision} padded to the longest`,
    precision,
    script: 'tagging_step.py',
    // its warm-up takes as many of the batches as there are, so that it begins with the first again
    options: { model: folder, batch: BATCH, dropout: DROPOUT, precision, warmup: BATCHES },
  }))
}

function padded(): PeerSpec {
  const options = { model: folder, batch: BATCH, micro: MICRO, length: LIMIT, dropout: DROPOUT, warmup: 0 }
  return { name: `PyTorch f32 padded to ${LIMIT}`, precision: 'f32', script: 'tagging_step.py', options }
}

function agree(who: string, loss: unknown, want: number, tolerance: number): void {
  if (!(typeof loss === 'number' && Math.abs(loss / want - 1) <= tolerance))
    throw new Error(`${who}: the first loss is ${loss} (want ${want}, up to ${tolerance} of it)`)
}
