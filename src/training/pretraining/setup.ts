/**
 * Everything about a pretraining run that can be known, and refused, before it takes memory or writes a file: the
 * vocabulary, the instances, the checkpoint to go on from, the settings, the programs and their memory, the weights.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { MANIFEST, manifestDigest, readManifest } from '../../data/instances/manifest.js'
import { type Instance, InstanceStream } from '../../data/instances/stream.js'
import type { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../data/tokenizer/tokenizer_node.js'
import type { Device } from '../../device/device.js'
import { UsageError, UserError } from '../../error.js'
import { compile, type MemoryPlan, memoryOn, memoryPlan } from '../../graph/runtime.js'
import { openModel, readVocabularyContents } from '../../model/folder.js'
import { checkVocabulary, type PretrainedModel, type VocabularyContents } from '../../model/pretrained.js'
import type { PretrainingCapacity } from '../../model/pretraining.js'
import { loadPretrained } from '../../model/weights.js'
import {
  type CheckpointPlace,
  findCheckpoint,
  readArenas,
  readState,
  type TrainingArenas,
} from '../checkpoint.js'
import { initialValues } from '../initialize.js'
import { atStart, type LossScaleState } from '../loss_scale.js'
import { refuseTooLarge } from '../memory.js'
import { openRunFolder } from '../run_folder.js'
import { microBatchCapacity } from './batch.js'
import { heldOutInstances, unigramBaseline } from './evaluate.js'
import { type PretrainingPrograms, pretrainingPrograms } from './programs.js'
import {
  continuedSettings,
  type DataLimits,
  type PretrainChoices,
  type PretrainSettings,
  resolveSettings,
  resumeSettings,
  savedSettings,
  warnings,
} from './settings.js'

export const KIND = 'pretrain'

export interface PretrainSources {
  readonly choices: PretrainChoices
  /** Folders: instances, vocabulary (both known to a checkpoint), what the run writes, weights to start from. */
  readonly instances?: string
  readonly tokenizer?: string
  readonly out: string
  readonly init?: string
  /** A checkpoint, or the folder of a run, whose weights and moments a new run goes on from. */
  readonly continueFrom?: string
  /** Go on from the newest checkpoint in `out`, or start if there is none. */
  readonly resume: boolean
  /** The run is for a device with memory of its own: whether it fits is seen when that is open. */
  readonly ownMemory?: boolean
  /** Held-out instances to evaluate on, at most. */
  readonly evalInstances: number
}

export interface PretrainSetup {
  readonly settings: PretrainSettings
  readonly capacity: PretrainingCapacity
  readonly programs: PretrainingPrograms
  readonly memory: MemoryPlan
  readonly tokenizer: Tokenizer
  readonly vocabulary: VocabularyContents
  /** Absolute path of the folder of instances. */
  readonly instances: string
  readonly stream: InstanceStream
  readonly facts: DataFacts
  readonly heldOut: readonly Instance[]
  /** MLM accuracy of guessing the most frequent label of the held-out instances. */
  readonly baseline: number
  /** Where the run goes on. */
  readonly resumed?: Origin
  /** What a new run has taken over from the checkpoint of another. */
  readonly continued?: Continued
  /** Parameters that the weights of --init do not hold, and tensors of theirs that are not used. */
  readonly init?: { readonly missing: readonly string[]; readonly ignored: readonly string[] }
  readonly warnings: readonly string[]
  /** What the run starts with. */
  arenas(): TrainingArenas
}

/** A checkpoint and its state.json. */
interface Origin {
  readonly place: CheckpointPlace
  readonly state: Record<string, unknown>
}

interface Continued {
  readonly place: CheckpointPlace
  /** Updates that the moments have seen. */
  readonly updates: number
  /** Draws of dropout masks that have been made. */
  readonly draw: number
  /** How its loss was scaled, where it was. */
  readonly lossScale?: LossScaleState
  /** Where that run stood in its data, if these are the same and drawn by the same seed. */
  readonly cursor?: object
}

/** Checks everything; writes nothing. */
export async function setUpPretraining(sources: PretrainSources): Promise<PretrainSetup> {
  const { choices, out, resume } = sources
  if (sources.init !== undefined && sources.continueFrom !== undefined)
    throw new UsageError('want either --init or --continue-from')
  const resumed = origin(openRunFolder(out, resume))
  // once there is a checkpoint, what the run had started from does not matter any more
  const isContinued = resumed === undefined && sources.continueFrom !== undefined
  const from = isContinued ? origin(findCheckpoint(sources.continueFrom as string)) : resumed
  const folders = dataFolders(sources, from)
  const tokenizer = loadTokenizer(folders.tokenizer)
  const vocabulary = readVocabularyContents(folders.tokenizer)
  const manifest = readManifest(folders.instances)
  const initDir = isContinued ? from?.place.dir : resumed ? undefined : sources.init
  const model = initDir === undefined ? undefined : openModel(initDir)
  if (model) checkVocabulary(model, tokenizer.size, tokenizer.digest)
  const limits = {
    maxLength: manifest.maxLength,
    maxPredictions: manifest.maxPredictions,
    vocabularySize: tokenizer.size,
  }
  const settings = settingsOf(choices, limits, from, isContinued, model)
  const common = { tokenizerDigest: tokenizer.digest, seed: settings.seed }
  const stream = await InstanceStream.open(folders.instances, common)
  const heldOut: Instance[] = []
  if (manifest.heldout.instances > 0) {
    const held = await InstanceStream.open(folders.instances, { ...common, split: 'heldout' })
    heldOut.push(...heldOutInstances(held, sources.evalInstances))
    await held.close()
  }
  const capacity = microBatchCapacity(
    settings.rows,
    settings.batch,
    manifest.maxLength,
    manifest.maxPredictions,
  )
  const { config, optimizer, recompute, precision, lossScaling } = settings
  const scaled = lossScaling !== undefined
  const programs = pretrainingPrograms(config, capacity, optimizer, { recompute, precision, scaled })
  const memory = memoryPlan(programs.parameters, compile(programs.graphs).values())
  if (!sources.ownMemory) refuseTooLarge(memory)
  const facts = dataFacts(folders.instances, stream)
  const other = from && otherData(from.state, facts)
  if (resumed && other)
    throw new UserError(`${resumed.place.dir}: the run was started on other instances (${other})`)
  const start = startingPoint(programs, settings, from?.place, model)
  return {
    settings,
    capacity,
    programs,
    memory,
    tokenizer,
    vocabulary,
    instances: folders.instances,
    stream,
    facts,
    heldOut,
    baseline: unigramBaseline(heldOut),
    resumed,
    continued: isContinued && from ? continued(from, settings, other === undefined) : undefined,
    init: start.report,
    warnings: warnings(settings, manifest.pairs),
    arenas: start.arenas,
  }
}

/** What a run needs on a device: as `setup.memory` says, unless the device takes more for what it is. */
export function memoryOfRun({ memory, programs }: PretrainSetup, device: Device): MemoryPlan {
  if (device.programBytes === undefined && device.block === undefined) return memory
  return memoryOn(device, programs.parameters, programs.graphs)
}

function origin(place: CheckpointPlace | undefined): Origin | undefined {
  return place && { place, state: readState(place.dir, KIND) }
}

/** Vocabulary and instances: as named, or those of the checkpoint that the run goes on from. */
function dataFolders(
  { instances, tokenizer, resume, out }: PretrainSources,
  from: Origin | undefined,
): { instances: string; tokenizer: string } {
  const missing = (option: string): never => {
    const why = resume ? ` (${out} has no checkpoint yet that would know it)` : ''
    throw new UsageError(`required option '${option} <dir>' not specified${why}`)
  }
  if (!from)
    return {
      instances: resolve(instances ?? missing('--instances')),
      tokenizer: tokenizer ?? missing('--tokenizer'),
    }
  const { dir } = from.place
  const known = from.state.instances
  if (instances === undefined && typeof known !== 'string')
    throw new UsageError(`${dir}: does not tell which instances the run is on; name them: --instances DIR`)
  const folder = resolve(instances ?? String(known))
  if (instances === undefined && !existsSync(join(folder, MANIFEST)))
    throw new UsageError(
      `${dir}: the run is on the instances ${folder}, which are not there any more; if they have moved, name their folder: --instances DIR`,
    )
  return { instances: folder, tokenizer: tokenizer ?? dir }
}

function settingsOf(
  choices: PretrainChoices,
  limits: DataLimits,
  from: Origin | undefined,
  isContinued: boolean,
  model: PretrainedModel | undefined,
): PretrainSettings {
  if (!from) return resolveSettings(choices, limits, model?.config)
  const { state, place } = from
  if (!isContinued) return resumeSettings(state.settings, choices, place.dir)
  return continuedSettings(savedSettings(state.settings, place.dir), choices, limits)
}

function continued({ place, state }: Origin, { seed }: PretrainSettings, isSameData: boolean): Continued {
  const {
    draw,
    cursor,
    updates = 0,
    lossScale,
  } = state as {
    draw: number
    cursor: object & { seed?: number }
    updates?: number
    lossScale?: LossScaleState
  }
  const goesOn = isSameData && cursor.seed === seed
  return {
    place,
    updates: updates + place.step - (lossScale?.skipped ?? 0),
    draw,
    lossScale: lossScale && atStart(lossScale),
    cursor: goesOn ? cursor : undefined,
  }
}

/** The data that a run goes through, as its checkpoints keep it. */
export type DataFacts = Readonly<Record<string, string | number>>

function dataFacts(dir: string, { info }: InstanceStream): DataFacts {
  const { tokenizerDigest, masking, documents, instances, tokens, predictions } = info
  const instancesDigest = manifestDigest(dir)
  return { tokenizerDigest, masking, documents, instances, tokens, predictions, instancesDigest }
}

/** How the data of a checkpoint differ from these; undefined where they do not. */
function otherData(state: Record<string, unknown>, facts: DataFacts): string | undefined {
  const before = (state.data ?? {}) as Record<string, unknown>
  for (const [name, now] of Object.entries(facts)) {
    // a checkpoint of an earlier version has no digest of the instances
    if (name === 'instancesDigest' && before[name] === undefined) continue
    if (before[name] !== now) return `${name} ${before[name]}, here ${now}`
  }
  return undefined
}

function startingPoint(
  { parameters }: PretrainingPrograms,
  settings: PretrainSettings,
  place: CheckpointPlace | undefined,
  model: PretrainedModel | undefined,
) {
  if (place) {
    // read now, so that a checkpoint that is not whole is refused before anything else happens
    let read: TrainingArenas | undefined = readArenas(place.dir, parameters)
    const arenas = (): TrainingArenas => {
      const given = read ?? readArenas(place.dir, parameters)
      read = undefined
      return given
    }
    return { arenas, report: undefined }
  }
  let values: Float32Array | undefined = initialValues(parameters, settings.seed)
  const report = model && loadPretrained(model.weights, parameters, values)
  const arenas = (): TrainingArenas => {
    const given = values ?? initialValues(parameters, settings.seed)
    values = undefined
    return {
      parameters: given,
      moment1: new Float32Array(parameters.arenaElements),
      moment2: new Float32Array(parameters.arenaElements),
    }
  }
  return { arenas, report }
}
