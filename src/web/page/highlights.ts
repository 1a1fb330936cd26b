/** Where entities are while their text is being changed, and how they look. */
import { codePointCounter } from '../../tasks/shared/printable.js'
import type { Entity } from '../protocol.js'

/**
 * Entities of `before` as they lie in `after`, one edit later: those in front of it stay, those behind it move along, those that it
 * touched are gone. So marks stay with their words until the model has read the new text.
 */
export function follow(entities: readonly Entity[], before: string, after: string): Entity[] {
  if (entities.length === 0) return []
  const most = Math.min(before.length, after.length)
  let front = 0
  while (front < most && before[front] === after[front]) front++
  let back = 0
  while (back < most - front && before[before.length - 1 - back] === after[after.length - 1 - back]) back++
  const moved = after.length - before.length
  return entities.flatMap((entity) => {
    if (entity.end <= front) return [entity]
    if (entity.start < before.length - back) return []
    return [{ ...entity, start: entity.start + moved, end: entity.end + moved }]
  })
}

/** A line of a text with its entities, whose places are those in the line. */
export interface Line {
  readonly text: string
  readonly entities: readonly Entity[]
}

/**
 * How many lines at the beginning of both are the same, and where those at the end of both that are the same begin: in `before` and in
 * `after`.
 */
export function unchanged(
  before: readonly Line[],
  after: readonly Line[],
): { same: number; before: number; after: number } {
  const most = Math.min(before.length, after.length)
  let same = 0
  while (same < most && isSame(before[same], after[same])) same++
  let back = 0
  while (back < most - same && isSame(before[before.length - 1 - back], after[after.length - 1 - back]))
    back++
  return { same, before: before.length - back, after: after.length - back }
}

function isSame(a: Line, b: Line): boolean {
  return (
    a.text === b.text &&
    a.entities.length === b.entities.length &&
    a.entities.every(({ start, end, type, confidence }, i) => {
      const other = b.entities[i]
      return (
        start === other.start && end === other.end && type === other.type && confidence === other.confidence
      )
    })
  )
}

/** The line under a mark, so that confidence is not told by colour. */
export function sureness(confidence: number): 'sure' | 'likely' | 'unsure' {
  if (confidence >= 0.9) return 'sure'
  return confidence >= 0.6 ? 'likely' : 'unsure'
}

/** How many colours page.css has. */
const COLOURS = 6

/** Types in the order of the model's labels, each with its colour's class. */
export class Colours {
  private types: string[] = []

  reset(labels: readonly string[]): void {
    this.types = [...new Set(labels.filter((label) => /^[BI]-/.test(label)).map((label) => label.slice(2)))]
  }

  of(type: string): string {
    if (!this.types.includes(type)) this.types.push(type)
    return `e${this.types.indexOf(type) % COLOURS}`
  }
}

/** Where entities, which ascend, begin and end in Unicode code points of the text. */
export function inCodePoints(text: string, entities: readonly Entity[]): { start: number; end: number }[] {
  const at = codePointCounter(text)
  return entities.map(({ start, end }) => ({ start: at(start), end: at(end) }))
}

/**
 * The lines that `predict --json` prints: an object for each line of the text, offsets in code points of that line, probabilities to
 * four digits. No entity reaches over the end of a line.
 */
export function predictionLines(text: string, entities: readonly Entity[]): string {
  const lines = text.split('\n')
  if (lines.length > 1 && lines[lines.length - 1] === '') lines.pop()
  let begin = 0
  let next = 0
  let printed = ''
  for (const line of lines) {
    const end = begin + line.length
    const from = next
    while (next < entities.length && entities[next].end <= end) next++
    const own = entities
      .slice(from, next)
      .map((entity) => ({ ...entity, start: entity.start - begin, end: entity.end - begin }))
    const places = inCodePoints(line, own)
    const found = own.map(({ start, end, type, confidence }, i) => ({
      ...places[i],
      type,
      text: line.slice(start, end),
      score: Number(confidence.toFixed(4)),
    }))
    printed += `${JSON.stringify({ text: line, entities: found })}\n`
    begin = end + 1
  }
  return printed
}
