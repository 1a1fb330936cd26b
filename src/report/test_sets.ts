/**
 * Predictions of several models on the same test set, brought side by side: runs belong together where words and gold tags
 * (or texts and gold answers) are the same. Counts where they differ, and puts first what is worth reading: where models
 * differ, then where all are wrong.
 */
import { createHash } from 'node:crypto'
import type { AnsweredItem, Predictions, Run, TaggedSentence } from './model.js'
import { readPredictions } from './read/predictions.js'

interface Base {
  readonly title: string
  /** One for each of the models below. */
  readonly models: readonly string[]
}

/** `sentences[m]` are those of model m, which differ in what was predicted alone. */
export interface TaggedTestSet extends Base {
  readonly kind: 'tags'
  readonly sentences: readonly (readonly TaggedSentence[])[]
}

export interface ItemTestSet extends Base {
  readonly kind: 'items'
  readonly items: readonly (readonly AnsweredItem[])[]
}

export type TestSet = TaggedTestSet | ItemTestSet

/** Reads the predictions of all runs, of a benchmark's those of one seed and fold for each model. */
export function readTestSets(runs: readonly Run[]): TestSet[] {
  const groups = new Map<string, { title: string; models: string[]; predictions: Predictions[] }>()
  for (const run of representatives(runs)) {
    const predictions = readPredictions(run.predictions!)
    const key = digest(predictions)
    const group = groups.get(key) ?? { title: '', models: [], predictions: [] }
    groups.set(key, group)
    group.title ||= run.place?.set ?? ''
    group.models.push(run.place ? `${run.place.model}, seed ${run.place.seed}` : run.name)
    group.predictions.push(predictions)
  }
  return [...groups.values()].map(({ title, models, predictions }): TestSet => {
    const base = { title: title === '' ? `Test set of ${models.join(', ')}` : title, models }
    const sentences = predictions.flatMap((one) => (one.kind === 'tags' ? [one.sentences] : []))
    const items = predictions.flatMap((one) => (one.kind === 'items' ? [one.items] : []))
    return sentences.length > 0 ? { ...base, kind: 'tags', sentences } : { ...base, kind: 'items', items }
  })
}

function representatives(runs: readonly Run[]): Run[] {
  const chosen = new Map<string, Run>()
  for (const run of runs) {
    if (run.predictions === undefined) continue
    const { place } = run
    const key = JSON.stringify(place ? [place.benchmark ?? '', place.set, place.model] : run.dir)
    const other = chosen.get(key)?.place
    const isFirst =
      other === undefined ||
      place!.seed < other.seed ||
      (place!.seed === other.seed && (place!.fold ?? 0) < (other.fold ?? 0))
    if (isFirst) chosen.set(key, run)
  }
  return [...chosen.values()]
}

/** Of all but what was predicted. */
function digest(predictions: Predictions): string {
  const hash = createHash('sha256').update(predictions.kind)
  if (predictions.kind === 'tags')
    for (const { words, gold } of predictions.sentences) hash.update(JSON.stringify([words, gold]))
  else for (const { texts, gold } of predictions.items) hash.update(JSON.stringify([texts, gold ?? null]))
  return hash.digest('hex')
}

/** How two models stand to each other, in words or in items. */
export interface Disagreement {
  readonly a: number
  readonly b: number
  readonly all: number
  readonly differ: number
  /** Of those that differ: a is right (of numbers: nearer), b is, neither is. */
  readonly aRight: number
  readonly bRight: number
  readonly neither: number
}

export function disagreements(set: TestSet): Disagreement[] {
  const answers = answersOf(set)
  const gold = goldOf(set)
  const pairs = set.models.flatMap((_, a) => set.models.slice(a + 1).map((__, k) => [a, a + 1 + k] as const))
  return pairs.map(([a, b]) => {
    const counts = { differ: 0, aRight: 0, bRight: 0, neither: 0 }
    gold.forEach((right, i) => {
      const [one, other] = [answers[a][i], answers[b][i]]
      if (one === other) return
      counts.differ++
      const [near, far] = right === undefined ? [0, 0] : [distance(one, right), distance(other, right)]
      if (near < far) counts.aRight++
      else if (far < near) counts.bRight++
      else counts.neither++
    })
    return { a, b, all: gold.length, ...counts }
  })
}

function goldOf(set: TestSet): readonly (string | undefined)[] {
  return set.kind === 'tags'
    ? set.sentences[0].flatMap(({ gold }) => gold)
    : set.items[0].map(({ gold }) => gold)
}

function answersOf(set: TestSet): (readonly string[])[] {
  return set.kind === 'tags'
    ? set.sentences.map((sentences) => sentences.flatMap(({ predicted }) => predicted))
    : set.items.map((items) => items.map(({ predicted }) => predicted))
}

/** Indices of sentences or items, at most `most`: those in which models differ first, most of all, then wrong ones. */
export function worthReading(set: TestSet, most: number): number[] {
  const n = set.kind === 'tags' ? set.sentences[0].length : set.items[0].length
  const score = (i: number): readonly number[] =>
    set.kind === 'tags' ? scoreTags(set, i) : scoreItem(set, i)
  return Array.from({ length: n }, (_, i) => ({ i, score: score(i) }))
    .sort((x, y) => compare(y.score, x.score) || x.i - y.i)
    .slice(0, most)
    .map(({ i }) => i)
}

/** Lexicographic. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : a[at] - b[at]
}

/** Words that differ between models, words that are wrong in one, words of entities. */
function scoreTags({ sentences }: TaggedTestSet, i: number): number[] {
  const { gold } = sentences[0][i]
  const sums = [0, 0, 0]
  gold.forEach((tag, w) => {
    const tags = sentences.map((of) => of[i].predicted[w])
    if (tags.some((other) => other !== tags[0])) sums[0]++
    if (tags.some((other) => other !== tag)) sums[1]++
    if (tag !== 'O') sums[2]++
  })
  return sums
}

/** How far answers lie apart, and from what is right; for answers that are no numbers whether they do. */
function scoreItem({ items }: ItemTestSet, i: number): number[] {
  const { gold } = items[0][i]
  const answers = items.map((of) => of[i].predicted)
  const apart = Math.max(...answers.map((answer) => distance(answer, answers[0])))
  return [apart, gold === undefined ? 0 : Math.max(...answers.map((answer) => distance(answer, gold)))]
}

export function distance(a: string, b: string): number {
  if (a === b) return 0
  const areNumbers = [a, b].every((text) => /^-?[\d.]+(e-?\d+)?$/.test(text)) && (isNumber(a) || isNumber(b))
  const far = areNumbers ? Math.abs(Number(a) - Number(b)) : 1
  return Number.isFinite(far) ? far : 1
}

/** A number that is not the name of a class: with a point in it. */
export function isNumber(text: string): boolean {
  return /^-?\d+\.\d+(e-?\d+)?$/.test(text)
}
