/**
 * The names of the original ALBERT and BERT code (google-research/albert, google-research/bert) and what Hugging Face calls the
 * same tensors. Dense kernels are [in, out] there and [out, in] here; the pair head's weights are [2, H] on both sides. In ALBERT's
 * block LayerNorm is the one behind attention and LayerNorm_1 the one behind the feed-forward layer. The moments of optimizers,
 * moving averages and counters that training leaves behind are told apart; what is neither keeps its name.
 */
import { InputError } from '../../error.js'
import type { ModelType } from '../config.js'
import { ELEMENT_BYTES, LazyTensor, product, type StoredTensor, type TensorSource } from './weights_file.js'

/** Which of the families the variables are of, if of one. */
export function familyOf(names: Iterable<string>): ModelType | undefined {
  for (const name of names) {
    if (/(^|\/)encoder\/(transformer\/group_\d+|embedding_hidden_mapping_in)\//.test(name)) return 'albert'
    if (/(^|\/)encoder\/layer_\d+\//.test(name)) return 'bert'
  }
  return undefined
}

/** Parts of names that optimizers and averages of weights use: the original's Adam and LAMB, and TensorFlow's own. */
const STATE =
  /^(adam_[mv]|lamb_[mv]|Adam(_\d+)?|AdamW(_\d+)?|LAMB(_\d+)?|\w*Optimizer(_\d+)?|Momentum(_\d+)?|Adagrad(_\d+)?|Adafactor(_\d+)?|slot_[mvrc](_\d+)?|ExponentialMovingAverage)$/
/** Counters beside the weights. */
const COUNTERS = /^(.*\/)?(global_step|beta[12]_power(_\d+)?|save_counter|_CHECKPOINTABLE_OBJECT_GRAPH)$/

/** Whether a variable belongs to training alone. */
export function isTrainingState(name: string): boolean {
  return COUNTERS.test(name) || name.split('/').some((part) => STATE.test(part))
}

/** Of ALBERT's block, behind `group_G/inner_group_I/`. */
const ALBERT_BLOCK: Readonly<Record<string, string>> = {
  'attention_1/self/query': 'attention.query',
  'attention_1/self/key': 'attention.key',
  'attention_1/self/value': 'attention.value',
  'attention_1/output/dense': 'attention.dense',
  LayerNorm: 'attention.LayerNorm',
  'ffn_1/intermediate/dense': 'ffn',
  'ffn_1/intermediate/output/dense': 'ffn_output',
  LayerNorm_1: 'full_layer_layer_norm',
}

/** Of a layer of BERT, behind `layer_N/`. */
const BERT_LAYER = [
  'attention/self/query',
  'attention/self/key',
  'attention/self/value',
  'attention/output/dense',
  'attention/output/LayerNorm',
  'intermediate/dense',
  'output/dense',
  'output/LayerNorm',
]

/** What is not in a block. */
const MODULES: Readonly<Record<ModelType, Readonly<Record<string, string>>>> = {
  albert: {
    'bert/embeddings/LayerNorm': 'albert.embeddings.LayerNorm',
    'bert/encoder/embedding_hidden_mapping_in': 'albert.encoder.embedding_hidden_mapping_in',
    'bert/pooler/dense': 'albert.pooler',
    'cls/predictions/transform/dense': 'predictions.dense',
    'cls/predictions/transform/LayerNorm': 'predictions.LayerNorm',
    'cls/predictions': 'predictions',
    'cls/seq_relationship': 'sop_classifier.classifier',
  },
  bert: {
    'bert/embeddings/LayerNorm': 'bert.embeddings.LayerNorm',
    'bert/pooler/dense': 'bert.pooler.dense',
    'cls/predictions/transform/dense': 'cls.predictions.transform.dense',
    'cls/predictions/transform/LayerNorm': 'cls.predictions.transform.LayerNorm',
    'cls/predictions': 'cls.predictions',
    'cls/seq_relationship': 'cls.seq_relationship',
  },
}

/** What a module's own tensors are called. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  kernel: 'weight',
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  output_weights: 'weight',
  output_bias: 'bias',
}

/** Hugging Face's name of a variable, and whether its two dimensions change places; undefined for one that it does not know. */
export function huggingFaceName(
  variable: string,
  family: ModelType,
): { name: string; transposed: boolean } | undefined {
  // what was saved from a module of TensorFlow Hub
  const name = variable.replace(/^module\//, '')
  const table = /^bert\/embeddings\/(word|position|token_type)_embeddings$/.exec(name)
  if (table) return { name: `${family}.embeddings.${table[1]}_embeddings.weight`, transposed: false }
  const slash = name.lastIndexOf('/')
  const kind = name.slice(slash + 1)
  const owner = moduleOf(name.slice(0, Math.max(slash, 0)), family)
  if (owner === undefined || !Object.hasOwn(ATTRIBUTES, kind)) return undefined
  return { name: `${owner}.${ATTRIBUTES[kind]}`, transposed: kind === 'kernel' }
}

function moduleOf(scope: string, family: ModelType): string | undefined {
  if (Object.hasOwn(MODULES[family], scope)) return MODULES[family][scope]
  if (family === 'bert') {
    const layer = /^bert\/encoder\/layer_(\d+)\/(.+)$/.exec(scope)
    if (!layer || !BERT_LAYER.includes(layer[2])) return undefined
    return `bert.encoder.layer.${layer[1]}.${layer[2].replaceAll('/', '.')}`
  }
  const block = /^bert\/encoder\/transformer\/group_(\d+)\/inner_group_(\d+)\/(.+)$/.exec(scope)
  if (!block || !Object.hasOwn(ALBERT_BLOCK, block[3])) return undefined
  return `albert.encoder.albert_layer_groups.${block[1]}.albert_layers.${block[2]}.${ALBERT_BLOCK[block[3]]}`
}

/**
 * The variables of a model under Hugging Face's names, or their own where it has none, and what was left out of them.
 * `path` is what errors call the checkpoint.
 */
export function underHuggingFaceNames(
  path: string,
  variables: readonly TensorSource[],
  family: ModelType,
): { tensors: Map<string, StoredTensor>; leftOut: string[] } {
  const tensors = new Map<string, StoredTensor>()
  const leftOut: string[] = []
  for (const variable of variables) {
    const storedAs = variable.name
    if (isTrainingState(storedAs)) {
      leftOut.push(storedAs)
      continue
    }
    const known = huggingFaceName(storedAs, family)
    const name = known?.name ?? storedAs
    const other = tensors.get(name)
    if (other)
      throw new InputError({
        file: path,
        found: `variables '${other.storedAs ?? other.name}' and '${storedAs}'`,
        expected: `one that is '${name}'`,
      })
    if (!known) tensors.set(name, new LazyTensor(variable))
    else if (!known.transposed) tensors.set(name, new LazyTensor({ ...variable, name, storedAs }))
    else tensors.set(name, new LazyTensor(transposed(variable, name)))
  }
  return { tensors, leftOut }
}

function transposed(variable: TensorSource, name: string): TensorSource {
  const { path, name: storedAs, dtype, shape } = variable
  if (shape.length !== 2)
    throw new InputError({
      file: path,
      found: `variable '${storedAs}' of shape [${shape}]`,
      expected: 'two dimensions, [in, out]',
    })
  const [rows, columns] = shape
  const bytes = ELEMENT_BYTES[dtype]
  return {
    path,
    name,
    dtype,
    shape: [columns, rows],
    storedAs,
    transposed: true,
    read: (target) => {
      const stored = new Uint8Array(product(shape) * bytes)
      variable.read(stored)
      transpose(stored, rows, columns, bytes, target)
    },
  }
}

/** Row-major [rows, columns] to [columns, rows], in squares that stay in the cache, two or four bytes at a time. */
function transpose(from: Uint8Array, rows: number, columns: number, bytes: number, into: Uint8Array): void {
  const word = into.byteOffset % Math.min(bytes, 4) === 0 ? Math.min(bytes, 4) : 1
  const source = inWords(from, word)
  const target = inWords(into, word)
  const words = bytes / word
  const side = 32
  for (let top = 0; top < rows; top += side)
    for (let left = 0; left < columns; left += side)
      for (let column = left; column < Math.min(columns, left + side); column++)
        for (let row = top; row < Math.min(rows, top + side); row++)
          for (let i = 0; i < words; i++)
            target[(column * rows + row) * words + i] = source[(row * columns + column) * words + i]
}

function inWords({ buffer, byteOffset, byteLength }: Uint8Array, word: number) {
  if (word === 4) return new Uint32Array(buffer, byteOffset, byteLength / 4)
  return word === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint8Array(buffer, byteOffset, byteLength)
}
