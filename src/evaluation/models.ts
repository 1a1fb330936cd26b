/**
 * The models of an evaluation, as a person names them: DIR, NAME=DIR, or random:PRESET for weights drawn from each run's seed.
 * With checkpoints, a run's folder stands for all checkpoint-STEP in it, so that scores can be followed along pretraining.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { loadTokenizer } from '../data/tokenizer/tokenizer_node.js'
import { UsageError } from '../error.js'
import { ParameterSet } from '../graph/parameters.js'
import { type ModelConfig, preset } from '../model/config.js'
import { declareEncoder } from '../model/encoder.js'
import { openModel } from '../model/folder.js'
import { listCheckpoints } from '../training/checkpoint.js'
import type { ModelRecord } from './record.js'

export interface BenchmarkModel extends ModelRecord {
  /** What a run starts from: a folder, or a preset over the pieces of a vocabulary folder. */
  readonly start: { readonly model: string } | { readonly preset: string; readonly tokenizer: string }
  /** Tells these weights from others: SHA-256 of the file; sizes and vocabulary where weights are drawn. */
  readonly digest: string
  readonly config: ModelConfig
}

export interface ModelChoices {
  /** Vocabulary of random weights. */
  readonly tokenizer?: string
  /** A run's folder stands for each of its checkpoints; a folder without any stays what it is, to compare with. */
  readonly checkpoints: boolean
}

const RANDOM = 'random:'

/** Opens and checks them all. Throws a UsageError for names that are not folder names or not distinct. */
export function chooseModels(specs: readonly string[], choices: ModelChoices): BenchmarkModel[] {
  const models = specs.flatMap((spec) => {
    const [name, place] = splitSpec(spec)
    return place.startsWith(RANDOM) ? [randomModel(place, name, choices)] : folderModels(place, name, choices)
  })
  if (choices.checkpoints && models.every(({ step }) => step === undefined))
    throw new UsageError(`--checkpoints: none in ${specs.join(', ')}`)
  for (const [i, { name, dir }] of models.entries()) {
    if (!/^[\w.@+-]+$/.test(name) || /^\.+$/.test(name))
      throw new UsageError(`--model ${dir}: is called ${name} (want letters, digits and . _ @ + -: NAME=DIR)`)
    const other = models.slice(0, i).find((one) => one.name === name)
    if (other)
      throw new UsageError(
        `--model ${other.dir} and ${dir}: both are called ${name}; give them names: NAME=DIR`,
      )
  }
  return models
}

/** NAME and DIR; a folder whose own name has a = in it is written ./DIR. */
function splitSpec(spec: string): [name: string | undefined, place: string] {
  const named = /^([\w.@+-]+)=(.+)$/.exec(spec)
  return named ? [named[1], named[2]] : [undefined, spec]
}

function randomModel(place: string, name: string | undefined, { tokenizer }: ModelChoices): BenchmarkModel {
  const size = place.slice(RANDOM.length)
  if (tokenizer === undefined) throw new UsageError(`--model ${place}: random weights want a --tokenizer DIR`)
  const vocabulary = loadTokenizer(tokenizer)
  const config = preset(size, vocabulary.size)
  return {
    name: name ?? `random-${size}`,
    dir: place,
    parameters: encoderParameters(config),
    start: { preset: size, tokenizer },
    digest: `${size} ${vocabulary.digest}`,
    config,
  }
}

function folderModels(
  place: string,
  name: string | undefined,
  { checkpoints }: ModelChoices,
): BenchmarkModel[] {
  const label = name ?? basename(resolve(place))
  const all = checkpoints ? listCheckpoints(place) : []
  if (all.length === 0) return [folderModel(place, label)]
  return all.map(({ dir, step }) => folderModel(dir, `${label}@${step}`, step))
}

function folderModel(dir: string, name: string, step?: number): BenchmarkModel {
  const { config, weights } = openModel(dir)
  return {
    name,
    dir,
    parameters: encoderParameters(config),
    ...(step !== undefined && { step }),
    start: { model: dir },
    digest: digestOf(weights.files ?? [weights.path]),
    config,
  }
}

function encoderParameters(config: ModelConfig): number {
  const set = new ParameterSet()
  declareEncoder(set, config, true)
  return set.count
}

/** Of the files' contents one after another, in pieces: the weights of a large model need not be in memory twice. */
function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(1 << 22)
  for (const file of files) {
    const descriptor = openSync(file, 'r')
    try {
      for (let read = -1; read !== 0; ) {
        read = readSync(descriptor, piece)
        hash.update(piece.subarray(0, read))
      }
    } finally {
      closeSync(descriptor)
    }
  }
  return hash.digest('hex')
}
