/**
 * Sizes and settings of ALBERT (Lan et al. 2020, table 1), its presets, and the config.json of Hugging Face.
 */
import { z } from 'zod'
import { InputError, UsageError } from '../error.js'

export interface AlbertConfig {
  readonly vocabularySize: number
  readonly embeddingSize: number
  readonly hiddenSize: number
  readonly layers: number
  readonly heads: number
  readonly intermediateSize: number
  readonly maxPositions: number
  readonly segmentTypes: number
  /** Dropout of hidden states and of attention probabilities, from 0 up to but not 1. */
  readonly dropout: number
  /** Dropout in front of a classifier while fine-tuning. */
  readonly classifierDropout: number
  readonly layerNormEps: number
  readonly initializerRange: number
}

const common = {
  embeddingSize: 128,
  maxPositions: 512,
  segmentTypes: 2,
  classifierDropout: 0.1,
  layerNormEps: 1e-12,
  initializerRange: 0.02,
}

type Sizes = Pick<AlbertConfig, 'hiddenSize' | 'layers' | 'heads' | 'intermediateSize'> &
  Partial<Pick<AlbertConfig, 'embeddingSize' | 'maxPositions'>>

const SIZES: Readonly<Record<string, Sizes>> = {
  nano: { embeddingSize: 32, hiddenSize: 64, layers: 2, heads: 4, intermediateSize: 256, maxPositions: 128 },
  mini: { hiddenSize: 256, layers: 4, heads: 4, intermediateSize: 1024 },
  base: { hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072 },
  large: { hiddenSize: 1024, layers: 24, heads: 16, intermediateSize: 4096 },
  xlarge: { hiddenSize: 2048, layers: 24, heads: 16, intermediateSize: 8192 },
  xxlarge: { hiddenSize: 4096, layers: 12, heads: 64, intermediateSize: 16384 },
}

export const PRESETS = Object.keys(SIZES)

/**
 * A preset by name. Version 1 drops 10% (xxlarge: nothing), version 2 nothing, as the original's checkpoints do;
 * `nano` and `mini` are small ones of this project, without dropout.
 */
export function preset(
  name: string,
  vocabularySize: number,
  overrides: Partial<AlbertConfig> & { version?: 1 | 2 } = {},
): AlbertConfig {
  const sizes = SIZES[name]
  if (!sizes) throw new UsageError(`preset ${name} is not known (want one of ${PRESETS.join(', ')})`)
  const { version = 1, ...rest } = overrides
  const dropout = version === 2 || ['xxlarge', 'nano', 'mini'].includes(name) ? 0 : 0.1
  return checkConfig({ ...common, ...sizes, vocabularySize, dropout, ...rest })
}

/** Returns the configuration, or throws a UsageError that names the first setting which cannot be. */
export function checkConfig(config: AlbertConfig): AlbertConfig {
  const want = (ok: boolean, name: keyof AlbertConfig, expected: string) => {
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
  for (const name of ['dropout', 'classifierDropout'] as const)
    want(config[name] >= 0 && config[name] < 1, name, 'a probability below 1')
  want(config.layerNormEps > 0, 'layerNormEps', 'a positive number')
  want(config.initializerRange > 0, 'initializerRange', 'a positive number')
  return config
}

const huggingFace = z.object({
  model_type: z.literal('albert'),
  vocab_size: z.number(),
  embedding_size: z.number(),
  hidden_size: z.number(),
  num_hidden_layers: z.number(),
  num_hidden_groups: z.literal(1).default(1),
  inner_group_num: z.literal(1).default(1),
  num_attention_heads: z.number(),
  intermediate_size: z.number(),
  hidden_act: z.enum(['gelu_new', 'gelu']).default('gelu_new'),
  max_position_embeddings: z.number(),
  type_vocab_size: z.number(),
  hidden_dropout_prob: z.number().default(0),
  attention_probs_dropout_prob: z.number().default(0),
  classifier_dropout_prob: z.number().default(0.1),
  layer_norm_eps: z.number().default(1e-12),
  initializer_range: z.number().default(0.02),
  id2label: z.record(z.string(), z.string()).optional(),
})

/** Reads a config.json of Hugging Face; label names come with it if the model is a classifier. */
export function parseConfig(text: string, file: string): { config: AlbertConfig; labels?: string[] } {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError({ file, found: (error as Error).message, expected: 'a JSON object' })
  }
  const parsed = huggingFace.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new InputError({
      file,
      found: `${issue.path.join('.') || 'configuration'}: ${issue.message}`,
      expected: 'the configuration of an ALBERT model',
    })
  }
  const c = parsed.data
  const labels = c.id2label && Object.keys(c.id2label).map((_, i) => c.id2label![String(i)])
  const config = checkConfig({
    vocabularySize: c.vocab_size,
    embeddingSize: c.embedding_size,
    hiddenSize: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    intermediateSize: c.intermediate_size,
    maxPositions: c.max_position_embeddings,
    segmentTypes: c.type_vocab_size,
    dropout: c.hidden_dropout_prob,
    classifierDropout: c.classifier_dropout_prob,
    layerNormEps: c.layer_norm_eps,
    initializerRange: c.initializer_range,
  })
  return { config, labels }
}

/** The config.json that Hugging Face reads. */
export function formatConfig(config: AlbertConfig, architecture: string, labels?: readonly string[]): string {
  const json = {
    architectures: [architecture],
    model_type: 'albert',
    vocab_size: config.vocabularySize,
    embedding_size: config.embeddingSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_hidden_groups: 1,
    inner_group_num: 1,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: 'gelu_new',
    max_position_embeddings: config.maxPositions,
    type_vocab_size: config.segmentTypes,
    hidden_dropout_prob: config.dropout,
    attention_probs_dropout_prob: config.dropout,
    classifier_dropout_prob: config.classifierDropout,
    layer_norm_eps: config.layerNormEps,
    initializer_range: config.initializerRange,
    pad_token_id: 0,
    bos_token_id: 2,
    eos_token_id: 3,
    ...(labels && {
      id2label: Object.fromEntries(labels.map((l, i) => [String(i), l])),
      label2id: Object.fromEntries(labels.map((l, i) => [l, i])),
    }),
  }
  return `${JSON.stringify(json, null, 2)}\n`
}
