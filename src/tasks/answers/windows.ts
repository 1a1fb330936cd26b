/**
 * From questions to model inputs: `[CLS] question [SEP] window of the text [SEP]`, the second segment from the text on. A text
 * of more pieces than fit is read in windows, each `step` pieces on from the one before (run_squad's doc_stride). Pieces know
 * where they stand in the text, so that an answer is always a stretch of it, never rejoined from pieces.
 *
 * Targets are the positions of an answer's first and last piece. A window that has no whole answer points at [CLS] with both, be
 * it of a question without an answer or, as in run_squad and transformers' example, only another part of the text; a window
 * that cuts the answer is one of these, for a neighbour has it whole.
 */
import type { Example } from '../../model/head.js'
import type { PieceTokenizer, TaskContext } from '../task.js'
import type { Passage, Question, Span } from './question.js'

/** Most pieces of a question, as in run_squad. */
export const QUESTION_PIECES = 64
/** Pieces by which a window moves on; half a window where that is less. */
export const STEP = 128
/** Most windows without the answer that are learnt from, of one text and question. */
export const NULL_WINDOWS = 8
/** [CLS] and two [SEP]. */
const SPECIAL = 3

/** Pieces of a text; the stretch [starts[i], ends[i]) of its UTF-16 units is piece i. */
export interface Located {
  readonly ids: Int32Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export interface WindowExample extends Example {
  readonly second: number
  /** Index of the text among the question's. */
  readonly passage: number
  readonly located: Located
  /** The window is pieces [first, first + ids.length - second - 1) of the text. */
  readonly first: number
}

/** A tokenizer that knows where pieces stand; what others give is as fine as white space. */
interface LocatingTokenizer extends PieceTokenizer {
  encodeOffsets(text: string): Located
}

/** Windows of all questions in order; every question has one. */
export function windowQuestions(
  questions: readonly Question[],
  { tokenizer, maxLength }: Pick<TaskContext, 'tokenizer' | 'maxLength'>,
  training: boolean,
): WindowExample[] {
  if (!(Number.isInteger(maxLength) && maxLength >= 8))
    throw new RangeError(`windows: maxLength is ${maxLength} (want an integer >= 8)`)
  // the questions about a text stand one after the other
  let context: string | undefined
  let located: Located = locate(tokenizer, '')
  return questions.flatMap((question, item) => {
    const asked = tokenizer.encode(question.question)
    const pieces = asked.subarray(0, Math.min(QUESTION_PIECES, Math.floor((maxLength - SPECIAL) / 2)))
    return question.passages.flatMap((passage, p) => {
      if (context !== passage.context) {
        context = passage.context
        located = locate(tokenizer, context)
      }
      const text = { located, pieces, item, passage: p }
      return passageWindows(question, passage, text, tokenizer, maxLength, training)
    })
  })
}

interface Text {
  readonly located: Located
  /** Of the question. */
  readonly pieces: Int32Array
  readonly item: number
  readonly passage: number
}

function passageWindows(
  question: Question,
  passage: Passage,
  text: Text,
  tokenizer: PieceTokenizer,
  maxLength: number,
  training: boolean,
): WindowExample[] {
  const room = maxLength - SPECIAL - text.pieces.length
  const count = text.located.ids.length
  const answers = passage.answers
    .map((answer) => piecesOf(text.located, answer))
    .filter((pieces) => pieces !== undefined)
  const impossible = question.gold?.length === 0
  const known = impossible || answers.length > 0
  if (training && !known) return []
  const spans = windowSpans(count, room)
  // an answer that fits but that every window cuts has one of its own
  if (
    training &&
    answers.length > 0 &&
    !spans.some((span) => answers.some((answer) => holds(span, answer)))
  ) {
    const [from, to] = answers[0]
    if (to - from > room) return []
    const start = Math.max(0, Math.min(count - room, from - Math.floor((room - (to - from)) / 2)))
    spans.push([start, Math.min(count, start + room)])
  }
  const windows = spans.map((span): Place => ({ span, answer: answers.find((one) => holds(span, one)) }))
  return (training ? fewNulls(windows) : windows).map(({ span, answer }) => {
    const example = window(span, text, tokenizer)
    if (!known) return example
    const at = answer ? [answer[0], answer[1] - 1].map((piece) => example.second + piece - span[0]) : [0, 0]
    return { ...example, targets: Int32Array.from(at) }
  })
}

/** Pieces [from, to) of a window and of the answer that it has whole. */
interface Place {
  readonly span: [number, number]
  readonly answer?: [number, number]
}

/** Pieces [from, to) of windows over `count` pieces, at least one window. */
export function windowSpans(count: number, room: number): [number, number][] {
  const step = Math.max(1, Math.min(STEP, Math.floor(room / 2)))
  const spans: [number, number][] = []
  for (let from = 0; ; from += step) {
    spans.push([from, Math.min(count, from + room)])
    if (from + room >= count) return spans
  }
}

/** Pieces [from, to) that an answer has a part in; undefined where normalisation leaves nothing of it. */
export function piecesOf({ starts, ends }: Located, { text, start }: Span): [number, number] | undefined {
  const end = start + text.length
  let from = 0
  while (from < ends.length && (ends[from] <= start || ends[from] <= starts[from])) from++
  let to = from
  while (to < starts.length && starts[to] < end) to++
  while (to > from && ends[to - 1] <= starts[to - 1]) to--
  return to > from ? [from, to] : undefined
}

function holds([from, to]: [number, number], answer: [number, number]): boolean {
  return from <= answer[0] && answer[1] <= to
}

function window(
  [from, to]: [number, number],
  { located, pieces, item, passage }: Text,
  { special }: PieceTokenizer,
): WindowExample {
  const second = pieces.length + 2
  const ids = new Int32Array(second + to - from + 1)
  ids[0] = special.cls
  ids.set(pieces, 1)
  ids[second - 1] = special.sep
  ids.set(located.ids.subarray(from, to), second)
  ids[ids.length - 1] = special.sep
  return { ids, second, scored: rows(ids.length), item, passage, located, first: from }
}

/** Positions 0 .. n-1; all examples of a process look at one array. */
let allRows = new Int32Array(0)
function rows(n: number): Int32Array {
  if (allRows.length < n) allRows = Int32Array.from({ length: 2 * n }, (_, i) => i)
  return allRows.subarray(0, n)
}

/** All windows with an answer, and of the others at most NULL_WINDOWS, spread evenly. */
function fewNulls(windows: readonly Place[]): readonly Place[] {
  const nulls = windows.filter(({ answer }) => answer === undefined)
  if (nulls.length <= NULL_WINDOWS) return windows
  const kept = new Set(
    Array.from(
      { length: NULL_WINDOWS },
      (_, k) => nulls[Math.floor(((k + 0.5) * nulls.length) / NULL_WINDOWS)],
    ),
  )
  return windows.filter((one) => one.answer !== undefined || kept.has(one))
}

/** Pieces of a text, those of the text itself wherever the tokenizer can say where they stand. */
export function locate(tokenizer: PieceTokenizer, text: string): Located {
  if ('encodeOffsets' in tokenizer) return (tokenizer as LocatingTokenizer).encodeOffsets(text)
  const words = [...text.matchAll(/\S+/g)]
  const { ids, wordOf } = tokenizer.encodeWords(words.map(([word]) => word))
  const starts = wordOf.map((word) => words[word].index)
  return { ids, starts, ends: starts.map((start, i) => start + words[wordOf[i]][0].length) }
}

/** `[CLS] question [SEP] snippets [SEP]` for yes and no, cut to maxLength; the class is the index of the label. */
export function yesNoExamples(
  questions: readonly Question[],
  { tokenizer, maxLength, labels }: Pick<TaskContext, 'tokenizer' | 'maxLength' | 'labels'>,
): Example[] {
  if (!(Number.isInteger(maxLength) && maxLength >= 8))
    throw new RangeError(`windows: maxLength is ${maxLength} (want an integer >= 8)`)
  const { cls, sep } = tokenizer.special
  return questions.map(({ question, passages, gold }, item) => {
    const asked = tokenizer.encode(question)
    const pieces = asked.subarray(0, Math.min(QUESTION_PIECES, Math.floor((maxLength - SPECIAL) / 2)))
    const read = tokenizer.encode(passages.map(({ context }) => context).join(' '))
    const rest = read.subarray(0, maxLength - SPECIAL - pieces.length)
    const example = {
      ids: Int32Array.from([cls, ...pieces, sep, ...rest, sep]),
      second: pieces.length + 2,
      scored: Int32Array.of(0),
      item,
    }
    return gold === undefined ? example : { ...example, targets: Int32Array.of(labels.indexOf(gold[0])) }
  })
}
