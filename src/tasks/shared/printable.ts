/** Text of people as it is printed: what cannot command a terminal, and offsets that other languages understand. */

/** Text that cannot command a terminal: control characters but for tab and line feed become U+FFFD. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (c) =>
    c === '\n' || c === '\t' ? c : '\ufffd',
  )
}

/** Unicode code points of the first `end` UTF-16 units. */
export function codePoints(text: string, end: number): number {
  return codePointCounter(text)(end)
}

/** The same for many places that ascend: the text is walked once, however many there are. */
export function codePointCounter(text: string): (end: number) => number {
  let count = 0
  let i = 0
  return (end) => {
    for (; i < end; i += (text.codePointAt(i) as number) > 0xffff ? 2 : 1) count++
    return count
  }
}
