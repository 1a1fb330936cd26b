/**
 * Sizes and settings of the models, ALBERT (Lan et al. 2020, table 1) and BERT (Devlin et al. 2019), and their presets.
 * huggingface.ts reads and writes them as config.json.
 */
import { UsageError } from '../error.js'
import { GELU_FORMS } from '../ops/linear_gelu.js'

/** `albert`: all layers share one block, embeddings have a size of their own. `bert`: neither. */
export const MODEL_TYPES = ['albert', 'bert'] as const
export type ModelType = (typeof MODEL_TYPES)[number]

/** Forms of GELU, which is fused with its dense layer, and functions that are not GELU at all. */
export const ACTIVATIONS = [...GELU_FORMS, 'relu', 'silu'] as const
export type Activation = (typeof ACTIVATIONS)[number]

export interface ModelConfig {
  readonly modelType: ModelType
  readonly vocabularySize: number
  /** E; of BERT the hidden size. */
  readonly embeddingSize: number
  readonly hiddenSize: number
  readonly layers: number
  readonly heads: number
  readonly intermediateSize: number
  readonly maxPositions: number
  readonly segmentTypes: number
  /**
   * The activation in blocks and MLM head: GELU in its form `tanh` in ALBERT, `erf` in BERT, unless a config.json says
   * otherwise, which may name another function as well.
   */
  readonly gelu: Activation
  /** Dropout of hidden states and of attention probabilities, from 0 up to but not 1. */
  readonly dropout: number
  /** Dropout in front of a classifier while fine-tuning. */
  readonly classifierDropout: number
  readonly layerNormEps: number
  readonly initializerRange: number
}

const common = {
  maxPositions: 512,
  segmentTypes: 2,
  classifierDropout: 0.1,
  layerNormEps: 1e-12,
  initializerRange: 0.02,
}

type Sizes = Pick<ModelConfig, 'hiddenSize' | 'layers' | 'heads' | 'intermediateSize'> &
  Partial<Pick<ModelConfig, 'embeddingSize' | 'maxPositions'>>

const ALBERT_SIZES: Readonly<Record<string, Sizes>> = {
  nano: { embeddingSize: 32, hiddenSize: 64, layers: 2, heads: 4, intermediateSize: 256, maxPositions: 128 },
  mini: { hiddenSize: 256, layers: 4, heads: 4, intermediateSize: 1024 },
  base: { hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072 },
  large: { hiddenSize: 1024, layers: 24, heads: 16, intermediateSize: 4096 },
  xlarge: { hiddenSize: 2048, layers: 24, heads: 16, intermediateSize: 8192 },
  xxlarge: { hiddenSize: 4096, layers: 12, heads: 64, intermediateSize: 16384 },
}
const ALBERT_EMBEDDING = 128

/** BERT has the sizes of ALBERT's preset of the same name but for the embeddings. */
const BERT_PREFIX = 'bert-'
const BERT_SIZES = ['nano', 'mini', 'base', 'large']

export const PRESETS = [...Object.keys(ALBERT_SIZES), ...BERT_SIZES.map((name) => BERT_PREFIX + name)]

/**
 * A preset by name. ALBERT's version 1 drops 10% (xxlarge: nothing), version 2 nothing, as the original's checkpoints
 * do; BERT drops 10%. The small ones of this project, `nano` and `mini`, `bert-nano` and `bert-mini`, drop nothing.
 */
export function preset(
  name: string,
  vocabularySize: number,
  overrides: Partial<ModelConfig> & { version?: 1 | 2 } = {},
): ModelConfig {
  if (!PRESETS.includes(name))
    throw new UsageError(`preset ${name} is not known (want one of ${PRESETS.join(', ')})`)
  const isBert = name.startsWith(BERT_PREFIX)
  const size = isBert ? name.slice(BERT_PREFIX.length) : name
  const sizes = ALBERT_SIZES[size]
  const { version = 1, ...rest } = overrides
  const none = (version === 2 && !isBert) || ['xxlarge', 'nano', 'mini'].includes(size)
  const embeddingSize = isBert
    ? (rest.hiddenSize ?? sizes.hiddenSize)
    : (sizes.embeddingSize ?? ALBERT_EMBEDDING)
  return checkConfig({
    modelType: isBert ? 'bert' : 'albert',
    ...common,
    ...sizes,
    embeddingSize,
    gelu: isBert ? 'erf' : 'tanh',
    vocabularySize,
    dropout: none ? 0 : 0.1,
    ...rest,
  })
}

/** Returns the configuration, or throws a UsageError that names the first setting which cannot be. */
export function checkConfig(config: ModelConfig): ModelConfig {
  const want = (ok: boolean, name: keyof ModelConfig, expected: string) => {
    if (!ok) throw new UsageError(`model configuration: ${name} is ${config[name]} (want ${expected})`)
  }
  const sizes = [
    'vocabularySize',
    'embeddingSize',
    'hiddenSize',
    'layers',
    'heads',
    'intermediateSize',
    'maxPositions',
    'segmentTypes',
  ] as const
  for (const name of sizes)
    want(Number.isInteger(config[name]) && config[name] > 0, name, 'a positive whole number')
  want(config.hiddenSize % config.heads === 0, 'hiddenSize', `a multiple of the ${config.heads} heads`)
  want(config.hiddenSize / config.heads <= 256, 'heads', 'heads of at most 256')
  want(
    config.modelType !== 'bert' || config.embeddingSize === config.hiddenSize,
    'embeddingSize',
    `the hidden size ${config.hiddenSize}, as in every BERT`,
  )
  for (const name of ['dropout', 'classifierDropout'] as const)
    want(config[name] >= 0 && config[name] < 1, name, 'a probability below 1')
  want(config.layerNormEps > 0, 'layerNormEps', 'a positive number')
  want(config.initializerRange > 0, 'initializerRange', 'a positive number')
  return config
}
