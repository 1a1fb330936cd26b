/**
 * The forms in which weights come: one line each, and openWeights finds the one that a path is of. A form gives its tensors
 * as a `WeightsFile`, whatever it looks like on the disk, and everything behind it knows no forms.
 */
import { UserError } from '../../error.js'
import type { ConfigFile } from '../huggingface.js'
import { readSafetensors } from './safetensors.js'
import { readSharded } from './sharded.js'
import { findTensorflow, isTensorflow, readTensorflow, tensorflowConfiguration } from './tensorflow.js'
import type { AskedSizes } from './tensorflow_config.js'
import { readTorch } from './torch.js'
import type { WeightsFile } from './weights_file.js'

export interface WeightFormat {
  /** How its files are called, for people. */
  readonly name: string
  /** Whether a path (a file, or what the names of a checkpoint's files begin with) looks like this form, by names alone. */
  recognises(path: string): boolean
  /** Weights of this form in a folder, for one whose files have no fixed name. */
  find?(dir: string): string | undefined
  /**
   * Reads and checks what describes the tensors; their data when they are asked for.
   * @throws InputError where a file is missing, truncated or foreign, or contradicts itself.
   */
  open(path: string): WeightsFile
  /**
   * The model's configuration for weights that come without a config.json: from other files beside them, or from names and
   * shapes, and from what was asked for where those are silent. Absent where a form knows of neither.
   */
  configuration?(path: string, weights: WeightsFile, asked?: AskedSizes): ConfigFile
}

/** The first that recognises a path is taken. */
export const WEIGHT_FORMATS: readonly WeightFormat[] = [
  { name: '*.safetensors', recognises: (path) => path.endsWith('.safetensors'), open: readSafetensors },
  {
    name: '*.safetensors.index.json',
    recognises: (path) => path.endsWith('.safetensors.index.json'),
    open: (path) => readSharded(path, readSafetensors),
  },
  {
    name: '*.bin, *.pt or *.pth of PyTorch',
    recognises: (path) => /\.(bin|pth?)$/.test(path),
    open: readTorch,
  },
  {
    name: '*.bin.index.json',
    recognises: (path) => path.endsWith('.bin.index.json'),
    open: (path) => readSharded(path, readTorch),
  },
  {
    name: '*.index of TensorFlow',
    recognises: isTensorflow,
    find: findTensorflow,
    open: readTensorflow,
    configuration: tensorflowConfiguration,
  },
]

export function weightFormat(path: string): WeightFormat {
  const format = WEIGHT_FORMATS.find(({ recognises }) => recognises(path))
  if (format) return format
  const known = WEIGHT_FORMATS.map(({ name }) => name).join(', ')
  throw new UserError(`${path}: weights are not called like that (want ${known})`)
}

/** Opens weights in any of the forms. */
export function openWeights(path: string): WeightsFile {
  return weightFormat(path).open(path)
}
