/**
 * Labels words with a token classifier: sentences are cut into windows, windows packed into ragged batches, the
 * largest of a word's logits [labels] is its tag, the softmax of it the tag's score. Runs the forward program
 * `tag` of a runtime; the same weights, windows and rows give the same bits, whoever asks.
 */
import { Capture } from '../../autograd/tensor.js'
import { UserError } from '../../error.js'
import type { Graph } from '../../graph/graph.js'
import type { Runtime } from '../../graph/runtime.js'
import { type TokenClassificationModel, tokenClassification } from '../../model/token_classification.js'
import type { Precision } from '../../ops/shape.js'
import {
  gatherTags,
  type NerExample,
  type WordTokenizer,
  windowSentences,
} from '../../tasks/entities/windows.js'
import { collate, pack } from './batches.js'

/** The program that a tagger runs. */
export const TAG_PROGRAM = 'tag'

/** Captures the forward program for batches of at most `rows` pieces. */
export function captureTagging(
  parameters: Runtime['parameters'],
  model: TokenClassificationModel,
  rows: number,
  precision?: Precision,
): Graph {
  const capture = new Capture(parameters)
  tokenClassification(capture, model, tokenCapacity(rows), { training: false, labelled: false, precision })
  return capture.graph
}

/** A sequence has a piece between [CLS] and [SEP] at least, and a scored word is a piece. */
export function tokenCapacity(rows: number): { rows: number; sequences: number; words: number } {
  return { rows, sequences: Math.ceil(rows / 3), words: rows }
}

export interface TaggedSentences {
  /** [sentences][words] */
  tags: string[][]
  /** [sentences][words] Probability of the tag, in [0, 1]. */
  scores: Float32Array[]
}

export interface TaggerOptions {
  readonly labels: readonly string[]
  /** Most pieces of a window, [CLS] and [SEP] included. */
  readonly maxLength: number
  /** Most pieces of a batch; the program was captured with it. */
  readonly rows: number
}

export class NerTagger {
  constructor(
    private readonly runtime: Runtime,
    private readonly tokenizer: WordTokenizer,
    readonly options: TaggerOptions,
  ) {}

  /** The windows of sentences. */
  windows(sentences: { words: string[] }[]): NerExample[] {
    return windowSentences(sentences, this.tokenizer, this.options.maxLength)
  }

  /**
   * Tags every word of every sentence, once (checked). `examples` are the windows of the sentences, where they are
   * known already; `onWords` hears how many more words are done.
   */
  async tag(
    sentences: { words: string[] }[],
    examples: NerExample[] = this.windows(sentences),
    onWords?: (words: number) => void,
  ): Promise<TaggedSentences> {
    const { labels, rows } = this.options
    const predicted: Int32Array[] = new Array(examples.length)
    const scores = sentences.map(({ words }) => new Float32Array(words.length))
    const lengths = examples.map(({ ids }) => ids.length)
    // Sequences of like length in one batch divide evenly among threads.
    const order = [...lengths.keys()].sort((a, b) => lengths[b] - lengths[a] || a - b)
    const runs = pack(lengths, order, rows)
    const batchOf = (run: number[] | undefined) => run && collate(run.map((e) => examples[e]))
    let next = batchOf(runs[0])
    for (let r = 0; r < runs.length && next; r++) {
      const { inputs, scalars } = next
      const running = this.runtime.run(TAG_PROGRAM, inputs, { ...scalars, seed: 0, draw: 0 })
      next = batchOf(runs[r + 1])
      await running
      const logits = await this.runtime.read(TAG_PROGRAM, 'logits', scalars.words)
      let word = 0
      for (const e of runs[r]) {
        const { words, sentence } = examples[e]
        predicted[e] = new Int32Array(words.length)
        for (let k = 0; k < words.length; k++, word++) {
          const row = logits.subarray(word * labels.length, (word + 1) * labels.length)
          const best = largest(row)
          predicted[e][k] = best
          const score = probability(row, best)
          if (!Number.isFinite(score))
            throw new UserError('the model gives no numbers: its weights are damaged')
          scores[sentence][words[k]] = score
        }
      }
      onWords?.(word)
    }
    return { tags: gatherTags(sentences, examples, predicted, [...labels]), scores }
  }
}

/** Index of the largest value, the first among equals. */
function largest(row: Float32Array): number {
  let best = 0
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i
  return best
}

/** softmax(row)[index], row[index] being the largest. */
function probability(row: Float32Array, index: number): number {
  let sum = 0
  for (const logit of row) sum += Math.exp(logit - row[index])
  return 1 / sum
}
