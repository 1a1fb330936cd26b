/**
 * From logits [n, 2] of windows to ranked answers. In a window with softmaxes over all its n pieces
 *
 *   log P(i..j) = log softmax(start)[i] + log softmax(end)[j]      i <= j < i + longest, both in the text
 *   log P(none) = log softmax(start)[0] + log softmax(end)[0]      [CLS]
 *
 * The best spans of each window are put together, equal texts being one answer with the largest probability of any window, text
 * or snippet. The loss fixes a window's logits up to a constant only, so that windows are compared by these probabilities,
 * not by sums of logits as in run_squad; within one window the order is the same. There is no rule of "maximal context": a
 * candidate near an edge has its own, smaller probability there, and the neighbouring window has it as well. That a question has
 * no answer has the smallest probability that any window gives it, as in run_squad.
 */
import type { Example } from '../../model/head.js'
import { bestThresholds, normalizeAnswer } from '../metrics/answers.js'
import { rankedAnswers } from '../metrics/bioasq.js'
import type { Fitted } from '../task.js'
import type { Answer, Candidate, Question } from './question.js'
import { piecesOf, type WindowExample } from './windows.js'

/** Candidates of a window, and answers that are kept of a question. */
export const N_BEST = 20
/** Most pieces of an answer where dev says nothing longer, as in run_squad. */
export const LONGEST = 30
const QUANTILE = 0.99

/** What is learnt from dev: `longest`, and where some questions have no answer `no_answer_threshold`. */
export function fitSpans(
  questions: readonly Question[],
  examples: readonly Example[],
  logits: readonly Float32Array[],
): Fitted {
  const longest = longestAnswer(questions, examples as readonly WindowExample[])
  if (questions.every(({ gold }) => gold === undefined || gold.length > 0)) return { longest }
  const answers = decodeSpans(questions, examples, logits, { longest })
  const { f1Threshold } = bestThresholds(
    questions.map(({ gold }) => gold ?? []),
    answers.map(({ text }) => text),
    answers.map(({ noAnswer }) => noAnswer ?? 0),
  )
  return { longest, no_answer_threshold: f1Threshold }
}

/** Pieces that 99 of 100 answers do not exceed, at least LONGEST. */
function longestAnswer(questions: readonly Question[], examples: readonly WindowExample[]): number {
  const lengths: number[] = []
  const seen = new Set<string>()
  for (const { item, passage, located } of examples) {
    const key = `${item} ${passage}`
    if (seen.has(key)) continue
    seen.add(key)
    for (const answer of questions[item].passages[passage].answers) {
      const [from, to] = piecesOf(located, answer) ?? [0, 0]
      lengths.push(to - from)
    }
  }
  lengths.sort((a, b) => a - b)
  return Math.max(LONGEST, lengths[Math.ceil(QUANTILE * lengths.length) - 1] ?? 0)
}

/** An answer for every question. Throws where one has no window. */
export function decodeSpans(
  questions: readonly Question[],
  examples: readonly Example[],
  logits: readonly Float32Array[],
  fitted: Fitted,
): Answer[] {
  const longest = typeof fitted.longest === 'number' ? fitted.longest : LONGEST
  const threshold = fitted.no_answer_threshold
  const found = questions.map(() => ({ candidates: [] as Scored[], none: Number.POSITIVE_INFINITY }))
  examples.forEach((example, e) => {
    const window = windowOf(example)
    const { candidates, none } = found[window.item]
    const { spans, nothing } = bestSpans(window, logits[e], longest)
    candidates.push(...spans.map((span) => scored(questions[window.item], window, span)))
    found[window.item].none = Math.min(none, nothing)
  })
  return found.map(({ candidates, none }, i) => {
    if (none === Number.POSITIVE_INFINITY)
      throw new Error(`decode: question ${questions[i].id} has no window`)
    const ranked = merge(candidates, questions[i].kind === 'bioasq')
    const nBest = ranked.map(
      ({ score, ...candidate }): Candidate => ({ ...candidate, probability: Math.exp(score) }),
    )
    const best = ranked[0]?.score ?? Number.NEGATIVE_INFINITY
    // without a candidate there is no answer, by any threshold
    const noAnswer = best === Number.NEGATIVE_INFINITY ? Number.MAX_VALUE : none - best
    const silent = nBest.length === 0 || (typeof threshold === 'number' && noAnswer > threshold)
    return silent
      ? { text: '', probability: Math.exp(none), nBest, noAnswer }
      : { text: nBest[0].text, probability: nBest[0].probability, nBest, noAnswer }
  })
}

interface Scored extends Omit<Candidate, 'probability'> {
  readonly score: number
}

/** Pieces first..last, counted in the window. */
interface PieceSpan {
  readonly first: number
  readonly last: number
  readonly score: number
}

/** The best spans of a window, best first; of equal ones the earlier, then the shorter. */
export function bestSpans(
  { ids, second, located, first: offset }: WindowExample,
  logits: Float32Array,
  longest: number,
): { spans: PieceSpan[]; nothing: number } {
  const [begin, end] = [logSoftmax(logits, 0), logSoftmax(logits, 1)]
  const limit = ids.length - 1
  const bestEnd = Math.max(...end)
  const spans: PieceSpan[] = []
  for (let first = second; first < limit; first++) {
    if (spans.length === N_BEST && begin[first] + bestEnd <= spans[N_BEST - 1].score) continue
    const from = located.starts[first - second + offset]
    for (let last = first; last < Math.min(limit, first + longest); last++) {
      const score = begin[first] + end[last]
      if (spans.length === N_BEST && score <= spans[N_BEST - 1].score) continue
      // pieces that stand for a space are empty
      if (located.ends[last - second + offset] <= from) continue
      let at = spans.length
      while (at > 0 && spans[at - 1].score < score) at--
      spans.splice(at, 0, { first, last, score })
      if (spans.length > N_BEST) spans.pop()
    }
  }
  return { spans, nothing: begin[0] + end[0] }
}

function scored(
  { passages }: Question,
  { passage, located, second, first: offset }: WindowExample,
  { first, last, score }: PieceSpan,
): Scored {
  const start = located.starts[first - second + offset]
  const text = passages[passage].context.slice(start, located.ends[last - second + offset])
  return { text, passage, start, score }
}

/** The best of each text, best first; for BioASQ texts are the same that differ in case, articles and punctuation. */
function merge(candidates: readonly Scored[], normalised: boolean): Scored[] {
  const best = new Map<string, Scored>()
  for (const candidate of candidates) {
    const key = normalised ? normalizeAnswer(candidate.text) || candidate.text : candidate.text
    const other = best.get(key)
    if (other === undefined || candidate.score > other.score) best.set(key, candidate)
  }
  return [...best.values()].sort((a, b) => b.score - a.score).slice(0, normalised ? rankedAnswers : N_BEST)
}

/** Log softmax over the n values of column `edge` of [n, 2]. */
function logSoftmax(logits: Float32Array, edge: 0 | 1): Float64Array {
  const values = new Float64Array(logits.length / 2)
  for (let i = 0; i < values.length; i++) values[i] = logits[2 * i + edge]
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0)
  return values.map((value) => value - largest - Math.log(sum))
}

function windowOf(example: Example): WindowExample {
  if (!('located' in example)) throw new Error('decode: an example that is no window')
  return example as WindowExample
}
