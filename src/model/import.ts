/**
 * Models that others trained, made into ours: which heads a file of weights has, which of its tensors is which of our
 * parameters, and the folder that is written. Every tensor of either side is accounted for.
 */
import { InputError } from '../error.js'
import { ParameterSet } from '../graph/parameters.js'
import type { ModelConfig } from './config.js'
import { writeModelFolder } from './folder.js'
import type { TensorToWrite } from './formats/safetensors_format.js'
import type { StoredTensor, WeightsFile } from './formats/weights_file.js'
import type { ConfigFile } from './huggingface.js'
import { className, type HeadName, kindOfWeights, unnamedLabels } from './kind.js'
import { declarePretraining } from './pretraining.js'
import { spanHead } from './question_answering.js'
import { classHead } from './sequence_classification.js'
import { tokenHead } from './token_classification.js'
import { type Match, matchWeights, type Placement, tensorsByName } from './weights.js'

/** Outputs that labels without a name are made up for. */
const MOST_LABELS = 10_000

/** What became of a tensor, or of a parameter. */
export type ImportState = 'taken' | 'transposed' | 'copy' | 'missing' | 'left over' | 'left out'

/** A line of the report. */
export interface ImportedTensor {
  readonly state: ImportState
  /** Of the parameter; null for a tensor that is none. */
  readonly name: string | null
  /** In the source; null for a parameter that it lacks. */
  readonly source: string | null
  readonly dtype: string | null
  readonly shape: readonly number[] | null
}

export interface ModelToImport {
  readonly weights: WeightsFile
  readonly config: ModelConfig
  /** What Hugging Face calls the model with the heads that are there, such as BertForMaskedLM. */
  readonly architecture: string
  readonly head: HeadName
  readonly labels?: readonly string[]
  readonly problemType?: ConfigFile['problemType']
  readonly match: Match
}

/**
 * Finds the heads and the parameters. `wanted` is the head that a model for some task has to have.
 * @throws InputError where the encoder or such a head is incomplete, or labels and classifier disagree.
 */
export function planImport(weights: WeightsFile, source: ConfigFile, wanted?: HeadName): ModelToImport {
  const { config, problemType } = source
  const stored = tensorsByName(weights, config.modelType)
  const head = wanted ?? headIn(stored, source)
  const outputs = stored.get('classifier.weight')?.shape[0] ?? 2
  const parameters = new ParameterSet()
  declareWith(head, parameters, config, outputs)
  const match = matchWeights(weights, parameters)
  if (head !== 'PreTraining' && match.missing.length > 0)
    throw new InputError({
      file: weights.path,
      found: `no tensor '${match.missing[0].name}'`,
      expected: `a model with a head for ${head}`,
    })
  const labels = labelsOf(head, outputs, source, weights)
  const architecture = architectureFound(config, head, match)
  return {
    weights,
    config,
    architecture,
    head,
    labels,
    problemType: head === 'SequenceClassification' ? problemType : undefined,
    match,
  }
}

function declareWith(head: HeadName, set: ParameterSet, config: ModelConfig, outputs: number): void {
  if (head === 'PreTraining') declarePretraining(set, config)
  else if (head === 'TokenClassification') tokenHead.declare(set, config, outputs)
  else if (head === 'SequenceClassification') classHead.declare(set, config, outputs)
  else spanHead.declare(set, config, 2)
}

/** What the tensors are of; between a classifier of tokens and one of sequences the configuration decides. */
function headIn(stored: ReadonlyMap<string, StoredTensor>, { architectures = [] }: ConfigFile): HeadName {
  const kind = kindOfWeights(stored)
  if (kind === 'MaskedLM' || kind === 'Model') return 'PreTraining'
  if (kind !== 'TokenClassification' && kind !== 'SequenceClassification') return kind
  const said = (['TokenClassification', 'SequenceClassification'] as const).find((one) =>
    architectures.some((name) => name.endsWith(`For${one}`)),
  )
  return said ?? kind
}

function labelsOf(
  head: HeadName,
  outputs: number,
  { labels }: ConfigFile,
  weights: WeightsFile,
): readonly string[] | undefined {
  if (head === 'PreTraining') return undefined
  if (head === 'QuestionAnswering') return ['start', 'end']
  if (labels === undefined && outputs <= MOST_LABELS) return unnamedLabels(outputs)
  if (labels?.length === outputs) return labels
  throw new InputError({
    file: weights.path,
    found: `a classifier of ${outputs} outputs`,
    expected: `${labels?.length ?? MOST_LABELS}, one for each label of the configuration (id2label)`,
  })
}

function architectureFound(config: ModelConfig, head: HeadName, { taken }: Match): string {
  if (head !== 'PreTraining') return className(config, head)
  const has = (part: RegExp) => taken.some(({ segment }) => part.test(segment.name))
  const [words, pairs] = [has(/^(cls\.)?predictions\./), has(/^(sop_classifier|cls\.seq_relationship)\./)]
  if (words) return className(config, pairs ? 'PreTraining' : 'MaskedLM')
  return pairs && config.modelType === 'bert' ? 'BertForNextSentencePrediction' : className(config, 'Model')
}

/** Writes the folder: config.json, model.safetensors in f32. The vocabulary's files are there already, or there are none. */
export async function writeImported(dir: string, model: ModelToImport, digest?: string): Promise<void> {
  const { config, architecture, labels, problemType, match, weights } = model
  const tensors = match.taken.map((placement): [string, TensorToWrite] => [
    placement.segment.name,
    { shape: placement.segment.shape, data: () => finite(placement, weights), dtype: 'F32' },
  ])
  await writeModelFolder(dir, {
    config,
    architecture,
    labels,
    problemType,
    tensors,
    vocabulary: new Map(),
    vocabularyDigest: digest,
  })
}

/** The values of a tensor, none of which is infinite or not a number, as some are after a training that diverged. */
function finite({ tensor }: Placement, { path }: WeightsFile): Float32Array {
  const values = tensor.float32()
  const wrong = values.findIndex((value) => !Number.isFinite(value))
  if (wrong < 0) return values
  throw new InputError({
    file: path,
    found: `tensor '${tensor.name}' with ${values[wrong]} at ${wrong}`,
    expected: 'finite numbers within the range of f32',
  })
}

/** What became of everything, parameters first, in their order. */
export function importReport({ match, weights }: ModelToImport): ImportedTensor[] {
  const of = (tensor: StoredTensor, state: ImportState, name: string | null = null): ImportedTensor => ({
    state,
    name,
    source: tensor.storedAs ?? tensor.name,
    dtype: tensor.dtype,
    shape: tensor.shape,
  })
  const { taken, missing, copies, leftOver } = match
  return [
    ...taken.map(({ segment, tensor }) =>
      of(tensor, tensor.transposed ? 'transposed' : 'taken', segment.name),
    ),
    ...missing.map(
      ({ name, shape }): ImportedTensor => ({ state: 'missing', name, source: null, dtype: null, shape }),
    ),
    ...copies.map((tensor) => of(tensor, 'copy')),
    ...leftOver.map((tensor) => of(tensor, 'left over')),
    ...(weights.leftOut ?? []).map(
      (name): ImportedTensor => ({ state: 'left out', name: null, source: name, dtype: null, shape: null }),
    ),
  ]
}
