/**
 * What a report is made from: runs, benchmarks and profiles as they were found in folders (read/), with no word yet on how
 * they are shown (sections/).
 */
import type {
  DifferenceRecord,
  Interval,
  PublishedRecord,
  ScoreRecord,
  SetRecord,
} from '../evaluation/record.js'

export interface Point {
  readonly step: number
  readonly value: number
}

/** A training log by its numbers: `loss`, `lr`, and those inside of objects as `dev.f1`, `heldout.loss`. */
export interface Log {
  /** Of the last line. */
  readonly lastStep: number
  readonly series: ReadonlyMap<string, readonly Point[]>
}

/** A sentence of the predictions of named entities; tags in IOB2. */
export interface TaggedSentence {
  readonly words: readonly string[]
  readonly gold: readonly string[]
  readonly predicted: readonly string[]
}

/** An item of any other task: its texts by their names, and what was right and what was answered. */
export interface AnsweredItem {
  readonly texts: readonly { readonly name: string; readonly text: string }[]
  /** Undefined where the file does not tell. */
  readonly gold: string | undefined
  readonly predicted: string
}

export type Predictions =
  | { readonly kind: 'tags'; readonly sentences: readonly TaggedSentence[] }
  | { readonly kind: 'items'; readonly items: readonly AnsweredItem[] }

/** Where in a benchmark a run stands. */
export interface BenchmarkPlace {
  readonly set: string
  readonly model: string
  readonly seed: number
  readonly fold?: number
  /** The folder of the benchmark, where its own file is there. */
  readonly benchmark?: string
}

export interface Run {
  readonly kind: 'pretraining' | 'fine-tuning'
  /** Tells it from the others of the report. */
  readonly name: string
  readonly dir: string
  /** Undefined where nothing in the folder tells. */
  readonly finished: boolean | undefined
  /** Updates made, and those that were planned where that is known. */
  readonly step: number
  readonly totalSteps?: number
  readonly task?: string
  readonly metric?: string
  /** Scores by name as the run wrote them. */
  readonly dev?: Readonly<Record<string, unknown>>
  readonly test?: Readonly<Record<string, unknown>>
  readonly bestStep?: number
  /** Why the scores are those of a model that has learnt nothing. */
  readonly collapsed?: string
  readonly labels: readonly string[]
  readonly seconds?: number
  readonly tokensPerSecond?: number
  readonly settings: Readonly<Record<string, unknown>>
  readonly log?: Log
  /** The file of the test set's predictions. */
  readonly predictions?: string
  readonly place?: BenchmarkPlace
}

export type { Interval }
export type BenchmarkSet = SetRecord
export type Difference = DifferenceRecord
export type PublishedScore = PublishedRecord

export interface BenchmarkScore
  extends Pick<ScoreRecord, 'set' | 'model' | 'metric' | 'values' | 'mean' | 'sd' | 'interval'> {
  readonly others: Readonly<Record<string, number | null>>
}

export interface Benchmark {
  readonly name: string
  readonly dir: string
  readonly version: string
  readonly command: readonly string[]
  readonly models: readonly {
    readonly name: string
    readonly dir: string
    readonly parameters: number | null
    /** Steps of pretraining, of a checkpoint. */
    readonly step?: number
  }[]
  readonly sets: readonly BenchmarkSet[]
  /** `dir` is inside the benchmark's folder. */
  readonly runs: readonly (BenchmarkPlace & { readonly dir?: string })[]
  /** Runs that ended with an error, and the number of those that were planned and have not ended. */
  readonly failures: readonly (BenchmarkPlace & { readonly error: string })[]
  readonly left: number
  readonly scores: readonly BenchmarkScore[]
  readonly differences: readonly Difference[]
  readonly averages: readonly {
    readonly model: string
    readonly tasks: Readonly<Record<string, number | null>>
    readonly blurb: number | null
    readonly blurbNote: string
  }[]
  readonly published: readonly PublishedScore[]
}

export interface Profile {
  readonly name: string
  /** What `profile --json` printed. */
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly kernels: readonly {
    readonly name: string
    readonly calls: number
    readonly ms: number
    readonly share: number
    readonly gflops: number | null
    readonly gbps: number | null
    readonly percentOfPeak: number | null
    readonly roof: string | null
  }[]
}

/** A picture that lay in a folder. It is shown as an image, in which no script runs. */
export interface Picture {
  readonly name: string
  readonly svg: string
}

export interface Report {
  readonly runs: readonly Run[]
  readonly benchmarks: readonly Benchmark[]
  readonly profiles: readonly Profile[]
  readonly pictures: readonly Picture[]
}
