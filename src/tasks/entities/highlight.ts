/**
 * Labelled sentences as `predict` prints them: text with the entities highlighted (colours on a terminal,
 * `[text](TYPE)` elsewhere), JSON lines, or CoNLL columns. Entities follow conlleval's reading of the tags.
 */
import type { Word } from '../../data/corpus/words.js'
import { entitySpans } from '../metrics/entities.js'
import { codePointCounter, printable } from '../shared/printable.js'

/** A text, its words (offsets into it) and a tag for each; scores, where known, in [0, 1] for each word. */
export interface LabelledText {
  text: string
  words: Word[]
  tags: string[]
  scores?: ArrayLike<number>
}

/** `[start, end)` counts UTF-16 units of the text, as JavaScript's `slice` does. */
export interface TextEntity {
  start: number
  end: number
  type: string
  text: string
  /** The least score of the entity's words. */
  score?: number
}

export interface HighlightOptions {
  /** What plain B and I tags are of; default `ENTITY`. */
  entityName?: string
}

/** Colours (SGR numbers) by type, in the order of first appearance within a renderer. */
const colours = [41, 44, 45, 42, 46, 43]

export function textEntities(
  labelled: LabelledText,
  { entityName = 'ENTITY' }: HighlightOptions = {},
): TextEntity[] {
  const { text, words, tags, scores } = labelled
  if (tags.length !== words.length)
    throw new Error(`highlight: ${tags.length} tags for ${words.length} words`)
  return entitySpans(tags, 'conlleval').map((span) => {
    const start = words[span.start].start
    const end = words[span.end - 1].end
    const entity: TextEntity = { start, end, type: span.type || entityName, text: text.slice(start, end) }
    if (scores !== undefined) {
      entity.score = 1
      for (let w = span.start; w < span.end; w++) entity.score = Math.min(entity.score, scores[w])
    }
    return entity
  })
}

/** A function from labelled text to the text with marks; it keeps one colour for each type that it meets. */
export function highlighter(
  colour: boolean,
  options: HighlightOptions = {},
): (labelled: LabelledText) => string {
  const types: string[] = []
  return (labelled) => {
    let printed = ''
    let at = 0
    for (const { start, end, type, text } of textEntities(labelled, options)) {
      if (!types.includes(type)) types.push(type)
      printed += printable(labelled.text.slice(at, start))
      const shown = printable(text)
      printed += colour
        ? `\u001b[97;${colours[types.indexOf(type) % colours.length]}m${shown}\u001b[0m\u001b[2m(${printable(type)})\u001b[0m`
        : `[${shown}](${printable(type)})`
      at = end
    }
    return printed + printable(labelled.text.slice(at))
  }
}

/**
 * One line of JSON: `{"text", "entities": [{"start", "end", "type", "text", "score"}]}`. Here offsets count
 * Unicode code points of the text, so that readers in other languages find the entities.
 */
export function jsonLine(labelled: LabelledText, options: HighlightOptions = {}): string {
  const { text } = labelled
  const count = codePointCounter(text)
  const entities = textEntities(labelled, options).map((entity) => ({
    ...entity,
    start: count(entity.start),
    end: count(entity.end),
    ...(entity.score === undefined ? {} : { score: Number(entity.score.toFixed(4)) }),
  }))
  return JSON.stringify({ text, entities })
}

/** `word<TAB>tag` lines and a blank one. */
export function conllRows({ words, tags }: LabelledText): string {
  if (tags.length !== words.length)
    throw new Error(`highlight: ${tags.length} tags for ${words.length} words`)
  return `${words.map((word, i) => `${word.text}\t${tags[i]}\n`).join('')}\n`
}
