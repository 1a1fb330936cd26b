/**
 * Fine-tuning steps of ALBERT base to named entities in bf16 on a GPU, batches of 32 sentences as long as NCBI-disease's: ours on
 * ragged batches, in turn with PyTorch padded to the longest of each batch, in every form that it has. A turn is all batches, one
 * queued behind the other. All start from the same weights and take the same batches; the loss of the first must agree.
 */
import { rmSync } from 'node:fs'
import { tokenHead } from '../../src/model/token_classification.js'
import { typicalLengths } from '../../src/profile/ncbi_disease.js'
import { epochOrder } from '../../src/training/finetuning/batches.js'
import { train } from '../../src/training/finetuning/loop.js'
import { DEFAULT_OPTIMIZER, type OptimizerSettings } from '../../src/training/optimizer.js'
import { random } from '../../test/support/random.js'
import { ncbiDisease } from '../shapes.js'
import { isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import { agreeOnFirst } from '../support/pretraining_step.js'
import { type Contestant, race } from '../support/race.js'
import { labelledJson, madeUp, openTagging, saveTagging, tagging } from '../support/tagging.js'

const MODEL = isEmulated ? 'nano' : 'base'
const BATCH = isEmulated ? 3 : 32
const BATCHES = isEmulated ? 2 : 8
const DROPOUT = 0.1
/** Rows of a micro-batch, as `finetune` has them. */
const ROWS = isEmulated ? 128 : 2048
const SEED = 1
const optimizer: OptimizerSettings = { ...DEFAULT_OPTIMIZER, name: 'adamw' }

const { parameters, model, initial, ...rest } = tagging(MODEL, DROPOUT)
const lengths = typicalLengths(BATCHES * BATCH).map((n) => (isEmulated ? Math.ceil(n / 3) + 2 : n))
const examples = madeUp(lengths, ncbiDisease.firstPieces, random(7))
const order = epochOrder(examples.length, SEED, 0)
const tokens = lengths.reduce((a, b) => a + b, 0) / BATCHES
const name = `finetune_${MODEL}_${BATCH}`

const folder = temporaryFolder()
const device = await openBenchDevice()
try {
  await saveTagging(folder, { parameters, model, initial, ...rest }, labelledJson(examples, order))
  const { runtime, loss: first } = await openTagging(
    device,
    { parameters, model, initial },
    { rows: ROWS, optimizer, precision: 'bf16' },
    examples,
    [...order.subarray(0, BATCH)],
  )

  let draw = 0
  const ours: Contestant = {
    name: 'ours',
    precision: 'bf16',
    ours: true,
    async run() {
      const losses: number[] = []
      const start = performance.now()
      const settings = {
        batchSize: BATCH,
        capacity: { rows: ROWS, length: model.config.maxPositions },
        seed: SEED,
        optimizer,
        rate: () => 1e-5,
      }
      const end = await train(
        runtime,
        tokenHead,
        examples,
        { ...settings, totalSteps: BATCHES },
        { step: 0, draw },
        { onStep: ({ loss }) => losses.push(loss) > 0 },
      )
      const seconds = (performance.now() - start) / 1000 / BATCHES
      draw = end.draw
      if (losses.length !== BATCHES || !losses.every((loss) => loss > 0 && loss < 2 * first))
        throw new Error(`ours: losses ${losses} after ${first}`)
      return seconds
    },
  }
  const spec = {
    name: 'PyTorch padded',
    precision: 'bf16' as const,
    script: 'tagging_step.py',
    options: {
      model: folder,
      batch: BATCH,
      dropout: DROPOUT,
      precision: 'bf16',
      // each of the batches once, so that a turn begins with the first
      warmup: BATCHES,
      modes: true,
      compile: !isEmulated && !isShort,
    },
    turn: BATCHES,
  }
  const peers = await openPeers(name, [spec], (_, ready) =>
    agreeOnFirst('PyTorch', ready.first_loss, first, 5e-3),
  )
  try {
    const cost = { units: { sentences: BATCH, tokens } }
    const whole = {
      what: `an epoch of ${ncbiDisease.sentences.toLocaleString('en-US')} sentences`,
      count: ncbiDisease.sentences / BATCH,
    }
    await race(name, cost, [ours, ...peers.contestants], {
      ...(isEmulated ? {} : { rounds: isShort ? 5 : 9 }),
      whole,
    })
  } finally {
    await peers.close()
  }
} finally {
  await device.destroy()
  rmSync(folder, { recursive: true, force: true })
}
