/**
 * Steps of fine-tuning ALBERT base on the data sets themselves, one of each task: ours on ragged batches, in turn with PyTorch padded
 * to the longest of a batch, in f32 and in bf16 (PyTorch's by autocast). All start from the same random weights and take the same batches of the training part in the same
 * order; the loss of the first must agree with ours in f32. A race is a part of an epoch: what it says is how fast a run goes, not how well it ends
 * (that is `npm run compare`). The sets are in the folder of public data that tests read too; without it nothing is timed.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Capture } from '../../src/autograd/tensor.js'
import { importVocabulary } from '../../src/data/tokenizer/vocabulary_import.js'
import type { Device } from '../../src/device/device.js'
import { Runtime } from '../../src/graph/runtime.js'
import { taskNamed } from '../../src/tasks/index.js'
import { capacityOf, collate, epochOrder, pack } from '../../src/training/finetuning/batches.js'
import { train } from '../../src/training/finetuning/loop.js'
import { finetuningPrograms } from '../../src/training/finetuning/programs.js'
import type { FinetuneRun } from '../../src/training/finetuning/setup.js'
import { setUpFinetuning } from '../../src/training/finetuning/setup_node.js'
import { learningRate } from '../../src/training/schedule.js'
import { noSharedData, sharedData } from '../../test/support/shared_data.js'
import { quick } from '../support/bench.js'
import { openBenchDevice } from '../support/device.js'
import { exportRun } from '../support/finetune_export.js'
import { COMPARED_SETS, type ComparedSet } from '../support/finetune_sets.js'
import { temporaryFolder } from '../support/folder.js'
import { type Peer, startPeer } from '../support/peer.js'
import { peerCommand, peersWanted, skipPeer } from '../support/peers.js'
import { races, type TrainingPrecision } from '../support/precisions.js'
import { type Contestant, ownCpu, race } from '../support/race.js'

const MODEL = quick ? 'mini' : 'base'
const ROUNDS = quick ? 1 : 4
const WARMUP = quick ? 0 : 1
const SEED = 1
/** Of the first loss, without dropout. */
const TOLERANCE = { f32: 1e-4, bf16: 5e-3 }
const precisions = (['f32', 'bf16'] as const).filter(races)
const only = process.env.BIOALBERT_BENCH_CASE ?? ''

const folder = temporaryFolder()
const device = await openBenchDevice()
try {
  if (sharedData === undefined) console.log(`steps/datasets: nothing is timed (${noSharedData})`)
  else {
    const vocabulary = join(folder, 'vocabulary')
    importVocabulary(join(sharedData, 'vocab', 'albert', 'spiece.model'), vocabulary)
    for (const set of COMPARED_SETS.filter(({ name }) => name.includes(only)))
      await raceSet(set, sharedData, vocabulary)
  }
} finally {
  await device.destroy()
  rmSync(folder, { recursive: true, force: true })
}

async function raceSet(set: ComparedSet, data: string, vocabulary: string): Promise<void> {
  const runIn = (precision: TrainingPrecision) => setUp(set, data, vocabulary, precision)
  const run = runIn('f32')
  const first = await firstLoss(run, device)
  const name = `${set.name} ${MODEL}`
  const lengths = run.train.examples.map(({ ids }) => ids.length)
  const typical = (set.batch * lengths.reduce((a, b) => a + b, 0)) / lengths.length
  const units = { [run.task.unit]: set.batch, tokens: typical }
  console.log(`${name}: ${set.batch} ${run.task.unit} a step, ${typical.toFixed(0)} pieces on average`)
  const contestants: Contestant[] = []
  const ends: (() => unknown)[] = []
  try {
    for (const precision of precisions) {
      const own = precision === 'f32' ? run : runIn(precision)
      if (own !== run) agree(`ours ${precision}`, await firstLoss(own, device), first, precision)
      const mine = await contestant(own, device, precision)
      ends.push(mine.free)
      contestants.push(mine)
      const peer = await openPeer(own, join(folder, `${set.name}-${precision}`), precision)
      if (peer === undefined) continue
      ends.push(() => peer.close())
      agree(`PyTorch ${precision}`, (await peer.ready).first_loss, first, precision)
      contestants.push(contestantOf(peer, precision))
    }
    await race(name, { units }, contestants, { rounds: ROUNDS, warmup: WARMUP })
  } finally {
    for (const end of ends) await end()
  }
}

function setUp(
  set: ComparedSet,
  data: string,
  vocabulary: string,
  precision: TrainingPrecision,
): FinetuneRun {
  return setUpFinetuning(taskNamed(set.task), {
    data: join(data, set.folder),
    form: set.form,
    tokenizer: vocabulary,
    preset: MODEL,
    totalSteps: WARMUP + ROUNDS,
    batch: set.batch,
    learningRate: 1e-5,
    maxLength: set.maxLength,
    weightDecay: 0.01,
    clip: 1,
    seed: SEED,
    recompute: false,
    precision,
  })
}

/** The programs of a run on a device, with its starting weights. */
async function open(run: FinetuneRun, on: Device): Promise<Runtime> {
  const { parameters, head, model, rows, context, optimizer, options } = run
  const sizes = { rows, maxLength: context.maxLength }
  const runtime = new Runtime(
    on,
    parameters,
    finetuningPrograms(parameters, head, model, sizes, optimizer, options),
  )
  await runtime.writeState('parameters', run.initial)
  return runtime
}

/** Takes the step that follows `step` others; `draw` counts dropout's masks. */
async function takeStep(run: FinetuneRun, runtime: Runtime, step: number, draw: number): Promise<number> {
  const { head, train: part, rows, batch, context, optimizer, options, schedule } = run
  let found = Number.NaN
  await train(
    runtime,
    head,
    part.examples,
    {
      totalSteps: step + 1,
      batchSize: batch,
      capacity: { rows, length: context.maxLength },
      seed: options.seed,
      optimizer,
      rate: (at) => learningRate(schedule, at),
    },
    { step, draw },
    {
      onStep: ({ loss }) => {
        found = loss
        return true
      },
    },
  )
  if (!Number.isFinite(found)) throw new Error(`ours: the loss of step ${step} is ${found}`)
  return found
}

/** The loss of the first step without dropout, in the micro-batches in which it would be trained. */
async function firstLoss(run: FinetuneRun, on: Device): Promise<number> {
  const { parameters, head, model, rows, context, batch, train: part, options } = run
  const { precision } = options
  const length = context.maxLength
  const captured = new Capture(parameters)
  head.capture(captured, model, capacityOf(rows, length), { training: false, labelled: true, precision })
  const runtime = new Runtime(on, parameters, { first: captured.graph })
  try {
    await runtime.writeState('parameters', run.initial)
    const { examples } = part
    const chosen = epochOrder(examples.length, SEED, 0).subarray(0, batch)
    const weight = chosen.reduce((n, e) => n + head.weight(examples[e]), 0)
    let sum = 0
    for (const indices of pack(
      examples.map(({ ids }) => ids.length),
      chosen,
      rows,
    )) {
      const { inputs, scalars } = collate(
        head,
        indices.map((e) => examples[e]),
        length,
        true,
      )
      await runtime.run('first', inputs, { ...scalars, loss_scale: 1 / weight, seed: 0, draw: 0 })
      sum += (await runtime.read('first', 'loss_sum'))[0]
    }
    return sum / weight
  } finally {
    runtime.free()
  }
}

async function contestant(
  run: FinetuneRun,
  on: Device,
  precision: TrainingPrecision,
): Promise<Contestant & { free(): void }> {
  const runtime = await open(run, on)
  let turn = 0
  return {
    name: `ours ${precision}`,
    precision,
    ours: true,
    cpu: ownCpu,
    run: () => takeStep(run, runtime, turn++, turn * run.batch).then(() => undefined),
    free: () => runtime.free(),
  }
}

/** PyTorch with the same run, warm; undefined where it is not wanted or not there. */
async function openPeer(
  run: FinetuneRun,
  place: string,
  precision: TrainingPrecision,
): Promise<Peer | undefined> {
  if (!peersWanted) return undefined
  const options = { run: place, precision }
  const found = peerCommand({ name: 'PyTorch', precision, script: 'finetune.py', options })
  if ('missing' in found) {
    skipPeer('steps/datasets', 'PyTorch', found.missing)
    return undefined
  }
  await exportRun(place, run)
  return startPeer(found.command, found.argv, found.env)
}

function agree(who: string, loss: unknown, want: number, precision: TrainingPrecision): void {
  const most = TOLERANCE[precision]
  if (!(typeof loss === 'number' && Math.abs(loss / want - 1) <= most))
    throw new Error(`${who}: the first loss is ${loss} (want ${want}, up to ${most} of it)`)
}

function contestantOf(peer: Peer, precision: TrainingPrecision): Contestant {
  let turn = 0
  return {
    name: `PyTorch ${precision} padded to the longest`,
    precision,
    cpu: peer.cpu,
    run: async () => (await peer.ask(`train ${++turn}`)).seconds,
  }
}
