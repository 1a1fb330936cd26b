/**
 * Entity-level scoring of tag sequences: an entity is right if its first word, last word and type all are.
 * Two readings of the tags. `conlleval`: that of the CoNLL-2000 script, where an I without a B or I of its
 * type before it begins an entity. `iob2`: strict, where only a B begins one and such an I belongs to none.
 */
import { type Counts, countsOf } from './counts.js'

/** How tags are read. */
export type Reading = 'conlleval' | 'iob2'

/** Words [start, end) of a sentence. */
export interface EntitySpan {
  start: number
  end: number
  /** Empty for plain B and I. */
  type: string
}

export type EntityCounts = Counts

/** Over all types (micro average), and for each type that occurs in gold or prediction. */
export interface EntityScores extends EntityCounts {
  types: Record<string, EntityCounts>
}

/** The entities of one sentence, in order. Tags: O, B, I, B-TYPE, I-TYPE. */
export function entitySpans(tags: string[], reading: Reading): EntitySpan[] {
  const spans: EntitySpan[] = []
  let open: EntitySpan | undefined
  tags.forEach((tag, i) => {
    const type = tag.slice(2)
    if (open !== undefined && tag[0] === 'I' && type === open.type) {
      open.end = i + 1
      return
    }
    open = undefined
    if (tag[0] === 'B' || (tag[0] === 'I' && reading === 'conlleval')) {
      open = { start: i, end: i + 1, type }
      spans.push(open)
    }
  })
  return spans
}

/** Scores `predicted[i]` against `gold[i]`, the tags of sentence i. Both have the same lengths throughout. */
export function scoreEntities(gold: string[][], predicted: string[][], reading: Reading): EntityScores {
  const types = new Map<string, [gold: number, predicted: number, correct: number]>()
  const counts = (type: string) => {
    const known = types.get(type) ?? [0, 0, 0]
    types.set(type, known)
    return known
  }
  gold.forEach((tags, i) => {
    const wanted = new Set<string>()
    for (const span of entitySpans(tags, reading)) {
      wanted.add(key(span))
      counts(span.type)[0]++
    }
    for (const span of entitySpans(predicted[i], reading)) {
      counts(span.type)[1]++
      if (wanted.has(key(span))) counts(span.type)[2]++
    }
  })
  const rows = [...types.values()]
  const sum = (column: 0 | 1 | 2) => rows.reduce((n, row) => n + row[column], 0)
  const names = [...types.keys()].sort()
  return {
    ...countsOf(sum(2), sum(1), sum(0)),
    types: Object.fromEntries(
      names.map((type) => {
        const [wanted, found, right] = counts(type)
        return [type, countsOf(right, found, wanted)]
      }),
    ),
  }
}

function key({ start, end, type }: EntitySpan): string {
  return `${start} ${end} ${type}`
}
