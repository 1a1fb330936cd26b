/**
 * What a task is: a plain object, as an op is. It reads data, makes model inputs, turns logits into answers, scores and prints
 * them. The loops, checkpoints, `evaluate`, `predict`, `plan`, `profile` and `benchmark` know this contract and no task;
 * index.ts lists the tasks.
 *
 *   files -> items -> examples -> (encoder, head) -> logits -> answers -> scores, predictions
 */
import type { Example, Head } from '../model/head.js'

/** What a model input is cut from and with; data/tokenizer has it. */
export interface PieceTokenizer {
  readonly special: { readonly cls: number; readonly sep: number }
  /** Ids of a text, without special pieces. */
  encode(text: string): Int32Array
  /** Pieces of the words, at least one for each: `wordOf[i]` is the index of the word that piece i is of. */
  encodeWords(words: string[]): { ids: Int32Array; wordOf: Int32Array }
  /** The ids of `encode`, and where in the text each stands. */
  encodeOffsets(text: string): LocatedPieces
}

/** Pieces of a text; piece i is the stretch [starts[i], ends[i]) of its UTF-16 units. */
export interface LocatedPieces {
  readonly ids: Int32Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** One file, or several, of labelled items. */
export interface Split<Item> {
  /** For people and for the name of the predictions: the file, or the folder where there are several. */
  readonly path: string
  readonly items: readonly Item[]
  /** As in DataSet, of a file that is read by itself. */
  readonly notes?: readonly string[]
  readonly facts?: Readonly<Record<string, unknown>>
}

export interface DataSet<Item> {
  /** The form that the data turned out to be in, where that is not the one asked for. */
  readonly form?: string
  readonly train: Split<Item>
  readonly dev: Split<Item>
  readonly test: Split<Item>
  /** Names of the K outputs, in an order that the data alone decide. */
  readonly labels: readonly string[]
  /** What a person should know of it, a line each: the tags' scheme, a dev part that was held out, items left out and why. */
  readonly notes: readonly string[]
  /** The same for scripts. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** How a data set is read. */
export interface ReadOptions {
  /** One of the task's forms. */
  readonly form: string
  /** Which of several folds (from 1) is the test set; data sets without folds refuse it. */
  readonly fold?: number
  /** Of what is held out where a data set has no dev (or no test) part. */
  readonly seed: number
}

/** Of what is learnt beside the weights, such as thresholds from dev; kept in the model's folder. */
export type Fitted = Readonly<Record<string, unknown>>

/** What items are made into examples and answers with. */
export interface TaskContext {
  readonly form: string
  readonly labels: readonly string[]
  readonly tokenizer: PieceTokenizer
  /** Most pieces of an example, special ones included. */
  readonly maxLength: number
  readonly fitted: Fitted
}

/** Scores by name; fractions and correlations are numbers, never NaN: what cannot be computed is null. */
export type Scores = Readonly<Record<string, unknown>>

/** A unit of resampling (sentence, document, question, pair) in terms that add up, such as [correct, predicted, gold]. */
export type Tally = readonly number[]

export interface PrintOptions {
  /** One of the task's formats. */
  readonly format: string
  /** Colours may be used. */
  readonly colour: boolean
  /** The type of entities whose labels have none. */
  readonly entity: string
}

/** What is printed for a line and the answers to its items, with the end of its line. A method's type, so that tasks fit one list. */
export type Printer<Item, Answer> = {
  print(line: string, items: readonly Item[], answers: readonly Answer[]): string
}['print']

/** An entity in a text: `[start, end)` in UTF-16 units. */
export interface FoundEntity {
  readonly start: number
  readonly end: number
  readonly type: string
  /** In [0, 1]. */
  readonly score?: number
}

/** A label of a text; every label of the model is listed. */
export interface FoundLabel {
  readonly label: string
  readonly applies: boolean
  readonly probability: number
}

/** What a task says of a text: where entities stand, or which labels it has. */
export interface Findings {
  readonly entities?: readonly FoundEntity[]
  readonly labels?: readonly FoundLabel[]
}

/** How a task takes documents of several passages. A method's type, as Printer. */
export interface DocumentUse<Item, Answer> {
  /** What `parse` is given: each passage, or all of them as one text. */
  readonly takes: 'passages' | 'documents'
  annotate(
    text: string,
    items: readonly Item[],
    answers: readonly Answer[],
    options: Pick<PrintOptions, 'entity'> & Pick<TaskContext, 'labels'>,
  ): Findings
}

/** Settings of fine-tuning that someone published. */
export interface PublishedSettings {
  readonly learningRate: number
  readonly batch: number
  readonly maxLength: number
  /** Either steps or epochs. */
  readonly steps?: number
  readonly epochs?: number
  /** Steps, or where under 1 the share of all steps. */
  readonly warmup: number
  readonly biasCorrection: boolean
}

/** All of a task but its files, so that it can be had where there are none. */
export interface TaskCore<Item = unknown, Answer = unknown> {
  /** The stem of its file. */
  readonly name: string
  /** What else it is called on the command line. */
  readonly alias: string
  /** One line for --help. */
  readonly summary: string
  /** What the folder of a data set and a file to evaluate hold, for --help and errors. */
  readonly data: string
  /** What one item is, in the plural: sentences, pairs, documents, questions. */
  readonly unit: string
  /** Ways to read or mark the same data; the first is the usual one. */
  readonly forms: readonly string[]
  /** The score that the best checkpoint is chosen by; larger is better. A key of `score`'s result. */
  readonly metric: string
  /** By their name; `naseem2020`, `naseem2022` and `blurb` are there. */
  readonly settings: Readonly<Record<string, PublishedSettings>>
  /** Most pieces of an example where nothing else is said. */
  readonly maxLength: number
  /** Labels as a data set of this task usually has them, for plans and profiles without data. */
  readonly usualLabels: readonly string[]

  /** The head for these labels. Throws an InputError-like UserError for labels that are none of this task. */
  head(labels: readonly string[], form: string): Head
  /**
   * Model inputs of the items, in their order, one or more each; targets where an item has them. With `training` what cannot be
   * trained on is left out (counted in the data set's notes); without it every item has an example.
   */
  examples(items: readonly Item[], context: TaskContext, training: boolean): Example[]
  /** Learns what `decode` needs beside the weights from dev; `logits[e]` are [scored, K] of example e. */
  fit?(
    items: readonly Item[],
    examples: readonly Example[],
    logits: readonly Float32Array[],
    context: TaskContext,
  ): Fitted
  /** One answer an item. Every item is answered, which is checked. */
  decode(
    items: readonly Item[],
    examples: readonly Example[],
    logits: readonly Float32Array[],
    context: TaskContext,
  ): Answer[]
  /** Scores `answers[i]` against what item i has. */
  score(items: readonly Item[], answers: readonly Answer[], labels: readonly string[]): Scores
  /** The same by units that can be resampled; `rate` of the sum is the metric. */
  tally(items: readonly Item[], answers: readonly Answer[], labels: readonly string[]): Tally[]
  /** Null where it cannot be computed, such as a correlation with a constant. */
  rate(sum: Tally): number | null
  /** Scores as rows of a table, one cell for each of `columns`. */
  rows(columns: readonly Scores[]): string[][]
  /** A few scores on one line, for progress. */
  short(scores: Scores): string
  /** Whether the scores are those of a model that has learnt nothing, such as no entity found or one class alone. */
  collapsed(scores: Scores): string | undefined
  /** The predictions file: its ending and text. */
  predictions(
    items: readonly Item[],
    answers: readonly Answer[],
    context: Pick<TaskContext, 'labels'>,
  ): { readonly extension: string; readonly text: string }

  /** What a line given to `predict` is, for --help: `a paragraph`, `two sentences, a tab between them`. */
  readonly input: string
  /** What `predict` can print; the first where nothing is said, `jsonl` is always there. */
  readonly formats: readonly string[]
  /** Items of a line; `place` names it in errors, `context` says what the model was trained on. */
  parse(
    line: string,
    place: { file: string; line: number },
    context?: Pick<TaskContext, 'form' | 'labels'>,
  ): Item[]
  /** What `predict` prints. A printer may keep state (colours). */
  printer(options: PrintOptions): Printer<Item, Answer>
  /** Tasks without it take lines alone. */
  readonly documents?: DocumentUse<Item, Answer>
}

export interface Task<Item = unknown, Answer = unknown> extends TaskCore<Item, Answer> {
  /** Reads and checks a data set. Throws InputError or UserError naming file, line, what was found and expected. */
  read(folder: string, options: ReadOptions): DataSet<Item>
  /** Reads one labelled file, whose labels must be among the model's. */
  readFile(file: string, context: Pick<TaskContext, 'form' | 'labels'>): Split<Item>
}
