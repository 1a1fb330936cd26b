/** The config.json of Hugging Face, of ALBERT and of BERT: told apart by `model_type`, read into a ModelConfig and written. */
import { en } from 'zod/locales'
import * as z from 'zod/mini'
import { InputError } from '../error.js'
import { type Activation, checkConfig, MODEL_TYPES, type ModelConfig, type ModelType } from './config.js'

// the messages, which zod has by itself in its larger form alone; a browser is spared that one
z.config(en())

/** Hugging Face's names of activations. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: 'erf',
  gelu_new: 'tanh',
  gelu_pytorch_tanh: 'tanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
}
/** What is written of them. */
const NAMES: Readonly<Record<Activation, string>> = {
  erf: 'gelu',
  tanh: 'gelu_new',
  relu: 'relu',
  silu: 'silu',
}
const activation = z.enum(Object.keys(ACTIVATIONS))

/** Hugging Face's names of what a classifier of sequences is trained by: cross-entropy, log-loss of each label, squared error. */
const PROBLEM_TYPES = ['single_label_classification', 'multi_label_classification', 'regression'] as const
export type ProblemType = (typeof PROBLEM_TYPES)[number]

const shared = {
  vocab_size: z.number(),
  hidden_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  intermediate_size: z.number(),
  max_position_embeddings: z.number(),
  type_vocab_size: z.number(),
  layer_norm_eps: z._default(z.number(), 1e-12),
  initializer_range: z._default(z.number(), 0.02),
  architectures: z.nullish(z.array(z.string())),
  id2label: z.optional(z.record(z.string(), z.string())),
  problem_type: z.nullish(z.enum(PROBLEM_TYPES)),
}
const schema = z.discriminatedUnion('model_type', [
  z.object({
    model_type: z.literal('albert'),
    ...shared,
    embedding_size: z.number(),
    num_hidden_groups: z._default(z.literal(1), 1),
    inner_group_num: z._default(z.literal(1), 1),
    hidden_act: z._default(activation, 'gelu_new'),
    hidden_dropout_prob: z._default(z.number(), 0),
    attention_probs_dropout_prob: z._default(z.number(), 0),
    classifier_dropout_prob: z._default(z.number(), 0.1),
  }),
  z.object({
    model_type: z.literal('bert'),
    ...shared,
    hidden_act: z._default(activation, 'gelu'),
    hidden_dropout_prob: z._default(z.number(), 0.1),
    attention_probs_dropout_prob: z._default(z.number(), 0.1),
    /** null: as hidden_dropout_prob. */
    classifier_dropout: z.nullish(z.number()),
    position_embedding_type: z._default(z.literal('absolute'), 'absolute'),
    is_decoder: z._default(z.literal(false), false),
  }),
])

/** What a config.json says. */
export interface ConfigFile {
  readonly config: ModelConfig
  /** Names of a classifier's labels, by index. */
  readonly labels?: string[]
  readonly problemType?: ProblemType
  /** Classes of transformers that the weights are of. */
  readonly architectures?: readonly string[]
}

/** Reads a config.json of Hugging Face; `family` is taken where it does not name one, as old ones do not. */
export function parseConfig(text: string, file: string, family?: ModelType): ConfigFile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError({ file, found: (error as Error).message, expected: 'a JSON object' })
  }
  const nameless = family !== undefined && isObject(json) && json.model_type === undefined
  const parsed = schema.safeParse(nameless ? { ...(json as object), model_type: family } : json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const at = issue.path.join('.') || 'configuration'
    const type = (json as { model_type?: unknown } | null)?.model_type
    throw new InputError({
      file,
      found:
        at === 'model_type'
          ? `model_type ${JSON.stringify(type) ?? 'missing'}`
          : `${at} ${shown(json, issue.path)}: ${issue.message}`,
      expected: `the configuration of an ALBERT or BERT model (model_type ${MODEL_TYPES.join(' or ')})`,
    })
  }
  const c = parsed.data
  const labels = c.id2label && Object.keys(c.id2label).map((_, i) => c.id2label![String(i)])
  const isBert = c.model_type === 'bert'
  const config = checkConfig({
    modelType: c.model_type,
    vocabularySize: c.vocab_size,
    embeddingSize: isBert ? c.hidden_size : c.embedding_size,
    hiddenSize: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    intermediateSize: c.intermediate_size,
    maxPositions: c.max_position_embeddings,
    segmentTypes: c.type_vocab_size,
    gelu: ACTIVATIONS[c.hidden_act],
    dropout: c.hidden_dropout_prob,
    classifierDropout: isBert ? (c.classifier_dropout ?? c.hidden_dropout_prob) : c.classifier_dropout_prob,
    layerNormEps: c.layer_norm_eps,
    initializerRange: c.initializer_range,
  })
  const { problem_type: problemType, architectures } = c
  return { config, labels, problemType: problemType ?? undefined, architectures: architectures ?? undefined }
}

/** What stands at a place of a configuration. */
function shown(json: unknown, path: readonly PropertyKey[]): string {
  const value = path.reduce<unknown>((at, key) => (isObject(at) ? at[String(key)] : undefined), json)
  return (JSON.stringify(value) ?? 'missing').slice(0, 100)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The config.json that Hugging Face reads. */
export function formatConfig(
  config: ModelConfig,
  architecture: string,
  labels?: readonly string[],
  problemType?: ProblemType,
): string {
  const isBert = config.modelType === 'bert'
  const json = {
    architectures: [architecture],
    model_type: config.modelType,
    vocab_size: config.vocabularySize,
    ...(!isBert && { embedding_size: config.embeddingSize }),
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    ...(!isBert && { num_hidden_groups: 1, inner_group_num: 1 }),
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: NAMES[config.gelu],
    max_position_embeddings: config.maxPositions,
    type_vocab_size: config.segmentTypes,
    hidden_dropout_prob: config.dropout,
    attention_probs_dropout_prob: config.dropout,
    [isBert ? 'classifier_dropout' : 'classifier_dropout_prob']: config.classifierDropout,
    layer_norm_eps: config.layerNormEps,
    initializer_range: config.initializerRange,
    pad_token_id: 0,
    ...(isBert ? { position_embedding_type: 'absolute' } : { bos_token_id: 2, eos_token_id: 3 }),
    ...(labels && {
      id2label: Object.fromEntries(labels.map((l, i) => [String(i), l])),
      label2id: Object.fromEntries(labels.map((l, i) => [l, i])),
    }),
    ...(problemType && { problem_type: problemType }),
  }
  return `${JSON.stringify(json, null, 2)}\n`
}
