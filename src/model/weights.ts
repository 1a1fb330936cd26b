/**
 * Parameters as tensors of safetensors files, under the names of Hugging Face: one tensor per segment of the
 * parameter set (query, key and value are three). Reading pretrained weights takes what the encoder needs and says
 * which heads stay as they were and which tensors of the file nobody wanted.
 */
import { InputError } from '../error.js'
import type { ParameterSet, Segment } from '../graph/parameters.js'
import type { TensorToWrite } from './formats/safetensors_format.js'
import type { StoredTensor, WeightsFile } from './formats/weights_file.js'

const WORD = 'embeddings.word_embeddings.weight'

/** The bias of the output embeddings, of which a file may hold a copy beside those. */
const TIED_BIAS = /(?<=^(cls\.)?)predictions\.bias$/

/** What stands in front of the names of the encoder: `albert.` or `bert.`. */
function encoderPrefix(parameters: ParameterSet): string {
  const word = parameters.segments.find(({ name }) => name.endsWith(WORD))
  if (!word) throw new Error('the parameters have no word embeddings')
  return word.name.slice(0, -WORD.length)
}

export interface LoadReport {
  /** Parameters that the file does not hold, such as those of another head. */
  readonly missing: string[]
  /** Tensors of the file that no parameter takes. */
  readonly ignored: string[]
}

/** The tensors of an arena laid out as `parameters`, each name preceded by `prefix`. */
export function arenaTensors(
  parameters: ParameterSet,
  data: Float32Array,
  prefix = '',
): [name: string, tensor: TensorToWrite][] {
  return parameters.segments.map(({ name, shape, offset, size }) => [
    prefix + name,
    { shape, data: data.subarray(offset, offset + size) },
  ])
}

/** Fills an arena from a file that must hold every tensor of `arenaTensors`. */
export function readArena(
  file: WeightsFile,
  parameters: ParameterSet,
  data: Float32Array,
  prefix = '',
): void {
  for (const segment of parameters.segments) {
    const name = prefix + segment.name
    const tensor = file.tensors.get(name)
    if (!tensor)
      throw new InputError({ file: file.path, found: `no tensor '${name}'`, expected: shape(segment) })
    fill(file, tensor, segment, data)
  }
}

/**
 * Fills `data`, an arena laid out as `parameters`, from pretrained weights. Whatever the encoder lacks, what it
 * does not know and what has another shape is an InputError; heads and pooler may be missing or left over. The prefix
 * `albert.` or `bert.` may be absent (AlbertModel, BertModel), tied output embeddings may be repeated
 * (`predictions.decoder.*`).
 */
export function loadPretrained(file: WeightsFile, parameters: ParameterSet, data: Float32Array): LoadReport {
  const stored = new Map<string, StoredTensor>()
  const encoder = encoderPrefix(parameters)
  const optional = (name: string) => !name.startsWith(encoder) || name.startsWith(`${encoder}pooler.`)
  const bare = file.tensors.has(WORD)
  for (const [name, tensor] of file.tensors) {
    const full = bare && /^(embeddings|encoder|pooler)\./.test(name) ? encoder + name : name
    stored.set(canonical(full), tensor)
  }
  const report: LoadReport = { missing: [], ignored: [] }
  for (const segment of parameters.segments) {
    const { name } = segment
    const repeated = TIED_BIAS.test(name) ? name.replace(TIED_BIAS, 'predictions.decoder.bias') : undefined
    const tensor = stored.get(name) ?? (repeated === undefined ? undefined : stored.get(repeated))
    stored.delete(name)
    if (tensor) fill(file, tensor, segment, data)
    else if (optional(name)) report.missing.push(name)
    else
      throw new InputError({
        file: file.path,
        found: `no tensor '${name}'`,
        expected: `${shape(segment)}, as the model's configuration says`,
      })
  }
  const word = parameters.segments.find((s) => s.name === encoder + WORD)
  for (const [name, tensor] of stored) {
    if (name.endsWith('.position_ids')) continue
    if (/^(cls\.)?predictions\.decoder\.bias$/.test(name)) continue
    if (/^(cls\.)?predictions\.decoder\.weight$/.test(name)) {
      if (word) expectShape(file, tensor, word)
      continue
    }
    if (!optional(name))
      throw new InputError({
        file: file.path,
        found: `tensor '${tensor.name}', ${tensor.dtype} [${tensor.shape}]`,
        expected: 'only tensors of the model that the configuration describes',
      })
    report.ignored.push(tensor.name)
  }
  return report
}

/** Older conversions from TensorFlow kept its names of layer normalisation. */
function canonical(name: string): string {
  return name
    .replace(/(LayerNorm|layer_norm)\.gamma$/, '$1.weight')
    .replace(/(LayerNorm|layer_norm)\.beta$/, '$1.bias')
}

function shape(segment: Segment): string {
  return `'${segment.name}' of shape [${segment.shape}]`
}

function expectShape(file: WeightsFile, tensor: StoredTensor, segment: Segment): void {
  if (tensor.shape.length === segment.shape.length && tensor.shape.every((d, i) => d === segment.shape[i]))
    return
  throw new InputError({
    file: file.path,
    found: `tensor '${tensor.name}', ${tensor.dtype} [${tensor.shape}]`,
    expected: shape(segment),
  })
}

function fill(file: WeightsFile, tensor: StoredTensor, segment: Segment, data: Float32Array): void {
  expectShape(file, tensor, segment)
  tensor.float32(data.subarray(segment.offset, segment.offset + segment.size))
}
