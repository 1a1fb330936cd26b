/**
 * Named entities: a tag (O, B, I; or O, B-TYPE, I-TYPE) for every word of a sentence, at its first piece. Scored by exact
 * entities as conlleval reads them; strict IOB2 and the word-level figures that published scores resemble stand beside.
 * All of the task but its files, so that it needs nothing of Node.
 */
import { UserError } from '../../error.js'
import { tokenHead } from '../../model/token_classification.js'
import { scoreEntities } from '../metrics/entities.js'
import { type NerScores, paperStyle, scoreNer } from '../metrics/ner.js'
import { largest, probability } from '../shared/classes.js'
import { blurbSettings, naseem } from '../shared/published_settings.js'
import type { TaskCore } from '../task.js'
import { conllRows, highlighter, jsonLine, textEntities } from './highlight.js'
import { type MentionCounts, scoreMentions } from './mentions.js'
import { predictionRows } from './predictions.js'
import type { Sentence, TaggedSentence } from './sentence.js'
import { joinSentences, type TextSentence, textSentences } from './text.js'
import { gatherTags, type NerExample, windowSentences } from './windows.js'

/** The scores under the names that scripts read; fractions in [0, 1]. */
export function nerSummary(
  { conlleval, iob2, token, words, sentences }: NerScores,
  mentions?: MentionCounts,
) {
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
    /** Against every annotated mention, where the annotation has some that tags cannot say. */
    ...(mentions === undefined ? {} : { all_mentions: mentions }),
  }
}

export type NerSummary = ReturnType<typeof nerSummary>

/** Words and tags in columns, BLUE's columns, notes or abstracts beside their gold mentions; the first looks which it is. */
export const FORMS = ['words', 'blue', 'share', 'chemdner'] as const

export const entityLabels: TaskCore<Sentence, TaggedSentence> = {
  name: 'entities',
  alias: 'ner',
  summary: 'named entities: a tag for every word',
  data:
    'train.tsv, devel.tsv (or dev.tsv) and test.tsv: a word and its tag on a line, a blank line after a sentence; ' +
    "BLUE's four columns (form blue); ShARe/CLEF notes and gold files in folders of train, dev, test (form share); " +
    "CHEMDNER's training.abstracts.txt, training.annotations.txt, development..., evaluation... (form chemdner)",
  unit: 'sentences',
  forms: FORMS,
  metric: 'f1',
  settings: {
    naseem2020: { ...naseem, maxLength: 512, steps: 5336 },
    naseem2022: { ...naseem, maxLength: 512 },
    blurb: blurbSettings({ learningRate: 5e-5, batch: 32, maxLength: 512, epochs: 20 }),
  },
  maxLength: 512,
  usualLabels: ['O', 'B', 'I'],

  head(labels) {
    const stray = labels.find((label) => !/^(O|[BI](-.+)?)$/u.test(label))
    if (stray !== undefined || !labels.includes('O'))
      throw new UserError(
        `labels ${labels.join(', ')}: expected the tags of a model for named entities (O, B, I or O, B-TYPE, I-TYPE)`,
      )
    return tokenHead
  },

  examples(sentences, { tokenizer, maxLength, labels }) {
    return windowSentences(sentences, tokenizer, maxLength).map((window) => {
      const { tags } = sentences[window.item]
      return tags === undefined ? window : { ...window, targets: targets(window, tags, labels) }
    })
  },

  decode(sentences, examples, logits, { labels }) {
    const windows = examples as readonly NerExample[]
    const scores = sentences.map(({ words }) => new Float32Array(words.length))
    const predicted = windows.map(({ words, item }, e) =>
      words.map((word, k) => {
        const row = logits[e].subarray(k * labels.length, (k + 1) * labels.length)
        const best = largest(row)
        scores[item][word] = probability(row, best)
        return best
      }),
    )
    return gatherTags(sentences, windows, predicted, labels).map((tags, i) => ({ tags, scores: scores[i] }))
  },

  score(sentences, answers) {
    const gold = sentences.map(tagsOf)
    const scores = scoreNer(
      gold,
      answers.map(({ tags }) => tags),
    )
    const words = gold.reduce((n, row) => n + row.length, 0)
    if (scores.words !== words) throw new Error(`scored ${scores.words} of ${words} words`)
    return nerSummary(scores, scoreMentions(sentences, answers))
  },

  tally: (sentences, answers) =>
    sentences.map((sentence, i) => {
      const { correct, predicted, gold } = scoreEntities([tagsOf(sentence)], [answers[i].tags], 'conlleval')
      return [correct, predicted, gold]
    }),
  rate: ([correct, predicted, gold]) => (predicted + gold === 0 ? 0 : (2 * correct) / (predicted + gold)),

  rows(columns) {
    const summaries = columns as readonly NerSummary[]
    const row = (name: string, value: (summary: NerSummary) => number) => [
      name,
      ...summaries.map((summary) => percent(value(summary))),
    ]
    return [
      row('entity precision (exact, conlleval)', (s) => s.precision),
      row('entity recall', (s) => s.recall),
      row('entity F1', (s) => s.f1),
      row('entity F1, strict IOB2', (s) => s.strict_iob2.f1),
      ...typeRows(summaries),
      ...mentionRows(summaries),
      row(`token accuracy, ${paperStyle}`, (s) => s.paper_style.token_accuracy),
      row(`macro F1 of B and I, ${paperStyle}`, (s) => s.paper_style.macro_f1),
      row(`weighted F1 with O, ${paperStyle}`, (s) => s.paper_style.weighted_f1),
      ['words scored', ...summaries.map(({ words }) => words.toLocaleString('en-US'))],
    ]
  },
  short(scores) {
    const { precision, recall, f1 } = scores as NerSummary
    return `P ${percent(precision)} R ${percent(recall)} F1 ${percent(f1)}`
  },
  collapsed: (scores) => ((scores as NerSummary).correct === 0 ? 'found no entity' : undefined),
  predictions: (sentences, answers) => ({
    extension: 'tsv',
    text: predictionRows(
      sentences.map((sentence) => ({ ...sentence, tags: tagsOf(sentence) })),
      answers.map(({ tags }) => tags),
    ),
  }),

  input: 'a paragraph',
  formats: ['text', 'jsonl', 'conll'],
  parse: (line, place) => textSentences(line, place.line),
  printer({ format, colour, entity }) {
    const names = { entityName: entity }
    const joined = (line: string, items: readonly Sentence[], answers: readonly TaggedSentence[]) =>
      joinSentences(line, items as readonly TextSentence[], answers)
    if (format === 'conll')
      return (text, items, answers) =>
        (items as readonly TextSentence[])
          .map(({ spans: words }, i) => conllRows({ text, words, tags: answers[i].tags }))
          .join('')
    if (format === 'jsonl')
      return (line, items, answers) => `${jsonLine(joined(line, items, answers), names)}\n`
    const highlight = highlighter(colour, names)
    return (line, items, answers) => `${highlight(joined(line, items, answers))}\n`
  },
  documents: {
    takes: 'passages',
    annotate: (text, items, answers, { entity }) => ({
      entities: textEntities(joinSentences(text, items as readonly TextSentence[], answers), {
        entityName: entity,
      }),
    }),
  },
}

/** Labels of the scored words of a window, as numbers. Throws for a tag that is none of them. */
function targets({ words }: NerExample, tags: readonly string[], labels: readonly string[]): Int32Array {
  return words.map((word) => {
    const index = labels.indexOf(tags[word])
    if (index < 0) throw new Error(`tag ${tags[word]} is none of ${labels.join(', ')}`)
    return index
  })
}

function tagsOf({ tags, line }: Sentence): string[] {
  if (tags === undefined) throw new Error(`the sentence at line ${line} has no tags to score by`)
  return tags
}

/** F1 of every type, where there are two or more. */
function typeRows(summaries: readonly NerSummary[]): string[][] {
  const types = [...new Set(summaries.flatMap((summary) => Object.keys(summary.types)))].sort()
  if (types.length < 2) return []
  return types.map((type) => [
    `  F1 of ${type}`,
    ...summaries.map((summary) => {
      const counts = summary.types[type]
      return counts === undefined ? '-' : percent(counts.f1)
    }),
  ])
}

/** Scores against every annotated mention, where tags do not say all. */
function mentionRows(summaries: readonly NerSummary[]): string[][] {
  if (summaries.every(({ all_mentions: all }) => all === undefined)) return []
  const row = (name: string, value: (all: MentionCounts) => string) => [
    name,
    ...summaries.map(({ all_mentions: all }) => (all === undefined ? '-' : value(all))),
  ]
  return [
    row('entity recall, of all annotated mentions', ({ recall }) => percent(recall)),
    row('entity F1, of all annotated mentions', ({ f1 }) => percent(f1)),
    row('annotated mentions that tags cannot say', ({ inexpressible }) =>
      inexpressible.toLocaleString('en-US'),
    ),
  ]
}

const percent = (fraction: number) => (100 * fraction).toFixed(2)
