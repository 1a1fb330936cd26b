/**
 * Reads the parts of a data set. Where a release has no dev part, a tenth of training is held out: label by label, drawn from
 * the seed, rows of one text always on one side, so that the best checkpoint is not chosen by sentences that were trained on.
 */
import { Philox } from '../../data/random.js'
import type { Split } from '../task.js'
import { type FindOptions, findSplits, type SplitFiles } from './splits.js'

const DEV_SHARE = 0.1
/** Streams of random numbers are named; this one is of held-out parts. */
const HELD_OUT = 0x68656c64

/** A label and a text, by which rows are kept in proportion and together. */
export interface Stratum {
  readonly text: string
  readonly label: string
}

export interface Parts<Item> {
  readonly train: Split<Item>
  readonly dev: Split<Item>
  readonly test: Split<Item>
  readonly notes: string[]
  readonly facts: Record<string, unknown>
}

/** Reads the files that `findSplits` finds. `unit` is what an item is, in the plural. */
export function readParts<Item>(
  folder: string,
  options: FindOptions & { readonly seed: number },
  read: (file: string) => Item[],
  stratum: (item: Item) => Stratum,
  unit: string,
): Parts<Item> {
  const files = findSplits(folder, options)
  const all = files.train.flatMap(read)
  const path = files.train.length === 1 ? files.train[0] : folder
  const test = { path: files.test, items: read(files.test) }
  const notes = foldNotes(files)
  const facts: Record<string, unknown> = {}
  if (files.folds !== undefined) Object.assign(facts, { folds: files.folds, fold: files.fold })
  const seen = new Set(all.map((item) => stratum(item).text))
  const repeated = test.items.filter((item) => seen.has(stratum(item).text)).length
  if (repeated > 0) {
    notes.push(
      `${counted(repeated)} of ${counted(test.items.length)} test ${unit} are in the training part too`,
    )
    facts.test_in_train = repeated
  }
  if (files.dev !== undefined) {
    const dev = { path: files.dev, items: read(files.dev) }
    return { train: { path, items: all }, dev, test, notes, facts }
  }
  const { train, dev } = holdOut(all, stratum, options.seed)
  notes.push(
    `no dev file: ${counted(dev.length)} of ${counted(all.length)} training ${unit} are held out (a tenth of each label, seed ${options.seed})`,
  )
  facts.held_out = dev.length
  return { train: { path, items: train }, dev: { path, items: dev }, test, notes, facts }
}

/**
 * A tenth of the items, drawn label by label, at least one text of a label that has two or more. Items of one text go
 * together; both parts keep their order.
 */
export function holdOut<Item>(
  items: readonly Item[],
  stratum: (item: Item) => Stratum,
  seed: number,
): { train: Item[]; dev: Item[] } {
  const labelOf = new Map<string, string>()
  for (const { text, label } of items.map(stratum)) if (!labelOf.has(text)) labelOf.set(text, label)
  const texts = new Map<string, string[]>()
  for (const [text, label] of labelOf) {
    const alike = texts.get(label)
    if (alike === undefined) texts.set(label, [text])
    else alike.push(text)
  }
  const chosen = new Set<string>()
  const random = new Philox(seed, HELD_OUT)
  for (const label of [...texts.keys()].sort()) {
    const drawn = texts.get(label) as string[]
    random.shuffle(drawn)
    const count = drawn.length < 2 ? 0 : Math.max(1, Math.round(DEV_SHARE * drawn.length))
    for (const text of drawn.slice(0, count)) chosen.add(text)
  }
  const held = (item: Item) => chosen.has(stratum(item).text)
  return { train: items.filter((item) => !held(item)), dev: items.filter(held) }
}

export function counted(n: number): string {
  return n.toLocaleString('en-US')
}

function foldNotes({ train, folds, fold }: SplitFiles): string[] {
  if (folds === undefined) return []
  const rest = train.length === 1 ? train[0] : `the tests of the other ${train.length}`
  return [`fold ${fold} of ${folds} is the test part, trained on ${rest}`]
}
