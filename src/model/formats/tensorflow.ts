/**
 * Checkpoints of the original ALBERT and BERT code as a form of weights: found by any of their files, by the prefix that these
 * share, or by their folder, where the file `checkpoint` names the latest. The configuration beside them is found
 * here too. The container is in tensorflow_bundle.ts, the names in tensorflow_names.ts.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError, UsageError } from '../../error.js'
import type { ModelType } from '../config.js'
import type { ConfigFile } from '../huggingface.js'
import { fileSource } from './file_source.js'
import { readBundle } from './tensorflow_bundle.js'
import { type AskedSizes, configFromShapes, parseOriginalConfig } from './tensorflow_config.js'
import { familyOf, isTrainingState, underHuggingFaceNames } from './tensorflow_names.js'
import { endsAsTable } from './tensorflow_table.js'
import type { WeightsFile } from './weights_file.js'

const EXPECTED = 'a TensorFlow checkpoint (PREFIX.index and PREFIX.data-00000-of-00001)'
const INDEX = '.index'
/** What stands behind the prefix in the names of a checkpoint's files. */
const SUFFIX = /\.(index|meta|data-\d{5}-of-\d{5})$/
const STATE_FILE = 'checkpoint'
/** The original's own, and what BioBERT and others call it. */
const CONFIG_FILES = ['albert_config.json', 'bert_config.json', 'config.json']
const METADATA_FORMAT = 'tensorflow'
const TEXT_BYTES = 1 << 20

/** Whether a path (a file, a prefix, a folder) looks like a checkpoint by names alone. */
export function isTensorflow(path: string): boolean {
  if (SUFFIX.test(path) || existsSync(path + INDEX)) return true
  if (isFolder(path)) return existsSync(join(path, STATE_FILE)) || indexesIn(path).length > 0
  return /\.ckpt(-\d+)?$/.test(path)
}

/** The checkpoint of a folder that has one, or the latest of several. */
export function findTensorflow(dir: string): string | undefined {
  return isFolder(dir) && indexesIn(dir).length > 0 ? prefixOf(dir) : undefined
}

/**
 * Opens a checkpoint: names, shapes and places are read and checked, values when they are asked for.
 * @throws InputError where a file is missing, truncated, foreign or damaged, or of neither family.
 */
export function readTensorflow(path: string): WeightsFile {
  const prefix = prefixOf(path)
  if (!existsSync(prefix + INDEX)) refuseVersion1(prefix)
  const index = fileSource(prefix + INDEX, EXPECTED)
  const { variables, unread } = readBundle(index, (place, count) =>
    fileSource(`${prefix}.data-${five(place)}-of-${five(count)}`, EXPECTED),
  )
  const names = variables.map(({ name }) => name)
  const family = familyOf(names.filter((name) => !isTrainingState(name)))
  if (!family) {
    const objects = names.some((name) => name.endsWith('/.ATTRIBUTES/VARIABLE_VALUE'))
    const found = objects ? 'variables by object, as TensorFlow 2 stores Keras models' : listed(names)
    throw new InputError({
      file: index.path,
      found,
      expected: 'the variables of the original ALBERT or BERT code',
    })
  }
  const { tensors, leftOut } = underHuggingFaceNames(index.path, variables, family)
  const metadata = new Map([['format', METADATA_FORMAT]])
  return { path: index.path, tensors, metadata, leftOut: [...leftOut, ...unread] }
}

/** The configuration beside a checkpoint or in the file that is asked for, or what its shapes and the caller say. */
export function tensorflowConfiguration(
  path: string,
  weights: WeightsFile,
  asked: AskedSizes = {},
): ConfigFile {
  const family: ModelType = [...weights.tensors.keys()].some((name) => name.startsWith('albert.'))
    ? 'albert'
    : 'bert'
  const folder = dirname(prefixOf(path))
  const file = asked.file ?? CONFIG_FILES.map((name) => join(folder, name)).find((name) => existsSync(name))
  if (file === undefined) return { config: configFromShapes(weights, family, asked) }
  const sizes = [asked.layers, asked.heads, asked.preset]
  if (sizes.some((size) => size !== undefined))
    throw new UsageError(
      `${file} says how many layers and heads there are (leave out --layers, --heads, --preset)`,
    )
  return parseOriginalConfig(readText(file), file, family)
}

/** What the names of the files of a checkpoint begin with. */
function prefixOf(path: string): string {
  if (SUFFIX.test(path)) return path.replace(SUFFIX, '')
  if (existsSync(path + INDEX) || !isFolder(path)) return path
  const latest = latestIn(path)
  if (latest !== undefined) return latest
  const found = indexesIn(path)
  if (found.length === 1) return join(path, found[0].slice(0, -INDEX.length))
  throw new InputError({
    file: path,
    found: found.length === 0 ? 'a folder without *.index' : listed(found),
    expected: `${EXPECTED}; with several and no file '${STATE_FILE}', name one of them`,
  })
}

/**
 * The checkpoint that the file `checkpoint` of a folder names. Its path is where training ran, so that of a copy only the last
 * part counts.
 */
function latestIn(folder: string): string | undefined {
  const file = join(folder, STATE_FILE)
  if (!existsSync(file) || !statSync(file).isFile()) return undefined
  const named = /^\s*model_checkpoint_path:\s*"([^"]+)"/m.exec(readText(file))
  const prefix = named && join(folder, basename(named[1].replaceAll('\\', '/')))
  if (prefix && existsSync(prefix + INDEX)) return prefix
  throw new InputError({
    file,
    found: named
      ? `model_checkpoint_path "${named[1]}", which is not in the folder`
      : 'no model_checkpoint_path',
    expected: 'the name of a checkpoint in the same folder',
  })
}

/** A checkpoint of version 1 is one file of the prefix's own name, or several that end in -of-00001. */
function refuseVersion1(prefix: string): void {
  if (!existsSync(prefix) || !statSync(prefix).isFile() || !endsAsTable(fileSource(prefix, EXPECTED))) return
  throw new InputError({
    file: prefix,
    found: 'a checkpoint of version 1 (one file)',
    expected: 'version 2, which TensorFlow 1.0 and later write: load it there and save it again',
  })
}

/** The small files beside the weights. */
function readText(file: string): string {
  const { size } = fileSource(file, 'text')
  if (size > TEXT_BYTES)
    throw new InputError({ file, found: `${size} bytes`, expected: `at most ${TEXT_BYTES} of text` })
  return readFileSync(file, 'utf8')
}

function indexesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(INDEX))
    .sort()
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function five(n: number): string {
  return String(n).padStart(5, '0')
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no variables'
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return (
    names
      .slice(0, 3)
      .map((name) => `'${name}'`)
      .join(', ') + more
  )
}
