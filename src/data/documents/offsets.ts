/**
 * Offsets in the countings of the formats. JavaScript counts UTF-16 units; PubTator, brat, our JSON lines and, as NCBI's services
 * write it, BioC count Unicode code points; BioC's DTD asks for bytes of UTF-8, and some files follow it. A half of a
 * surrogate pair that stands alone is one character, and three bytes, as the U+FFFD that is written for it.
 */

export const COUNTINGS = ['characters', 'bytes'] as const
export type Counting = (typeof COUNTINGS)[number]

/** Between UTF-16 units of one text and a counting. */
export interface Counter {
  /** The whole text. */
  readonly length: number
  /** Of the first `units` UTF-16 units. */
  at(units: number): number
  /** UTF-16 units before `offset`; undefined outside of the text and inside of a character. */
  units(offset: number): number | undefined
}

export function counter(text: string, counting: Counting = 'characters'): Counter {
  const plain = counting === 'characters' ? !/[\ud800-\udfff]/.test(text) : !/[\u0080-\uffff]/.test(text)
  if (plain)
    return {
      length: text.length,
      at: (units) => units,
      units: (offset) =>
        Number.isInteger(offset) && offset >= 0 && offset <= text.length ? offset : undefined,
    }
  const before = table(text, counting)
  return {
    length: before[text.length],
    at: (units) => before[units],
    units: (offset) => {
      const found = lowerBound(before, offset)
      return before[found] === offset ? found : undefined
    },
  }
}

/** `table[u]`: the count before unit u; the second half of a pair counts as its end. */
function table(text: string, counting: Counting): Uint32Array {
  const before = new Uint32Array(text.length + 1)
  let count = 0
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at) as number
    count += counting === 'characters' ? 1 : code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    before[++at] = count
    if (code > 0xffff) before[++at] = count
  }
  return before
}

/** The first index whose value is `wanted` or more, the last where none is. */
function lowerBound(values: Uint32Array, wanted: number): number {
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle] < wanted) low = middle + 1
    else high = middle
  }
  // behind a pair stand two units of one count: the end of the pair is meant
  return low + 1 < values.length && values[low + 1] === wanted ? low + 1 : low
}
