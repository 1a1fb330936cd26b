/** Text of people as it is printed: what cannot command a terminal, and offsets that other languages understand. */

/** Text that cannot command a terminal: control characters but for tab and line feed become U+FFFD. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (c) =>
    c === '\n' || c === '\t' ? c : '\ufffd',
  )
}

/** Unicode code points of the first `end` UTF-16 units. */
export function codePoints(text: string, end: number): number {
  let count = 0
  for (let i = 0; i < end; i += (text.codePointAt(i) as number) > 0xffff ? 2 : 1) count++
  return count
}
