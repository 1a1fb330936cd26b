/**
 * What is known of a data set beside its files: who released it in how many items, under which licence, what the papers
 * counted and why that differs, what a score on it is worth. The tables beside this file hold the sets; datasets.ts finds
 * them on a disk and checks them. Nothing of the sets themselves is in this project.
 */

/** Stems of the tasks. */
export type TaskStem = 'entities' | 'relations' | 'similarity' | 'inference' | 'documents' | 'answers'

/** Items by split. `total` counts all three where the division is made here or differs by fold. */
export interface Counts {
  readonly train?: number
  readonly dev?: number
  readonly test?: number
  readonly total?: number
}

/** One of the forms in which a set goes round. */
export interface Release {
  /** Who made it. */
  readonly by: string
  readonly items: Counts
}

/** Kinds of tasks over whose means BLURB averages. */
export const BLURB_TYPES = ['NER', 'PICO', 'RE', 'STS', 'documents', 'QA'] as const
export type BlurbType = (typeof BLURB_TYPES)[number]

export interface KnownSet {
  /** As the papers spell it. */
  readonly name: string
  /** What it is called elsewhere, on the command line and as a folder; case, hyphens and the like do not matter. */
  readonly aliases: readonly string[]
  readonly task: TaskStem
  /** The task's form that it is read in; the task's usual one where nothing is said. */
  readonly form?: string
  /** One of these files tells its folder from that of another set of the same name. */
  readonly holds?: readonly string[]
  /** What one item is, in the plural. */
  readonly unit: string
  /** The usual release first. Empty where nobody could count one. */
  readonly releases: readonly Release[]
  /** Tests that a set has in turn, in place of one division. */
  readonly folds?: number
  /** No part is the test part as released: each seed holds out its own. */
  readonly heldOut?: boolean
  /** The counts of the papers, what they are of, and why they differ from the release. */
  readonly paper?: { readonly unit: string; readonly counts: Counts; readonly note: string }
  /** As the source states it; `not stated` where it says nothing of the data. */
  readonly licence: string
  /** Where it is to be had. */
  readonly source: string
  readonly publication: string
  /** What has to be signed or registered first. */
  readonly agreement?: string
  /** How little a score on it tells. */
  readonly small?: string
  /** Its place in BLURB, and the score that counts there, in words. */
  readonly blurb?: { readonly type: BlurbType; readonly metric: string }
  /** Why it stands here although it is none of the papers' twenty. */
  readonly beside?: string
  /** The same examples as another set's, cut or labelled otherwise: left out of averages and of what runs unasked. */
  readonly variantOf?: string
  /** What a person should know before believing a score. */
  readonly notes: readonly string[]
}
