/**
 * Labelling with ALBERT base and random weights: logits of 32 sentences of 10 to 128 pieces. Ours in every precision, in
 * ragged batches sorted by length as `predict` makes them, in turn with ONNX Runtime for Node on the model exported from
 * PyTorch, transformers.js on the same file, and PyTorch: batches sorted by length and padded to their longest, of 1, 8 and
 * 32. All have the same weights and their logits must agree. Tokens are real pieces.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Device } from '../../src/device/device.js'
import { Runtime } from '../../src/graph/runtime.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { capacityOf, collate, pack } from '../../src/training/finetuning/batches.js'
import {
  capturePrediction,
  PREDICT_PROGRAM,
  predictionRows,
} from '../../src/training/finetuning/predictor.js'
import { random } from '../../test/support/random.js'
import { quick } from '../support/bench.js'
import { openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { lastError, openPeers } from '../support/peer.js'
import { INSTALL, type PeerSpec, peerFile, peerPython, peersWanted, skipPeer } from '../support/peers.js'
import { INFERENCE_PRECISIONS, type Precision } from '../support/precisions.js'
import { type Contestant, ownCpu, race } from '../support/race.js'
import { LABELS, madeUp, saveTagging, tagging } from '../support/tagging.js'

const MODEL = quick ? 'mini' : 'base'
const SENTENCES = quick ? 16 : 32
const BATCHES = [1, 8, 32]
/** Largest difference of logits, over their root mean square. */
const TOLERANCE: Record<Precision, number> = { f32: 1e-3, bf16: 0.1, int8: 0.3 }

/** The peers in int8 run where one of ours does. */
const int8Wanted = (INFERENCE_PRECISIONS as readonly Precision[]).includes('int8')

const model = tagging(MODEL, 0)
const draw = random(3)
const lengths = Array.from({ length: SENTENCES }, () => draw.integer(10, 129))
const examples = madeUp(lengths, 1, draw)
const tokens = lengths.reduce((a, b) => a + b, 0)

const folder = temporaryFolder()
const device = await openBenchDevice()
try {
  await saveTagging(
    folder,
    model,
    examples.map(({ ids }) => [...ids]),
  )
  const ours: (Contestant & { logits: Float32Array })[] = []
  for (const precision of INFERENCE_PRECISIONS) ours.push(await contestant(device, precision))
  const want = ours[0].logits
  for (const { name, precision, logits } of ours) agree(name, logits, want, TOLERANCE[precision])
  const name = `inference_${MODEL}_${SENTENCES}`
  const peers = await openPeers(name, [...onnx(name), ...pytorch()], (spec) => {
    const bytes = readFileSync(spec.options.out as string)
    const logits = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    agree(spec.name, logits, want, TOLERANCE[spec.precision])
  })
  try {
    await race(name, { units: { sentences: SENTENCES, tokens } }, [...ours, ...peers.contestants])
  } finally {
    await peers.close()
  }
} finally {
  await device.destroy()
  rmSync(folder, { recursive: true, force: true })
}

/** Ours in a precision, and the logits that it gives, sentence by sentence. */
async function contestant(
  on: Device,
  precision: (typeof INFERENCE_PRECISIONS)[number],
): Promise<Contestant & { logits: Float32Array }> {
  const length = model.config.maxPositions
  const rows = predictionRows(length)
  const graph = capturePrediction(
    model.parameters,
    tokenHead,
    model.model,
    capacityOf(rows, length),
    precision,
  )
  const runtime = new Runtime(on, model.parameters, { [PREDICT_PROGRAM]: graph })
  await runtime.writeState('parameters', model.initial)
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0) * LABELS.length)
  const logits = new Float32Array(tokens * LABELS.length)
  const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a] || a - b)
  const run = async () => {
    for (const chosen of pack(lengths, order, rows)) {
      const { inputs, scalars } = collate(
        tokenHead,
        chosen.map((e) => examples[e]),
        model.config.maxPositions,
        false,
      )
      await runtime.run(PREDICT_PROGRAM, inputs, { ...scalars, seed: 0, draw: 0 })
      const found = await runtime.read(PREDICT_PROGRAM, 'logits', scalars.scored)
      let at = 0
      for (const e of chosen) {
        const size = lengths[e] * LABELS.length
        logits.set(found.subarray(at, at + size), starts[e])
        at += size
      }
    }
  }
  await run()
  return { name: `ours ${precision}`, precision, ours: true, cpu: ownCpu, run, logits: logits.slice() }
}

function pytorch(): PeerSpec[] {
  const modes = [
    ...BATCHES.map((batch) => ({ precision: 'f32', batch }) as const),
    { precision: 'bf16', batch: 8 } as const,
  ]
  return modes.map(({ precision, batch }) => ({
    name: `PyTorch ${precision}, batches of ${batch}`,
    precision,
    script: 'tagging.py',
    options: { model: folder, batch, precision, out: join(folder, `pytorch_${precision}_${batch}.logits`) },
  }))
}

/** The peers on ONNX Runtime, if the model can be exported for them. */
function onnx(name: string): PeerSpec[] {
  const kinds = [
    { kind: 'ONNX Runtime', script: 'tagging_onnxruntime.mjs', npm: 'onnxruntime-node' },
    { kind: 'transformers.js', script: 'tagging_transformers.mjs', npm: '@huggingface/transformers' },
  ]
  const problem = peersWanted ? exportOnnx() : undefined
  if (problem !== undefined) {
    for (const { kind } of kinds) skipPeer(name, kind, problem)
    return []
  }
  const exact = kinds.flatMap(({ kind, script, npm }) =>
    BATCHES.map((batch): PeerSpec => {
      const options = { model: folder, batch, out: join(folder, `${npm.replace('/', '_')}_${batch}.logits`) }
      return { name: `${kind}, batches of ${batch}`, precision: 'f32', script, npm, options }
    }),
  )
  const [{ kind, script, npm }] = kinds
  const coarse = (int8Wanted ? BATCHES : []).map((batch): PeerSpec => {
    const options = {
      model: folder,
      batch,
      file: 'model_quantized.onnx',
      out: join(folder, `int8_${batch}.logits`),
    }
    return { name: `${kind} int8, batches of ${batch}`, precision: 'int8', script, npm, options }
  })
  return [...exact, ...coarse]
}

/** Makes onnx/model.onnx in the folder; or says why it could not. */
function exportOnnx(): string | undefined {
  const python = peerPython()
  if (python === undefined) return `no export to ONNX without Python: ${INSTALL.python}`
  const argv = [peerFile('export_onnx.py'), '--model', folder, ...(int8Wanted ? ['--int8'] : [])]
  const { status, stderr } = spawnSync(python, argv, { encoding: 'utf8' })
  return status === 0 ? undefined : `no export to ONNX: ${lastError(stderr) ?? `exit status ${status}`}`
}

function agree(who: string, logits: Float32Array, want: Float32Array, tolerance: number): void {
  if (logits.length !== want.length) throw new Error(`${who}: ${logits.length} logits (want ${want.length})`)
  const scale = Math.sqrt(want.reduce((n, v) => n + v * v, 0) / want.length)
  const largest = want.reduce((n, v, i) => Math.max(n, Math.abs(logits[i] - v)), 0)
  if (!(largest <= tolerance * scale))
    throw new Error(`${who}: a logit differs by ${largest} (want at most ${tolerance} of ${scale})`)
}
