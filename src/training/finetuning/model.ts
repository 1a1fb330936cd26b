/**
 * A fine-tuned tagger as a model folder: an AlbertForTokenClassification or BertForTokenClassification whose labels are tags (O, B, I or O, B-TYPE,
 * I-TYPE), with its vocabulary, and task.json, which keeps the window length that it was trained with. Opened for
 * evaluation and prediction.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Tokenizer } from '../../data/tokenizer/tokenizer.js'
import type { Device } from '../../device/device.js'
import { InputError, UsageError, UserError } from '../../error.js'
import { writeFileAtomic } from '../../files.js'
import { ParameterSet } from '../../graph/parameters.js'
import { Runtime } from '../../graph/runtime.js'
import { CONFIG_FILE, checkVocabulary, openModel, type PretrainedModel } from '../../model/folder.js'
import { declareTokenClassification } from '../../model/token_classification.js'
import { loadPretrained } from '../../model/weights.js'
import type { Precision } from '../../ops/shape.js'
import type { NerFile } from '../../tasks/entities/reader.js'
import type { NerExample } from '../../tasks/entities/windows.js'
import { type NerScores, scoreNer } from '../../tasks/metrics/ner.js'
import { captureTagging, NerTagger } from './predictor.js'

const TASK_FILE = 'task.json'
const taskSchema = z.object({ task: z.literal('ner'), max_length: z.number().int().min(3) })

/** Most pieces of a window where nothing else is said, as far as the model has positions for them. */
export const DEFAULT_MAX_LENGTH = 512

/** Most pieces of a batch of the tagging program: one number for all, so that equal weights give equal bits. */
export function tagRows(maxLength: number): number {
  return Math.max(2048, maxLength)
}

/** Keeps the window length beside a tagger's weights. */
export function writeTask(dir: string, maxLength: number): void {
  writeFileAtomic(join(dir, TASK_FILE), `${JSON.stringify({ task: 'ner', max_length: maxLength })}\n`)
}

export interface TaggerFolder {
  readonly model: PretrainedModel
  readonly labels: readonly string[]
  readonly tokenizer: Tokenizer
  readonly maxLength: number
}

/**
 * Reads and checks a tagger's folder. Throws a UserError for a folder that holds no model, a model without label
 * names or with labels that are no tags, and a vocabulary that is missing or another one than the model's.
 */
export function openTaggerFolder(dir: string, maxLength?: number): TaggerFolder {
  const model = openModel(dir)
  const file = join(dir, CONFIG_FILE)
  const { labels } = model
  const expected = 'a model fine-tuned for named entities (see: finetune ner)'
  if (labels === undefined || labels.length === 0)
    throw new InputError({ file, found: 'no names of labels (id2label)', expected })
  const stray = labels.find((label) => !/^(O|[BI](-.+)?)$/u.test(label ?? ''))
  if (stray !== undefined || !labels.includes('O'))
    throw new InputError({
      file,
      found: `labels ${labels.join(', ')}`,
      expected: `tags (O, B, I or O, B-TYPE, I-TYPE) of ${expected}`,
    })
  const tokenizer = modelTokenizer(model)
  return { model, labels, tokenizer, maxLength: windowLength(model, maxLength ?? readTask(dir)) }
}

/** The vocabulary in a model's folder. Throws a UserError where there is none, or another than the model's. */
export function modelTokenizer(model: PretrainedModel): Tokenizer {
  if (!model.hasVocabulary)
    throw new UserError(
      `${model.dir}: found no tokenizer.json, expected the model's vocabulary beside its weights`,
    )
  const tokenizer = Tokenizer.load(model.dir)
  checkVocabulary(model, tokenizer.size, tokenizer.digest)
  return tokenizer
}

/** The wanted window length, or the usual one. Throws a UsageError where the model has not so many positions. */
export function windowLength(
  { config: { maxPositions } }: Pick<PretrainedModel, 'config'>,
  wanted?: number,
): number {
  if (wanted !== undefined && wanted > maxPositions)
    throw new UsageError(`--max-length is ${wanted}, but the model has ${maxPositions} positions`)
  return wanted ?? Math.min(DEFAULT_MAX_LENGTH, maxPositions)
}

function readTask(dir: string): number | undefined {
  const file = join(dir, TASK_FILE)
  if (!existsSync(file)) return undefined
  try {
    return taskSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).max_length
  } catch {
    throw new InputError({ file, found: 'something else', expected: '{"task": "ner", "max_length": NUMBER}' })
  }
}

/** Puts a tagger on a device, in f32 unless said otherwise. Throws an InputError where the folder has no classifier of its labels. */
export async function loadTagger(
  folder: TaggerFolder,
  device: Device,
  precision?: Precision,
): Promise<NerTagger> {
  const { model, labels, maxLength, tokenizer } = folder
  const rows = tagRows(maxLength)
  const set = new ParameterSet()
  const declared = declareTokenClassification(set, model.config, labels.length)
  const data = new Float32Array(set.arenaElements)
  const { missing } = loadPretrained(model.weights, set, data)
  if (missing.length > 0)
    throw new InputError({
      file: model.weights.path,
      found: `no ${missing.join(', ')}`,
      expected: 'a model fine-tuned for named entities (see: finetune ner)',
    })
  const runtime = new Runtime(device, set, { tag: captureTagging(set, declared, rows, precision) })
  await runtime.writeState('parameters', data)
  return new NerTagger(runtime, tokenizer, { labels, maxLength, rows })
}

/** Tags a file and scores it; every word of the file is scored. */
export async function scoreFile(
  tagger: NerTagger,
  file: NerFile,
  examples?: NerExample[],
  onWords?: (words: number) => void,
): Promise<{ scores: NerScores; tags: string[][] }> {
  const { tags } = await tagger.tag(file.sentences, examples, onWords)
  const gold = file.sentences.map((sentence) => sentence.tags)
  const scores = scoreNer(gold, tags)
  const words = gold.reduce((n, row) => n + row.length, 0)
  if (scores.words !== words) throw new Error(`${file.path}: scored ${scores.words} of ${words} words`)
  return { scores, tags }
}

/** The scores under the names that scripts read; fractions in [0, 1]. */
export function nerSummary({ conlleval, iob2, token, words, sentences }: NerScores) {
  return {
    precision: conlleval.precision,
    recall: conlleval.recall,
    f1: conlleval.f1,
    gold: conlleval.gold,
    predicted: conlleval.predicted,
    correct: conlleval.correct,
    types: conlleval.types,
    strict_iob2: { precision: iob2.precision, recall: iob2.recall, f1: iob2.f1 },
    /** As the scores that papers print seem to be counted: word by word. */
    paper_style: {
      token_accuracy: token.accuracy,
      macro_f1: token.macroF1,
      weighted_f1: token.weightedF1,
    },
    words,
    sentences,
  }
}

export type NerSummary = ReturnType<typeof nerSummary>
