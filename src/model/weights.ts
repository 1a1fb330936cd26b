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

/** What says again what another tensor says. */
const COPY = /^(cls\.)?predictions\.decoder\.(weight|bias)$|\.position_ids$|\.token_type_ids$/

/** What DataParallel puts in front of every name. */
const WRAPPER = 'module.'

/** What names of an encoder begin with where its prefix is absent. */
const INNER = /^(embeddings|encoder|pooler)\./

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

/** A parameter and the tensor of a file that it is. */
export interface Placement {
  readonly segment: Segment
  readonly tensor: StoredTensor
}

/** Which tensor of a file is which parameter. */
export interface Match {
  readonly taken: readonly Placement[]
  /** Parameters that the file does not hold, such as those of another head. */
  readonly missing: readonly Segment[]
  /** Tensors that say again what another says: tied output embeddings, numbers of positions. */
  readonly copies: readonly StoredTensor[]
  /** Tensors of heads that no parameter is of. */
  readonly leftOver: readonly StoredTensor[]
}

/**
 * Finds the parameters in pretrained weights. Whatever the encoder lacks, what it does not know and what has another shape is
 * an InputError; heads and pooler may be missing or left over. In front of all names `module.` may stand (PyTorch's
 * DataParallel), in front of the encoder's the prefix `albert.` or `bert.` may be absent (AlbertModel, BertModel). Tied output
 * embeddings (`predictions.decoder.*`) may be repeated, or stand for the embeddings themselves.
 */
export function matchWeights(file: WeightsFile, parameters: ParameterSet): Match {
  const encoder = encoderPrefix(parameters)
  const optional = (name: string) => !name.startsWith(encoder) || name.startsWith(`${encoder}pooler.`)
  const stored = tensorsByName(file, encoder.slice(0, -1))
  const taken: Placement[] = []
  const missing: Segment[] = []
  for (const segment of parameters.segments) {
    const { name } = segment
    const tensor = stored.get(name) ?? tiedTo(name, encoder, stored)
    if (tensor) {
      expectShape(file, tensor, segment)
      stored.delete(name)
      taken.push({ segment, tensor })
    } else if (optional(name)) missing.push(segment)
    else
      throw new InputError({
        file: file.path,
        found: `no tensor '${name}'`,
        expected: `${shape(segment)}, as the model's configuration says`,
      })
  }
  const word = parameters.segments.find((s) => s.name === encoder + WORD)
  const used = new Set(taken.map(({ tensor }) => tensor))
  const copies: StoredTensor[] = []
  const leftOver: StoredTensor[] = []
  for (const [name, tensor] of stored) {
    if (used.has(tensor)) continue
    if (COPY.test(name)) {
      if (name.endsWith('.weight') && word) expectShape(file, tensor, word)
      copies.push(tensor)
    } else if (optional(name)) leftOver.push(tensor)
    else
      throw new InputError({
        file: file.path,
        found: `tensor '${tensor.name}', ${tensor.dtype} [${tensor.shape}]`,
        expected: 'only tensors of the model that the configuration describes',
      })
  }
  return { taken, missing, copies, leftOver }
}

/** Fills `data`, an arena laid out as `parameters`, from pretrained weights, as `matchWeights` finds them. */
export function loadPretrained(file: WeightsFile, parameters: ParameterSet, data: Float32Array): LoadReport {
  const { taken, missing, leftOver } = matchWeights(file, parameters)
  for (const { segment, tensor } of taken) fill(file, tensor, segment, data)
  return { missing: missing.map(({ name }) => name), ignored: leftOver.map(({ name }) => name) }
}

/**
 * The tensors of a file by the names that parameters have; `family` is `albert` or `bert`.
 * @throws InputError where two are the same parameter.
 */
export function tensorsByName(file: WeightsFile, family: string): Map<string, StoredTensor> {
  const encoder = `${family}.`
  const names = [...file.tensors.keys()]
  const wrapped = names.length > 0 && names.every((name) => name.startsWith(WRAPPER))
  const plain = (name: string) => canonical(wrapped ? name.slice(WRAPPER.length) : name)
  const bare = !names.some((name) => plain(name).startsWith(encoder))
  const stored = new Map<string, StoredTensor>()
  for (const [name, tensor] of file.tensors) {
    const full = bare && INNER.test(plain(name)) ? encoder + plain(name) : plain(name)
    const other = stored.get(full)
    if (other)
      throw new InputError({
        file: file.path,
        found: `tensors '${other.name}' and '${name}', which are the same parameter`,
        expected: 'one of them',
      })
    stored.set(full, tensor)
  }
  return stored
}

/** The tensor that a parameter is tied to, where a file holds that one alone. */
function tiedTo(name: string, encoder: string, stored: ReadonlyMap<string, StoredTensor>) {
  if (TIED_BIAS.test(name)) return stored.get(name.replace(TIED_BIAS, 'predictions.decoder.bias'))
  if (name !== encoder + WORD) return undefined
  return stored.get('predictions.decoder.weight') ?? stored.get('cls.predictions.decoder.weight')
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
