/**
 * The golden folders of test/golden/pretrained.py, and the outputs of a model that was read, at every row: hidden states where
 * there is no head, logits of words and pairs, or those of a task.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { linear } from '../../src/autograd/layers.js'
import { Capture } from '../../src/autograd/tensor.js'
import { openDevice } from '../../src/device/open.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Affine } from '../../src/model/block.js'
import { batchInputs, declareEncoder, encode, pickRows, pool } from '../../src/model/encoder.js'
import { classify, declareMlmHead, declarePairHead, mlmFeatures } from '../../src/model/heads.js'
import type { PretrainedModel } from '../../src/model/pretrained.js'
import { spanHead } from '../../src/model/question_answering.js'
import { classHead } from '../../src/model/sequence_classification.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { loadPretrained } from '../../src/model/weights.js'
import { root } from './paths.js'

export interface PretrainedCase {
  readonly architecture: string
  readonly dtype: string
  readonly sequences: readonly { readonly ids: readonly number[]; readonly second: number }[]
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

export const pretrainedFolder = join(root, 'test/golden/pretrained')
export const pretrainedCases: Readonly<Record<string, PretrainedCase>> = JSON.parse(
  readFileSync(join(pretrainedFolder, 'cases.json'), 'utf8'),
)

/** What a model gives for the sequences of a case, by the names of its outputs; and what its weights lacked and had beside. */
export async function outputsOf(model: PretrainedModel, { architecture, sequences }: PretrainedCase) {
  const { config } = model
  const ids = sequences.flatMap((one) => one.ids)
  const starts = [0]
  for (const one of sequences) starts.push(starts.at(-1)! + one.ids.length)
  const [rows, count] = [ids.length, sequences.length]
  const firstRows = Int32Array.from(starts.slice(0, -1))
  const allRows = Int32Array.from(ids.keys())

  const set = new ParameterSet()
  const capture = new Capture(set)
  const names: string[] = []
  const output = (name: string, x: Parameters<Capture['output']>[1]) => {
    names.push(name)
    capture.output(name, x)
  }
  const scalars: Record<string, number> = { rows, sequences: count, seed: 0, draw: 0 }
  const inputs: Record<string, Int32Array> = {}
  const labels = model.labels?.length ?? 2
  const head = /ForTokenClassification$/.test(architecture)
    ? tokenHead
    : /ForQuestionAnswering$/.test(architecture)
      ? spanHead
      : /ForSequenceClassification$/.test(architecture)
        ? classHead
        : undefined
  if (head) {
    const scored = head === classHead ? firstRows : allRows
    const capacity = { rows, sequences: count, scored: scored.length, length: rows }
    const declared = head.declare(set, config, labels)
    head.capture(capture, declared as never, capacity, { training: false, labelled: false })
    names.push('logits')
    inputs.scored_rows = scored
    scalars.scored = scored.length
  } else {
    const withPairs = architecture.endsWith('ForPreTraining')
    const encoder = declareEncoder(set, config, withPairs)
    const hidden = encode(capture, encoder, config, batchInputs(capture, { rows, sequences: count }), {
      training: false,
    })
    const layer = ({ weight, bias }: Affine) => ({
      weight: capture.parameter(weight),
      bias: capture.parameter(bias),
    })
    if (architecture.endsWith('Model')) output('hidden', hidden)
    else {
      const mlm = declareMlmHead(set, config)
      const picked = pickRows(capture, hidden, capture.input('all_rows', [rows], 'i32'))
      const features = mlmFeatures(capture, mlm, config, picked)
      output('mlm_logits', linear(features, layer({ weight: encoder.word, bias: mlm.bias })))
      inputs.all_rows = allRows
    }
    if (withPairs) {
      const pairs = declarePairHead(set, config)
      const pooled = pool(capture, encoder.pooler!, hidden, capture.input('first_rows', [count], 'i32'))
      output('pair_logits', classify(capture, pairs, pooled, 0))
      inputs.first_rows = firstRows
    }
  }
  const data = new Float32Array(set.arenaElements)
  const report = loadPretrained(model.weights, set, data)
  const device = await openDevice('cpu', { threads: 1 })
  const runtime = new Runtime(device, set, { outputs: capture.graph })
  try {
    await runtime.writeState('parameters', data)
    const segments = sequences.flatMap((one) => one.ids.map((_, i) => (i < one.second ? 0 : 1)))
    await runtime.run(
      'outputs',
      {
        ids: Int32Array.from(ids),
        segments: Int32Array.from(segments),
        positions: Int32Array.from(sequences.flatMap((one) => [...one.ids.keys()])),
        cu_seqlens: Int32Array.from(starts),
        ...inputs,
      },
      scalars,
    )
    const outputs: Record<string, Float32Array> = {}
    for (const name of names) outputs[name] = await runtime.read('outputs', name)
    return { outputs, report }
  } finally {
    runtime.free()
    await device.destroy()
  }
}
