/**
 * The score of BLURB by its definition: the mean over its six types of tasks of the mean of each type's sets, thirteen in all,
 * each with the one score that counts there. A part of it is no BLURB score: where a set is missing there is none, and which
 * are missing is said. Source: Gu et al. 2021, Domain-specific language model pretraining, section 2.3 and table 1.
 */
import { BLURB_TYPES, type BlurbType } from '../tasks/datasets/known.js'
import { dataSets } from '../tasks/datasets.js'

/** Of BLURB's sets those that no task of this project reads: its BioASQ is yes/no, and the papers' factoid. */
const ELSEWHERE: readonly { readonly name: string; readonly type: BlurbType }[] = [
  { name: 'EBM PICO', type: 'PICO' },
  { name: 'PubMedQA', type: 'QA' },
  { name: 'BioASQ (yes/no)', type: 'QA' },
]

export interface BlurbSet {
  readonly name: string
  readonly type: BlurbType
}

export const blurbSets: readonly BlurbSet[] = [
  ...dataSets.flatMap(({ name, blurb }) => (blurb ? [{ name, type: blurb.type }] : [])),
  ...ELSEWHERE,
]

export interface BlurbScore {
  readonly score: number | null
  /** Means of the types whose sets are all there. */
  readonly types: Readonly<Record<BlurbType, number | null>>
  /** What is missing, for people. */
  readonly note: string
}

/** `means` by name of the set. */
export function blurbScore(
  means: ReadonlyMap<string, number>,
  sets: readonly BlurbSet[] = blurbSets,
): BlurbScore {
  const missing = sets.filter(({ name }) => !means.has(name))
  const typeMean = (type: BlurbType): number | null => {
    const own = sets.filter((set) => set.type === type)
    if (own.length === 0 || own.some((set) => missing.includes(set))) return null
    return mean(own.map(({ name }) => means.get(name) ?? Number.NaN))
  }
  const types = Object.fromEntries(BLURB_TYPES.map((type) => [type, typeMean(type)])) as BlurbScore['types']
  if (missing.length === 0) {
    const there = BLURB_TYPES.map((type) => types[type]).filter((value) => value !== null)
    return { score: mean(there), types, note: `mean of ${there.length} types of tasks, ${sets.length} sets` }
  }
  const names = missing.map(({ name, type }) => `${name} (${type})`).join(', ')
  const note = `no BLURB score: ${missing.length} of its ${sets.length} sets are missing, ${names}`
  return { score: null, types, note }
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
