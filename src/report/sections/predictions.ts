/**
 * What was predicted on test sets, sentence by sentence: where models differ in numbers, then a few sentences with gold and
 * predicted entities (or answers) of every model under each other.
 */
import { goldHtml, marksLegend, predictedHtml, textHtml, typesOf } from '../highlight.js'
import { type Html, html, name } from '../html.js'
import type { AnsweredItem, Run } from '../model.js'
import { count, MISSING, percent } from '../numbers.js'
import { table } from '../table.js'
import {
  disagreements,
  type ItemTestSet,
  isNumber,
  readTestSets,
  type TaggedTestSet,
  type TestSet,
  worthReading,
} from '../test_sets.js'
import type { Section } from './section.js'

/** Characters of a text, and of an answer. */
const MOST_TEXT = 1200
const MOST_ANSWER = 400

export function predictionsSection(runs: readonly Run[], examples: number): Section | undefined {
  const sets = readTestSets(runs)
  if (sets.length === 0) return undefined
  const lead = html`<p class="lead">Where models were scored on the same test set, what they differ in comes first; then what is wrong.</p>`
  return {
    id: 'predictions',
    title: 'Predictions side by side',
    body: html`${lead}${sets.map((set) => setHtml(set, examples))}`,
  }
}

function setHtml(set: TestSet, examples: number): Html {
  const indices = worthReading(set, examples)
  const total = set.kind === 'tags' ? set.sentences[0].length : set.items[0].length
  const shown =
    set.kind === 'tags'
      ? html`${marksLegend(typesOf(set.sentences.flat()), set.models.length)}${tagged(set, indices)}`
      : html`${indices.map((i) => itemHtml(set, i))}`
  return html`<h3>${name(set.title)}</h3>
${set.models.length > 1 && disagreementTable(set)}<p class="note">${count(indices.length)} of ${count(total)} ${set.kind === 'tags' ? 'sentences' : 'items'}</p>
${shown}`
}

function disagreementTable(set: TestSet): Html {
  const unit = set.kind === 'tags' ? 'words' : 'items'
  const isKnown = set.kind === 'tags' || set.items[0].some(({ gold }) => gold !== undefined)
  const better =
    set.kind === 'items' && set.items[0].some(({ predicted }) => isNumber(predicted)) ? 'nearer' : 'right'
  const of = (n: number) => (isKnown ? count(n) : MISSING)
  return table({
    caption: `Where predictions of two models differ, in ${unit}`,
    columns: [
      { title: 'models' },
      { title: unit, numeric: true },
      { title: 'differ', numeric: true },
      { title: 'share', numeric: true },
      { title: `first is ${better}`, numeric: true },
      { title: `second is ${better}`, numeric: true },
      { title: 'neither', numeric: true },
    ],
    groups: [
      {
        rows: disagreements(set).map(({ a, b, all, differ, aRight, bRight, neither }) => [
          html`${name(set.models[a])} and ${name(set.models[b])}`,
          count(all),
          count(differ),
          `${percent(all === 0 ? 0 : differ / all)} %`,
          of(aRight),
          of(bRight),
          of(neither),
        ]),
      },
    ],
  })
}

function tagged({ sentences, models }: TaggedTestSet, indices: readonly number[]): Html[] {
  const types = typesOf(sentences.flat())
  return indices.map((i) => {
    const { gold } = sentences[0][i]
    const isApart = (w: number) => sentences.some((of) => of[i].predicted[w] !== sentences[0][i].predicted[w])
    const differs = new Set(gold.map((_, w) => w).filter(isApart))
    const options = { types, differs }
    const rows = models.map((model, m) => pair(name(model), predictedHtml(sentences[m][i], options)))
    return example([pair(html`gold`, goldHtml(sentences[0][i], { types, differs: new Set() })), ...rows])
  })
}

function itemHtml({ items, models }: ItemTestSet, i: number): Html {
  const { texts, gold } = items[0][i]
  const shown = texts.map(({ name: what, text }) => pair(name(what), textHtml(text, MOST_TEXT)))
  const answers = models.map((model, m) => pair(name(model), answerHtml(items[m][i])))
  const right =
    gold === undefined ? [] : [pair(html`gold`, textHtml(gold === '' ? 'none' : gold, MOST_ANSWER))]
  return example([...shown, ...right, ...answers])
}

/** Numbers are near or far, not right or wrong. */
function answerHtml({ gold, predicted }: AnsweredItem): Html {
  const text = textHtml(predicted === '' ? 'none' : predicted, MOST_ANSWER)
  if (isNumber(predicted) || gold === undefined) return text
  return predicted === gold ? text : html`<span class="no">${text}</span>`
}

function pair(title: Html, body: Html): Html {
  return html`<dt>${title}</dt><dd>${body}</dd>`
}

function example(pairs: readonly Html[]): Html {
  return html`<div class="example"><dl>${pairs}</dl></div>\n`
}
