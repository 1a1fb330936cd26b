/** Published scores of the sets of an evaluation, as fractions, each with its kind and source. */
import { bioalbert2020, entityLevel, gains2022, otherTasks, quoted2020 } from './published_scores.js'
import type { PublishedRecord } from './record.js'

const SOURCES = {
  bioalbert: 'Naseem et al. 2020, table V; word by word, by all appearances',
  quoted: 'Naseem et al. 2020, table V, quoting others; exact entities, trained on train + dev',
  biobert: 'dmis-lab/biobert-pytorch, README; exact entities',
  tables: 'BLURB and LinkBERT tables; exact entities',
  others: 'BLURB and LinkBERT tables; micro F1',
  folds: 'BLURB and LinkBERT tables; F1, mean of ten folds',
} as const

/** What BLURB's own score stands under, beside the sets. */
export const BLURB = 'BLURB'

function triples(
  table: typeof bioalbert2020,
  kind: PublishedRecord['kind'],
  source: string,
): PublishedRecord[] {
  return Object.entries(table).flatMap(([set, models]) =>
    Object.entries(models).map(([model, [, , f1]]) => ({
      ...{ set, model, metric: 'f1', value: fraction(f1), kind, source },
    })),
  )
}

function singles(
  table: typeof entityLevel,
  kind: PublishedRecord['kind'],
  sourceOf: (model: string, set: string) => string,
): PublishedRecord[] {
  return Object.entries(table).flatMap(([model, sets]) =>
    Object.entries(sets).map(([set, value]) => ({
      ...{ set, model, metric: set === BLURB ? 'blurb' : 'f1', value: fraction(value), kind },
      source: sourceOf(model, set),
    })),
  )
}

/** Percent as printed; the division does not add digits. */
function fraction(percent: number): number {
  return Number((percent / 100).toFixed(6))
}

/** All, in the order entity-level, paper-style, other. */
export const publishedScores: readonly PublishedRecord[] = [
  ...singles(entityLevel, 'entity-level', (model) =>
    model.startsWith('BioBERT') ? SOURCES.biobert : SOURCES.tables,
  ),
  ...triples(quoted2020, 'entity-level', SOURCES.quoted),
  ...triples(bioalbert2020, 'paper-style', SOURCES.bioalbert),
  ...singles(otherTasks, 'other', (_, set) => (set === 'EU-ADR' ? SOURCES.folds : SOURCES.others)),
]

/** Those of the named sets, and of BLURB's score. */
export function publishedFor(sets: readonly string[]): PublishedRecord[] {
  return publishedScores.filter(({ set }) => sets.includes(set) || set === BLURB)
}

/** Points that BioALBERT is said to gain on a set over the best before it; undefined where nothing was said. */
export function publishedGain(set: string): number | undefined {
  return gains2022[set]
}
