/** Model folders of every head and both families for the tests of export, and what our CPU device computes for them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { linear } from '../../src/autograd/layers.js'
import { Capture, type Tensor } from '../../src/autograd/tensor.js'
import { ALBERT_SPECIAL, writeUnigram, writeWordPiece } from '../../src/data/tokenizer/vocabulary_write.js'
import { openDevice } from '../../src/device/open.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Affine } from '../../src/model/block.js'
import { declareDense } from '../../src/model/block.js'
import { type ModelConfig, type ModelType, preset } from '../../src/model/config.js'
import { batchInputs, declareEncoder, encode, pool } from '../../src/model/encoder.js'
import { writeSafetensors } from '../../src/model/formats/safetensors.js'
import { declareMlmHead, declarePairHead, mlmFeatures } from '../../src/model/heads.js'
import { formatConfig } from '../../src/model/huggingface.js'
import type { ModelKind } from '../../src/model/kind.js'
import { arenaTensors } from '../../src/model/weights.js'
import type { WholeModel } from '../../src/model/whole_model.js'
import { openGolden } from './albert_golden.js'
import type { Sequence } from './onnx_case.js'
import { random } from './random.js'
import { folderWith, temporaryFolder } from './temporary.js'
import { smallPieces } from './vocabulary.js'

export const FAMILIES = ['albert', 'bert'] as const
export const MODEL_KINDS: readonly ModelKind[] = [
  'PreTraining',
  'MaskedLM',
  'TokenClassification',
  'SequenceClassification',
  'QuestionAnswering',
  'Model',
]
export const LABELS = ['O', 'B-Disease', 'I-Disease']

export function architectureOf(family: ModelType, kind: ModelKind): string {
  return `${family === 'bert' ? 'Bert' : 'Albert'}${kind === 'Model' ? '' : 'For'}${kind}`
}

/** What stands on the encoder, declared once more. */
function declareAll(set: ParameterSet, config: ModelConfig, kind: ModelKind) {
  const pooled = ['PreTraining', 'SequenceClassification', 'Model'].includes(kind)
  const K = kind === 'QuestionAnswering' ? 2 : LABELS.length
  const dense = (name: string) => declareDense(set, name, K, config.hiddenSize, 0.02)
  const encoder = declareEncoder(set, config, pooled)
  const hasWords = kind === 'PreTraining' || kind === 'MaskedLM'
  const mlm = hasWords ? declareMlmHead(set, config) : undefined
  const pairs = kind === 'PreTraining' ? declarePairHead(set, config) : undefined
  const classifier = /Classification$/.test(kind)
    ? dense('classifier')
    : kind === 'QuestionAnswering'
      ? dense('qa_outputs')
      : undefined
  return { encoder, mlm, pairs, classifier }
}

/** A folder with a nano model of random weights, none of them where they would begin, and a vocabulary. */
export async function nanoFolder(
  family: ModelType,
  kind: ModelKind,
  overrides: Partial<ModelConfig> = {},
): Promise<string> {
  const name = family === 'bert' ? 'bert-nano' : 'nano'
  const config = preset(name, smallPieces.length, { maxPositions: 48, layers: 3, ...overrides })
  const set = new ParameterSet()
  declareAll(set, config, kind)
  const draw = random(17)
  const data = draw.normals(set.arenaElements, 0.15)
  for (const { name: of, offset, size } of set.segments)
    if (/norm.*weight$/i.test(of)) for (let i = 0; i < size; i++) data[offset + i] += 1
  const labels = /Classification$/.test(kind)
    ? LABELS
    : kind === 'QuestionAnswering'
      ? ['start', 'end']
      : undefined
  const problem = kind === 'SequenceClassification' ? 'single_label_classification' : undefined
  const folder = temporaryFolder()
  writeVocabulary(folder, family)
  const json = formatConfig(config, architectureOf(family, kind), labels, problem)
  writeFileSync(join(folder, 'config.json'), json)
  await writeSafetensors(join(folder, 'model.safetensors'), arenaTensors(set, data))
  return folder
}

/** The small vocabulary: WordPiece's for BERT; for ALBERT, as many pieces of a unigram model. */
function writeVocabulary(dir: string, family: ModelType): void {
  if (family === 'bert') {
    writeWordPiece(dir, [...smallPieces], true)
    return
  }
  const pieces = smallPieces.map((piece, id) => {
    const special = ALBERT_SPECIAL[id]
    if (special !== undefined) return { piece: special, score: 0 }
    const bare = piece.replace(/^##/, '')
    return { piece: bare === piece ? `▁${piece}` : bare, score: -1 - id / 10 }
  })
  writeUnigram(dir, {
    pieces,
    special: ALBERT_SPECIAL,
    charsmap: new Uint8Array(),
    digitComma: false,
    lowercase: true,
  })
}

/** A folder with the weights of a golden case. */
export async function goldenFolder(name: string, family: string, kind: ModelKind): Promise<string> {
  const golden = openGolden(name, family)
  const { model_type: type } = golden.json.config
  const json = { ...golden.json.config, architectures: [architectureOf(type, kind)] }
  const folder = folderWith({ 'config.json': JSON.stringify(json) })
  const weights = [...golden.tensors].filter(([key]) => key.startsWith('weights/'))
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    weights.map(([key, tensor]) => [
      key.slice('weights/'.length),
      { shape: tensor.shape, data: tensor.float32() },
    ]),
  )
  return folder
}

/** Sequences of random pieces, whose second segment begins in the middle. */
export function sequencesOf(lengths: readonly number[], vocabulary: number): Sequence[] {
  const draw = random(lengths.length)
  return lengths.map((length) => ({
    ids: draw.integers(length, 0, vocabulary),
    ...(length > 2 && { second: length >> 1 }),
  }))
}

/** What our CPU device gives for ragged sequences, by the names that the outputs have in transformers. */
export async function ownOutputs(
  { kind, config, parameters, data }: Pick<WholeModel, 'kind' | 'config' | 'parameters' | 'data'>,
  sequences: readonly Sequence[],
): Promise<Map<string, Float32Array>> {
  const set = new ParameterSet()
  const { encoder, mlm, pairs, classifier } = declareAll(set, config, kind)
  const capture = new Capture(set)
  const layer = ({ weight, bias }: Affine) => ({
    weight: capture.parameter(weight),
    bias: capture.parameter(bias),
  })
  const lengths = sequences.map(({ ids }) => ids.length)
  const starts = [0]
  for (const length of lengths) starts.push(starts[starts.length - 1] + length)
  const [rows, B] = [starts[sequences.length], sequences.length]
  const batch = batchInputs(capture, { rows, sequences: B })
  const hidden = encode(capture, encoder, config, batch, { training: false })
  const pooled = encoder.pooler
    ? pool(capture, encoder.pooler, hidden, capture.input('first_rows', [B], 'i32'))
    : undefined
  const wanted = new Map<string, Tensor>()
  if (kind === 'Model') wanted.set('last_hidden_state', hidden).set('pooler_output', pooled!)
  if (mlm) {
    const features = mlmFeatures(capture, mlm, config, hidden)
    const tied = { weight: capture.parameter(encoder.word), bias: capture.parameter(mlm.bias) }
    wanted.set(kind === 'MaskedLM' ? 'logits' : 'prediction_logits', linear(features, tied))
  }
  if (pairs) {
    const name = config.modelType === 'bert' ? 'seq_relationship_logits' : 'sop_logits'
    wanted.set(name, linear(pooled!, layer(pairs)))
  }
  if (classifier)
    wanted.set('logits', linear(kind === 'SequenceClassification' ? pooled! : hidden, layer(classifier)))
  for (const [name, tensor] of wanted) capture.output(name, tensor)

  const device = await openDevice('cpu', { threads: 1 })
  const runtime = new Runtime(device, set, { outputs: capture.graph })
  try {
    const arena = new Float32Array(set.arenaElements)
    const places = new Map(parameters.segments.map((segment) => [segment.name, segment]))
    for (const { name, offset, size } of set.segments) {
      const from = places.get(name)!.offset
      arena.set(data.subarray(from, from + size), offset)
    }
    await runtime.writeState('parameters', arena)
    const each = (value: (sequence: Sequence, at: number) => number) =>
      Int32Array.from(sequences.flatMap((s) => Array.from({ length: s.ids.length }, (_, i) => value(s, i))))
    const inputs = {
      ids: each(({ ids }, i) => ids[i]),
      segments: each(({ second }, i) => Number(second !== undefined && i >= second)),
      positions: each((_, i) => i),
      cu_seqlens: Int32Array.from(starts),
      ...(pooled && { first_rows: Int32Array.from(starts.slice(0, B)) }),
    }
    await runtime.run('outputs', inputs, { rows, sequences: B, seed: 0, draw: 0 })
    const found = new Map<string, Float32Array>()
    for (const name of wanted.keys()) found.set(name, (await runtime.read('outputs', name)).slice())
    if (kind !== 'QuestionAnswering') return found
    const both = found.get('logits')!
    const column = (of: number) => both.filter((_, i) => i % 2 === of)
    return new Map([
      ['start_logits', column(0)],
      ['end_logits', column(1)],
    ])
  } finally {
    runtime.free()
    await device.destroy()
  }
}
