/**
 * A model folder read whole, whatever stands on its encoder, for commands that hand a model on rather than run it: encoder, head and
 * weights in one arena. What the head is, config.json says (`architectures`), or else the names of the weights.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../error.js'
import { type Parameter, ParameterSet } from '../graph/parameters.js'
import { type Affine, declareDense } from './block.js'
import type { ModelConfig } from './config.js'
import { declareEncoder } from './encoder.js'
import type { EncoderParameters } from './encoder_parameters.js'
import { openModel } from './folder.js'
import { declareMlmHead, declarePairHead, type MlmHead } from './heads.js'
import { parseConfig } from './huggingface.js'
import { className, KINDS, kindOfWeights, type ModelKind, unnamedLabels } from './kind.js'
import { CONFIG_FILE, type PretrainedModel } from './pretrained.js'
import { loadPretrained, tensorsByName } from './weights.js'

/** An encoder and what stands on it. */
export interface WholeModel {
  /** As in AlbertFor<kind>. */
  readonly kind: ModelKind
  /** What Hugging Face calls the model. */
  readonly architecture: string
  readonly folder: PretrainedModel
  readonly config: ModelConfig
  readonly encoder: EncoderParameters
  /** Of PreTraining and MaskedLM. */
  readonly mlm?: MlmHead
  /** Two classes of sentence pairs, of PreTraining. */
  readonly pairs?: Affine
  /** The dense layer H -> K of the other heads. */
  readonly classifier?: Affine
  /** Names of the K outputs of a classifier. */
  readonly labels?: readonly string[]
  readonly parameters: ParameterSet
  /** The arena of `parameters`. */
  readonly data: Float32Array
  /** Tensors of the file that the model has no use for. */
  readonly ignored: readonly string[]
}

/** Reads a model folder with all of its weights. Throws an InputError for a head that is none of KINDS or not whole. */
export function readWholeModel(dir: string): WholeModel {
  const folder = openModel(dir)
  const kind = kindOf(folder)
  const wanted = declare(folder, kind, true)
  let { declared, missing } = wanted
  let { ignored } = wanted
  if (kind === 'Model' && missing.length > 0 && missing.every((name) => /pooler\.[^/]*$/.test(name)))
    ({ declared, missing, ignored } = declare(folder, kind, false))
  if (missing.length > 0)
    throw new InputError({
      file: folder.weights.path,
      found: `no ${missing.join(', ')}`,
      expected: `the weights of ${className(folder.config, kind)}, as ${CONFIG_FILE} says`,
    })
  return { ...declared, ignored }
}

type Declared = Omit<WholeModel, 'ignored'>

function declare(
  folder: PretrainedModel,
  kind: ModelKind,
  pooler: boolean,
): { declared: Declared; missing: string[]; ignored: string[] } {
  const { config, weights } = folder
  const parameters = new ParameterSet()
  const pooled = kind === 'PreTraining' || kind === 'SequenceClassification' || (kind === 'Model' && pooler)
  const encoder = declareEncoder(parameters, config, pooled)
  const mlm = kind === 'PreTraining' || kind === 'MaskedLM' ? declareMlmHead(parameters, config) : undefined
  const pairs = kind === 'PreTraining' ? declarePairHead(parameters, config) : undefined
  const name = classifierName(kind)
  const labels = name === undefined ? undefined : labelsOf(folder, name)
  const classifier =
    name === undefined
      ? undefined
      : declareDense(parameters, name, labels!.length, config.hiddenSize, config.initializerRange)
  const data = new Float32Array(parameters.arenaElements)
  const { missing, ignored } = loadPretrained(weights, parameters, data)
  const declared = {
    kind,
    architecture: className(config, kind),
    folder,
    config,
    encoder,
    mlm,
    pairs,
    classifier,
    labels,
    parameters,
    data,
  }
  return { declared, missing, ignored }
}

function classifierName(kind: ModelKind): 'classifier' | 'qa_outputs' | undefined {
  if (kind === 'QuestionAnswering') return 'qa_outputs'
  return kind === 'TokenClassification' || kind === 'SequenceClassification' ? 'classifier' : undefined
}

/** The names of the outputs: those of config.json, else as many as the weights have, called as Hugging Face does it. */
function labelsOf({ config, labels, weights }: PretrainedModel, name: string): readonly string[] {
  const count = tensorsByName(weights, config.modelType).get(`${name}.bias`)?.shape[0] ?? labels?.length
  if (labels?.length === count && labels !== undefined) return labels
  if (labels !== undefined && labels.length > 0)
    throw new InputError({
      file: weights.path,
      found: `'${name}.bias' of ${count} outputs`,
      expected: `${labels.length}, as many as the id2label of ${CONFIG_FILE}`,
    })
  return unnamedLabels(count ?? 2)
}

/** What the folder says that it is, or what its weights are. */
function kindOf(folder: PretrainedModel): ModelKind {
  const { dir, config, weights } = folder
  const file = join(dir, CONFIG_FILE)
  const said = parseConfig(readFileSync(file, 'utf8'), file).architectures?.[0]
  if (said === undefined) return kindOfWeights(tensorsByName(weights, config.modelType))
  const kind = KINDS.find((one) => className(config, one) === said)
  if (kind !== undefined) return kind
  throw new InputError({
    file,
    found: `architectures: ${said}`,
    expected: `one of ${KINDS.map((one) => className(config, one)).join(', ')}`,
  })
}

/** Tensor `part` of a parameter, and its values in the arena. */
export function partOf(
  { name, parts, offset }: Parameter,
  data: Float32Array,
  part = 0,
): { name: string; shape: readonly number[]; data: Float32Array } {
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
  const at = parts.slice(0, part).reduce((n, { shape }) => n + size(shape), offset)
  const found = parts[part]
  if (!found) throw new Error(`${name} has no part ${part}`)
  return { ...found, data: data.subarray(at, at + size(found.shape)) }
}
