/**
 * From a text or a pair of texts to one model input, scored at its first piece:
 *
 *   [CLS] a [SEP]              all of the first segment
 *   [CLS] a [SEP] b [SEP]      b and the [SEP] after it of the second
 *
 * What is too long loses pieces at the end, one at a time from the longer of the two (tie: the second), as the original
 * implementation and Hugging Face's `longest_first` do. How many went is kept with the example.
 */
import type { Example } from '../../model/head.js'
import type { PieceTokenizer } from '../task.js'

/** The texts of one item. */
export type Texts = readonly [first: string] | readonly [first: string, second: string]

/** The input of item number `item`. Throws RangeError where not a piece of each text fits beside the special ones. */
export function sequence(
  texts: Texts,
  item: number,
  { tokenizer, maxLength }: { tokenizer: PieceTokenizer; maxLength: number },
  targets?: Int32Array | Float32Array,
): Example {
  const least = 2 * texts.length + 1
  if (!(Number.isInteger(maxLength) && maxLength >= least))
    throw new RangeError(`sequence: maxLength is ${maxLength} (want an integer >= ${least})`)
  const { cls, sep } = tokenizer.special
  const pieces = texts.map((text) => tokenizer.encode(text))
  const kept = keptPieces(
    pieces.map(({ length }) => length),
    maxLength - texts.length - 1,
  )
  const ids = new Int32Array(1 + kept.reduce((sum, n) => sum + n + 1, 0))
  ids[0] = cls
  let at = 1
  pieces.forEach((part, i) => {
    ids.set(part.subarray(0, kept[i]), at)
    at += kept[i]
    ids[at++] = sep
  })
  const cut = pieces.reduce((sum, { length }, i) => sum + length - kept[i], 0)
  return {
    ids,
    ...(texts.length === 2 ? { second: kept[0] + 2 } : {}),
    scored: Int32Array.of(0),
    ...(targets === undefined ? {} : { targets }),
    item,
    cut,
  }
}

/** Where an item knows what it should be, and what that is as targets of its one row. */
export type Targets<Item> = (item: Item) => Int32Array | Float32Array | undefined

/** One example an item; with `training` items that say nothing of what they should be are left out. */
export function sequences<Item>(
  items: readonly Item[],
  texts: (item: Item) => Texts,
  targets: Targets<Item>,
  context: { tokenizer: PieceTokenizer; maxLength: number },
  training: boolean,
): Example[] {
  return items.flatMap((item, i) => {
    const target = targets(item)
    return training && target === undefined ? [] : [sequence(texts(item), i, context, target)]
  })
}

/** The one row of logits of every item, in the items' order. Throws unless each item has one example with one row. */
export function rowsOf(
  count: number,
  examples: readonly Example[],
  logits: readonly Float32Array[],
): Float32Array[] {
  const rows = new Array<Float32Array | undefined>(count).fill(undefined)
  examples.forEach(({ item }, e) => {
    if (rows[item] !== undefined) throw new Error(`item ${item} has two examples`)
    rows[item] = logits[e]
  })
  return rows.map((row, item) => {
    if (row === undefined) throw new Error(`item ${item} has no example`)
    return row
  })
}

/** How many pieces of each text stay, `budget` together. */
function keptPieces(lengths: readonly number[], budget: number): number[] {
  if (lengths.length === 1) return [Math.min(lengths[0], budget)]
  let [first, second] = lengths
  for (let over = first + second - budget; over > 0; over--) {
    if (first > second) first--
    else second--
  }
  return [first, second]
}
