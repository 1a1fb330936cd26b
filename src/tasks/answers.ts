/**
 * Question answering: a span of a text (SQuAD's form, 1.1 and 2.0), a ranked list of spans of several snippets (BioASQ's factoid
 * questions), or yes and no (BioASQ). What a model is for is in its labels: start and end, or yes and no; whether spans are
 * ranked is in the questions.
 */
import { InputError, UserError } from '../error.js'
import { spanHead } from '../model/question_answering.js'
import { classHead } from '../model/sequence_classification.js'
import { decodeSpans, fitSpans } from './answers/decode.js'
import { FORMS, kindOf, partOf, readSource } from './answers/files.js'
import { readAnswersFolder, remarks } from './answers/folder.js'
import { answerJson, answerLine, predictionsJson } from './answers/output.js'
import { type Answer, isYesNo, type Question, SPAN_LABELS } from './answers/question.js'
import {
  type AnswersScores,
  collapsedScores,
  scoreQuestions,
  scoreRows,
  shortScores,
  tallyQuestions,
} from './answers/scores.js'
import { windowQuestions, yesNoExamples } from './answers/windows.js'
import { ratioOfTally } from './metrics/tally.js'
import { largest, probability } from './shared/classes.js'
import { naseem } from './shared/published_settings.js'
import type { Task } from './task.js'

export const answers: Task<Question, Answer> = {
  name: 'answers',
  alias: 'qa',
  summary: 'question answering: a span of a text, of several snippets, or yes and no',
  data: "train*.json, dev*.json and test*.json, or one file, in SQuAD's form or BioASQ's",
  unit: 'questions',
  forms: FORMS,
  metric: 'score',
  settings: {
    naseem2020: naseem,
    naseem2022: naseem,
    // yes and no alone; within the ranges of Gu et al. 2021, as LinkBERT (Yasunaga et al. 2022) runs BLURB's BioASQ
    blurb: {
      learningRate: 2e-5,
      batch: 16,
      maxLength: 512,
      epochs: 20,
      warmup: 100,
      biasCorrection: true,
    },
  },
  maxLength: 384,
  usualLabels: SPAN_LABELS,

  read: readAnswersFolder,

  readFile(path, { form, labels }) {
    const sources = [readSource(path)]
    const kind = kindOf(isYesNo(labels) ? 'yesno' : form, sources)
    if ((kind === 'yesno') !== isYesNo(labels))
      throw new UserError(
        `${path}: found ${kind} questions, expected questions for a model of ${labels.join(', ')}`,
      )
    const part = partOf(kind, sources)
    return { path, items: part.questions, ...remarks(kind, [part], sources) }
  },

  head(labels) {
    if (isYesNo(labels)) return classHead
    if (labels.length === SPAN_LABELS.length && labels.every((label) => SPAN_LABELS.includes(label)))
      return spanHead
    throw new UserError(
      `labels ${labels.join(', ')}: expected those of a model for answers (${SPAN_LABELS.join(', ')}, or yes, no)`,
    )
  },

  examples: (questions, context, training) =>
    isYesNo(context.labels)
      ? yesNoExamples(questions, context)
      : windowQuestions(questions, context, training),

  fit: (questions, examples, logits, { labels }) =>
    isYesNo(labels) ? {} : fitSpans(questions, examples, logits),

  decode: (questions, examples, logits, { labels, fitted }) =>
    isYesNo(labels)
      ? examples.map((_, e) => yesNoAnswer(logits[e], labels))
      : decodeSpans(questions, examples, logits, fitted),

  score: scoreQuestions,
  tally: tallyQuestions,
  rate: ratioOfTally,
  rows: scoreRows,
  short: (scores) => shortScores(scores as AnswersScores),
  collapsed: (scores) => collapsedScores(scores as AnswersScores),
  predictions: (questions, found, { labels }) => ({
    extension: 'json',
    text: predictionsJson(questions, found, labels),
  }),

  input: 'a question and its text, a tab between them',
  formats: ['text', 'jsonl'],
  parse(line, { file, line: number }) {
    if (line.trim() === '') return []
    const [question, context, ...more] = line.split('\t')
    const expected = 'a question, a tab and a text'
    if (context === undefined) throw new InputError({ file, line: number, found: 'no tab', expected })
    if (more.length > 0)
      throw new InputError({ file, line: number, found: `${more.length + 1} tabs`, expected })
    if (question.trim() === '' || context.trim() === '') {
      const found = question.trim() === '' ? 'no question' : 'no text'
      throw new InputError({ file, line: number, found, expected })
    }
    return [{ kind: 'squad', id: String(number), question, passages: [{ context, answers: [] }] }]
  },
  printer({ format }) {
    const print = format === 'jsonl' ? answerJson : (_: Question, answer: Answer) => answerLine(answer)
    // an empty line has no question, and stays one
    return (_, questions, found) =>
      questions.length === 0
        ? '\n'
        : questions.map((question, i) => `${print(question, found[i])}\n`).join('')
  },
}

/** The classes of one question, [K], best first. */
function yesNoAnswer(logits: Float32Array, labels: readonly string[]): Answer {
  const best = largest(logits)
  const share = probability(logits, best)
  const nBest = labels
    .map((text, k) => ({ text, probability: share * Math.exp(logits[k] - logits[best]) }))
    .sort((a, b) => b.probability - a.probability)
  return { text: labels[best], probability: share, nBest }
}
