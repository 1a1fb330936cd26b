/**
 * Texts with what is in them marked. Entities of a sentence in the colour of their type; wrong ones have a dashed line and a
 * cross, missed ones a dotted line, words on which models differ a wavy one, so that no mark is told by colour alone.
 */
import { type EntitySpan, entitySpans } from '../tasks/metrics/entities.js'
import { type Html, html, name, shorten } from './html.js'
import type { TaggedSentence } from './model.js'
import { ENTITY_COLOURS } from './style.js'

/** Characters of a word that are shown. */
const LONGEST_WORD = 200

export interface MarkOptions {
  /** Types in the order of their colours; of one type alone the name is not repeated at every entity. */
  readonly types: readonly string[]
  /** Words on which models differ. */
  readonly differs: ReadonlySet<number>
}

/** Types of a set's sentences, in the order of their names. */
export function typesOf(sentences: readonly TaggedSentence[]): string[] {
  const types = new Set<string>()
  for (const { gold, predicted } of sentences)
    for (const tag of [...gold, ...predicted]) if (tag !== 'O') types.add(tag.slice(2))
  return [...types].sort()
}

const key = ({ start, end, type }: EntitySpan) => `${start} ${end} ${type}`

/** The sentence with its gold entities. */
export function goldHtml({ words, gold }: TaggedSentence, options: MarkOptions): Html {
  return marked(words, entitySpans([...gold], 'conlleval'), options, () => '', new Set())
}

/** The sentence with the predicted ones. */
export function predictedHtml({ words, gold, predicted }: TaggedSentence, options: MarkOptions): Html {
  const right = entitySpans([...gold], 'conlleval')
  const found = entitySpans([...predicted], 'conlleval')
  const wanted = new Set(right.map(key))
  const taken = new Set(found.flatMap(wordsOf))
  const missed = new Set(right.flatMap(wordsOf).filter((word) => !taken.has(word)))
  return marked(words, found, options, (span) => (wanted.has(key(span)) ? '' : ' wrong'), missed)
}

function wordsOf({ start, end }: EntitySpan): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}

function marked(
  words: readonly string[],
  spans: readonly EntitySpan[],
  { types, differs }: MarkOptions,
  also: (span: EntitySpan) => string,
  missed: ReadonlySet<number>,
): Html {
  const word = (i: number) => {
    const kinds = [differs.has(i) && 'differs', missed.has(i) && 'missed'].filter((kind) => kind !== false)
    return kinds.length === 0
      ? html`${shorten(words[i], LONGEST_WORD)}`
      : html`<span class="${kinds.join(' ')}">${shorten(words[i], LONGEST_WORD)}</span>`
  }
  const parts: Html[] = []
  for (let i = 0; i < words.length; ) {
    const span = spans.find(({ start }) => start === i)
    if (span === undefined) {
      parts.push(word(i++))
      continue
    }
    const inner = wordsOf(span).map((w, k) => html`${k > 0 && ' '}${word(w)}`)
    const label = types.length > 1 && html`<small>${name(span.type)}</small>`
    const colour = Math.max(0, types.indexOf(span.type)) % ENTITY_COLOURS
    parts.push(html`<mark class="e${colour}${also(span)}">${inner}${label}</mark>`)
    i = span.end
  }
  return html`<bdi>${parts.map((part, i) => html`${i > 0 && ' '}${part}`)}</bdi>`
}

/** What the marks mean. */
export function marksLegend(types: readonly string[], models: number): Html {
  const entities =
    types.length > 1
      ? types.map((type, i) => html`<li><mark class="e${i % ENTITY_COLOURS}">${name(type)}</mark></li>`)
      : html`<li><mark class="e0">entity</mark></li>`
  return html`<ul class="legend">${entities}<li><mark class="e0 wrong">not in gold</mark></li><li><span class="missed">missed</span></li>${
    models > 1 && html`<li><span class="differs">models differ</span></li>`
  }</ul>\n`
}

/** Placeholders and markers of mentions, as relations have them. */
const MENTION = /(@[A-Za-z0-9_-]+\$|<<.*?>>|\[\[.*?\]\]|\bBC6ENT[CG]\b)/

/** A text with its mentions marked, cut at `most` characters. */
export function textHtml(text: string, most: number): Html {
  const characters = [...text]
  const shown = characters.length > most ? `${characters.slice(0, most).join('')}…` : text
  const parts = shown.split(MENTION)
  return html`<bdi>${parts.map((part, i) => (i % 2 === 1 ? html`<mark class="e0">${part}</mark>` : part))}</bdi>`
}
