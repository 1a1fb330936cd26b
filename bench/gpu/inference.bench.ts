/**
 * Labelling with ALBERT base and random weights in bf16 on a GPU: logits of 1,024 sentences as long as NCBI-disease's. Ours in
 * ragged batches sorted by length, in turn with PyTorch in batches padded to their longest. All have the same weights and their
 * logits must agree.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Runtime } from '../../src/graph/runtime.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { typicalLengths } from '../../src/profile/ncbi_disease.js'
import { capacityOf, collate, pack } from '../../src/training/finetuning/batches.js'
import { capturePrediction, PREDICT_PROGRAM } from '../../src/training/finetuning/predictor.js'
import { queued } from '../../src/training/queue.js'
import { random } from '../../test/support/random.js'
import { isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import { type Contestant, race } from '../support/race.js'
import { LABELS, madeUp, saveTagging, tagging } from '../support/tagging.js'

const MODEL = isEmulated ? 'nano' : 'base'
const SENTENCES = isEmulated ? 4 : 1024
const ROWS = isEmulated ? 64 : 8192
const BATCHES = isEmulated ? [2] : [32, 128]
/** Largest difference of logits, over their root mean square. */
const TOLERANCE = 0.1

const model = tagging(MODEL, 0)
const lengths = typicalLengths(SENTENCES).map((n) => (isEmulated ? Math.ceil(n / 3) + 2 : n))
const examples = madeUp(lengths, 1, random(3))
const tokens = lengths.reduce((a, b) => a + b, 0)
const name = `inference_${MODEL}_${SENTENCES}`

const folder = temporaryFolder()
const device = await openBenchDevice()
try {
  await saveTagging(
    folder,
    model,
    examples.map(({ ids }) => [...ids]),
  )
  const graph = capturePrediction(
    model.parameters,
    tokenHead,
    model.model,
    capacityOf(ROWS, model.config.maxPositions),
    'bf16',
  )
  const runtime = new Runtime(device, model.parameters, { [PREDICT_PROGRAM]: graph })
  await runtime.writeState('parameters', model.initial)
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0) * LABELS.length)
  const logits = new Float32Array(tokens * LABELS.length)
  const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a] || a - b)
  const ours: Contestant = {
    name: 'ours',
    precision: 'bf16',
    ours: true,
    async run() {
      const start = performance.now()
      const asked = pack(lengths, order, ROWS).map(async (chosen) => {
        const { inputs, scalars } = collate(
          tokenHead,
          chosen.map((e) => examples[e]),
          model.config.maxPositions,
          false,
        )
        const [found] = await queued(
          runtime.run(PREDICT_PROGRAM, inputs, { ...scalars, seed: 0, draw: 0 }),
          () => [runtime.read(PREDICT_PROGRAM, 'logits', scalars.scored)],
        )
        let at = 0
        for (const e of chosen) {
          const size = lengths[e] * LABELS.length
          logits.set(found.subarray(at, at + size), starts[e])
          at += size
        }
      })
      await Promise.all(asked)
      return (performance.now() - start) / 1000
    },
  }
  await ours.run()
  const want = logits.slice()
  const specs = BATCHES.map((batch) => ({
    name: `PyTorch, batches of ${batch}`,
    precision: 'bf16' as const,
    script: 'tagging.py',
    options: {
      model: folder,
      batch,
      precision: 'bf16',
      modes: true,
      compile: !isEmulated && !isShort,
      out: join(folder, `pytorch_${batch}.logits`),
    },
  }))
  const peers = await openPeers(name, specs, (spec) => {
    const bytes = readFileSync(spec.options.out as string)
    agree(spec.name, new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), want)
  })
  try {
    const rounds = isEmulated ? {} : { rounds: isShort ? 5 : 9 }
    await race(name, { units: { sentences: SENTENCES, tokens } }, [ours, ...peers.contestants], rounds)
  } finally {
    await peers.close()
  }
} finally {
  await device.destroy()
  rmSync(folder, { recursive: true, force: true })
}

function agree(who: string, found: Float32Array, want: Float32Array): void {
  if (found.length !== want.length) throw new Error(`${who}: ${found.length} logits (want ${want.length})`)
  const scale = Math.sqrt(want.reduce((n, v) => n + v * v, 0) / want.length)
  const largest = want.reduce((n, v, i) => Math.max(n, Math.abs(found[i] - v)), 0)
  if (!(largest <= TOLERANCE * scale))
    throw new Error(`${who}: a logit differs by ${largest} (want at most ${TOLERANCE} of ${scale})`)
}
