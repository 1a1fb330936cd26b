/**
 * Whether PyTorch and ours compute the same run: tiny models of both kinds under every head, without dropout, ten updates in
 * ragged micro-batches here and padded there. The losses of all steps and the logits that the trained models give must agree.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Device } from '../../src/device/device.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import type { Example, Head } from '../../src/model/head.js'
import { spanHead } from '../../src/model/question_answering.js'
import { classHead, labelHead, scoreHead } from '../../src/model/sequence_classification.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { Predictor } from '../../src/training/finetuning/predictor.js'
import { initialValues } from '../../src/training/initialize.js'
import { DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'
import { type Random, random } from '../../test/support/random.js'
import { exportRun, type PreparedRun, readLogits } from './finetune_export.js'
import { largestDifference, lossesOfPeer, trainHere } from './finetune_losses.js'
import { withPeer } from './finetune_peer.js'
import { temporaryFolder } from './folder.js'

const STEPS = 10
const BATCH = 6
const VOCABULARY = 60
const LONGEST = 24
/** Pieces of a micro-batch of ours: several to a step. */
const ROWS = 48
/** Of losses, and of logits; a hundredth of what AdamW with bias correction would be off by. */
const TOLERANCE = { loss: 5e-6, logits: 1e-4 }

type Made = Pick<Example, 'scored' | 'targets'>

interface Case {
  readonly name: string
  readonly preset: 'nano' | 'bert-nano'
  readonly head: Head
  readonly outputs: number
  readonly biasCorrection: boolean
  make(length: number, draw: Random): Made
}

const FIRST = Int32Array.of(0)
const CASES: readonly Case[] = [
  {
    name: 'tags',
    preset: 'nano',
    head: tokenHead,
    outputs: 3,
    biasCorrection: false,
    make(length, draw) {
      // every other piece, one in seven of which does not count
      const scored = Int32Array.from({ length: Math.ceil((length - 2) / 2) }, (_, i) => 1 + 2 * i)
      return { scored, targets: scored.map(() => Math.max(-1, draw.integer(7) - 4)) }
    },
  },
  {
    name: 'a class',
    preset: 'bert-nano',
    head: classHead,
    outputs: 4,
    biasCorrection: true,
    make: (_, draw) => ({ scored: FIRST, targets: Int32Array.of(draw.integer(4)) }),
  },
  {
    name: 'labels',
    preset: 'nano',
    head: labelHead,
    outputs: 5,
    biasCorrection: false,
    make: (_, draw) => ({ scored: FIRST, targets: Float32Array.from({ length: 5 }, () => draw.integer(2)) }),
  },
  {
    name: 'a score',
    preset: 'bert-nano',
    head: scoreHead,
    outputs: 1,
    biasCorrection: false,
    make: (_, draw) => ({ scored: FIRST, targets: Float32Array.of(draw.integer(41) / 10) }),
  },
  {
    name: 'an answer',
    preset: 'bert-nano',
    head: spanHead,
    outputs: 2,
    biasCorrection: false,
    make(length, draw) {
      const begin = draw.integer(length)
      const targets = Int32Array.of(begin, begin + draw.integer(length - begin))
      return { scored: Int32Array.from({ length }, (_, i) => i), targets }
    },
  },
]

/** Runs all cases and gives a line for each. Throws an Error where one does not agree, a UserError without PyTorch. */
export async function checkFinetunePeer(device: Device, onCase: (line: string) => void): Promise<void> {
  for (const one of CASES) {
    const folder = temporaryFolder()
    try {
      const { loss, logits } = await compare(one, device, folder)
      const both = `losses differ by ${loss.toExponential(1)}, logits by ${logits.toExponential(1)}`
      const what = `${one.preset}, ${one.name}: ${STEPS} steps, ${both} at most`
      if (!(loss <= TOLERANCE.loss && logits <= TOLERANCE.logits))
        throw new Error(`${what} (want ${TOLERANCE.loss} and ${TOLERANCE.logits})`)
      onCase(what)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

async function compare(one: Case, device: Device, folder: string): Promise<{ loss: number; logits: number }> {
  const { run, model } = prepare(one)
  await exportRun(folder, run)
  const sizes = { rows: ROWS, maxLength: LONGEST }
  const { losses, runtime } = await trainHere(one.head, model, run, sizes, STEPS, device)
  const logits = await new Predictor(runtime, one.head, LONGEST).logits(run.dev.examples)
  const theirs = await withPeer({ folder }, async (peer) => {
    const trained = await lossesOfPeer(peer, STEPS)
    const file = join(folder, 'logits')
    await peer.ask(`logits dev ${file}`)
    return { losses: trained, logits: readLogits(file, run.dev.examples, one.outputs) }
  })
  return {
    loss: largestDifference(losses, theirs.losses),
    logits: largestDifference(flat(logits), flat(theirs.logits)),
  }
}

function prepare({ preset: name, head, outputs, biasCorrection, make }: Case) {
  const draw = random(3)
  const examples = Array.from({ length: 20 }, (_, item): Example => {
    const length = draw.integer(5, LONGEST + 1)
    const ids = Int32Array.from({ length }, () => draw.integer(5, VOCABULARY))
    return { ids, ...(item % 2 === 1 && { second: 3 }), ...make(length, draw), item }
  })
  const config = preset(name, VOCABULARY, { dropout: 0, classifierDropout: 0 })
  const parameters = new ParameterSet()
  const model = head.declare(parameters, config, outputs)
  const run: PreparedRun = {
    task: { name: 'check' },
    head,
    data: { labels: Array.from({ length: outputs }, (_, k) => `label ${k}`) },
    config,
    parameters,
    initial: initialValues(parameters, 1),
    train: { examples: examples.slice(0, 14) },
    dev: { examples: examples.slice(14) },
    test: { examples: [] },
    batch: BATCH,
    schedule: { peak: 2e-3, warmup: 3, total: STEPS },
    // so much decay that what is decayed shows within ten steps
    optimizer: { ...DEFAULT_OPTIMIZER, name: 'adamw', weightDecay: 1, biasCorrection },
    evalEvery: STEPS,
    options: { seed: 1 },
  }
  return { run, model }
}

function flat(arrays: readonly Float32Array[]): number[] {
  return arrays.flatMap((array) => [...array])
}
