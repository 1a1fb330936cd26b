/**
 * The configuration of a TensorFlow checkpoint: from the albert_config.json or bert_config.json of the original code, else from
 * what the shapes of the weights tell. They do not tell how often ALBERT's one block is used, nor into how many heads the hidden
 * size is cut: that has to be said.
 *
 * `hidden_act: gelu` in these files is the name of a function of the code beside them, not of Hugging Face's. ALBERT's code has
 * always computed the tanh form, which is `gelu_new` there. BERT's computed the erf form when BERT's and BioBERT's weights were
 * published and got the tanh form later; transformers reads such checkpoints as `gelu`, erf, and so do we.
 */
import { InputError, UsageError } from '../../error.js'
import { checkConfig, type ModelConfig, type ModelType, PRESETS, preset } from '../config.js'
import { type ConfigFile, parseConfig } from '../huggingface.js'
import type { StoredTensor, WeightsFile } from './weights_file.js'

/** What a person may say about weights that do not say it themselves. */
export interface AskedSizes {
  /** A configuration that is not where it is looked for. */
  readonly file?: string
  readonly layers?: number
  readonly heads?: number
  /** A preset of config.ts that has these sizes. */
  readonly preset?: string
}

/** Where the original's code would compute something that ours does not; each with the only value that is the same. */
const SETTLED: Readonly<Record<string, number>> = {
  net_structure_type: 0,
  num_memory_blocks: 0,
  gap_size: 0,
  down_scale_factor: 1,
}

/** Reads the configuration of the original code, or of Hugging Face where the file says `model_type`. */
export function parseOriginalConfig(text: string, file: string, family: ModelType): ConfigFile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return parseConfig(text, file)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json) || 'model_type' in json)
    return parseConfig(text, file)
  for (const [key, same] of Object.entries(SETTLED)) {
    const found = (json as Record<string, unknown>)[key]
    if (found !== undefined && found !== same)
      throw new InputError({ file, found: `${key} ${JSON.stringify(found)}`, expected: String(same) })
  }
  const original = json as { hidden_act?: unknown }
  const tanh = family === 'albert' && original.hidden_act === 'gelu'
  const named = { ...original, model_type: family, ...(tanh && { hidden_act: 'gelu_new' }) }
  return parseConfig(JSON.stringify(named), file)
}

/**
 * A configuration from names and shapes, and from what was asked for where those are silent.
 * @throws UsageError that names what is missing or does not fit; InputError where the weights are no whole encoder.
 */
export function configFromShapes(weights: WeightsFile, family: ModelType, asked: AskedSizes): ModelConfig {
  const { path } = weights
  const shapeOf = (name: string): readonly number[] => matrix(weights, `${family}.${name}`).shape
  const block = family === 'albert' ? 'encoder.albert_layer_groups.0.albert_layers.0.' : 'encoder.layer.0.'
  const [vocabularySize, embeddingSize] = shapeOf('embeddings.word_embeddings.weight')
  const [maxPositions] = shapeOf('embeddings.position_embeddings.weight')
  const [segmentTypes] = shapeOf('embeddings.token_type_embeddings.weight')
  const ffn = family === 'albert' ? 'ffn.weight' : 'intermediate.dense.weight'
  const [intermediateSize, hiddenSize] = shapeOf(block + ffn)
  const told = { vocabularySize, embeddingSize, maxPositions, segmentTypes, intermediateSize, hiddenSize }
  const named = asked.preset === undefined ? undefined : fitting(path, asked.preset, family, told)
  const counted = family === 'bert' ? countLayers(weights) : undefined
  const layers = counted ?? asked.layers ?? named?.layers
  const heads = asked.heads ?? named?.heads
  if (counted !== undefined && asked.layers !== undefined && asked.layers !== counted)
    throw new UsageError(`${path}: has ${counted} layers, but ${asked.layers} are asked for`)
  if (layers === undefined || heads === undefined) throw silent(path, family, told, layers, heads)
  return checkConfig({
    ...preset(family === 'bert' ? 'bert-base' : 'base', vocabularySize),
    ...told,
    layers,
    heads,
    // as in the original's config files: no dropout in ALBERT's but the classifier's, 0.1 in BERT's
    dropout: family === 'bert' ? 0.1 : 0,
  })
}

type Told = Pick<ModelConfig, 'hiddenSize' | 'intermediateSize'>

function isLike(config: ModelConfig, family: ModelType, { hiddenSize, intermediateSize }: Told): boolean {
  const { modelType, hiddenSize: H, intermediateSize: I } = config
  return modelType === family && H === hiddenSize && I === intermediateSize
}

function fitting(path: string, name: string, family: ModelType, told: Told): ModelConfig {
  const config = preset(name, 1)
  const { hiddenSize: H, intermediateSize: I } = told
  if (!isLike(config, family, told))
    throw new UsageError(
      `${path}: preset ${name} is ${config.modelType} with hidden size ${config.hiddenSize} and intermediate size ` +
        `${config.intermediateSize}, but these weights are ${family} with ${H} and ${I}`,
    )
  return config
}

function silent(path: string, family: ModelType, told: Told, layers?: number, heads?: number): UsageError {
  const missing = [
    ...(layers === undefined ? ['the number of layers (--layers)'] : []),
    ...(heads === undefined ? ['the number of heads (--heads)'] : []),
  ]
  const { hiddenSize: H, intermediateSize: I } = told
  const like = PRESETS.find((name) => isLike(preset(name, 1), family, told))
  const of = like === undefined ? undefined : preset(like, 1)
  const hint = of ? `; --preset ${like} has these sizes, with ${of.layers} layers and ${of.heads} heads` : ''
  return new UsageError(
    `${path}: no ${family}_config.json is beside it, and shapes (hidden size ${H}, intermediate size ${I}) do not tell ` +
      `${missing.join(' and ')}${hint}`,
  )
}

function countLayers({ path, tensors }: WeightsFile): number {
  const there = new Set<number>()
  for (const name of tensors.keys()) {
    const layer = /^bert\.encoder\.layer\.(\d+)\./.exec(name)
    if (layer) there.add(Number(layer[1]))
  }
  const last = Math.max(...there)
  if (there.size !== last + 1)
    throw new InputError({
      file: path,
      found: `${there.size} layers, the last of them layer_${last}`,
      expected: 'layers without a gap, from layer_0 on',
    })
  return there.size
}

function matrix({ path, tensors }: WeightsFile, name: string): StoredTensor {
  const tensor = tensors.get(name)
  if (tensor?.shape.length === 2) return tensor
  throw new InputError({
    file: path,
    found: tensor ? `'${tensor.storedAs ?? name}' of shape [${tensor.shape}]` : `nothing that is '${name}'`,
    expected: `'${name}' with two dimensions`,
  })
}
