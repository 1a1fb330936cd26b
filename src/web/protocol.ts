/**
 * What the page and its worker say to each other. The page never computes: it sends a `Request` with a number, and hears any number of
 * `progress` messages and then one `result` or one `failure` with that number. Files go as the browser's own `File`s, which cost
 * nothing to send; bytes that come back are transferred. Everything here can be cloned by postMessage.
 */

/** A model to annotate with, as it was read. */
export interface ModelFacts {
  readonly name: string
  /** `pretrained` where it has no labels yet: it can be fine-tuned, and nothing else. */
  readonly task: string
  readonly labels: readonly string[]
  readonly parameters: number
  readonly layers: number
  readonly hiddenSize: number
  readonly maxLength: number
}

export interface DeviceFacts {
  readonly available: boolean
  /** What the adapter calls itself; where there is none, why, in a sentence for people. */
  readonly detail: string
}

/** A stretch of the text in UTF-16 units, end exclusive. */
export interface Entity {
  readonly start: number
  readonly end: number
  readonly type: string
  /** Probability of its least certain word, 0 to 1. */
  readonly confidence: number
}

export interface Annotation {
  readonly entities: readonly Entity[]
  /** Milliseconds, tokenisation included, compilation of kernels not. */
  readonly milliseconds: number
  readonly pieces: number
}

export interface Settings {
  readonly epochs: number
  readonly learningRate: number
  readonly batch: number
  readonly seed: number
}

export interface Scores {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** Requests by what they ask for, with what comes back. */
export interface Requests {
  /** Opens the device; anything else does so too where it must. */
  open: { ask: Record<never, never>; result: DeviceFacts }
  /** Reads a model folder: config.json, model.safetensors, tokenizer.json, task.json in any order; others are left alone. */
  load: { ask: { readonly files: readonly File[] }; result: ModelFacts }
  /**
   * Labels a text. One that is asked for while an older one waits, or is labelled in several batches, takes its place, and the older
   * one fails with `superseded`.
   */
  annotate: { ask: { readonly text: string }; result: Annotation }
  /**
   * Fine-tunes the loaded model, or one of random weights with its tokenizer, on files of the entities task (a word and its tag on a
   * line). Without dev, every tenth sentence of train is held out. Tells `step` and `dev` as it goes; ends when all is done or stopped.
   */
  finetune: {
    ask: {
      readonly train: File
      readonly dev?: File
      readonly settings: Settings
      /** Weights to start from: those of the loaded model's encoder, or random ones. */
      readonly from: 'model' | 'random'
    }
    result: {
      readonly steps: number
      readonly dev: Scores
      readonly model: ModelFacts
      readonly interrupted: boolean
    }
  }
  /** Holds the run after the step that is under way, goes on with it, or ends it early: the best model so far is then the result. */
  control: { ask: { readonly action: 'pause' | 'resume' | 'stop' }; result: Record<never, never> }
  /** The fine-tuned model as files of a model folder, which the command line reads too. */
  download: {
    ask: Record<never, never>
    result: { readonly files: readonly { readonly name: string; readonly bytes: ArrayBuffer }[] }
  }
  /** Trains the letter model of README on a text and lets it write; `small` is one for slow devices. */
  write: {
    ask: {
      readonly text: string
      readonly steps: number
      readonly letters: number
      readonly size?: 'small' | 'usual'
    }
    result: {
      readonly steps: number
      readonly validation: number
      readonly bigram: number
      readonly text: string
      readonly interrupted: boolean
    }
  }
}

export type RequestName = keyof Requests

export interface Request<N extends RequestName = RequestName> {
  readonly id: number
  readonly name: N
  readonly ask: Requests[N]['ask']
}

/** What a request tells on its way. */
export type Progress =
  | { readonly kind: 'compiling'; readonly done: number; readonly total: number }
  | { readonly kind: 'reading'; readonly what: string }
  /** Of a text that is labelled in several batches. */
  | { readonly kind: 'labelled'; readonly done: number; readonly total: number }
  /** `milliseconds` since the run began, pauses left out. */
  | {
      readonly kind: 'step'
      readonly step: number
      readonly total: number
      readonly loss: number
      readonly milliseconds: number
    }
  | { readonly kind: 'dev'; readonly step: number; readonly scores: Scores; readonly best: boolean }
  | { readonly kind: 'paused' | 'resumed'; readonly step: number }
  | { readonly kind: 'sample'; readonly step: number; readonly text: string }

export type Answer =
  | { readonly id: number; readonly kind: 'progress'; readonly progress: Progress }
  | { readonly id: number; readonly kind: 'result'; readonly result: Requests[RequestName]['result'] }
  /** `user`: a mistake in what was given, told in a sentence for people; else a fault of ours. */
  | { readonly id: number; readonly kind: 'failure'; readonly message: string; readonly user: boolean }
