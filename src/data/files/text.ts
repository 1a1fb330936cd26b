/**
 * Text of people: UTF-8 with or without byte order mark, every fault named with file and line. Needs nothing of Node;
 * text_node.ts has files.
 */
import { InputError } from '../../error.js'

/** The text of a file's bytes, without byte order mark. Throws an InputError that names `path` where they are not UTF-8. */
export function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError({
      file: path,
      line: badLine(bytes),
      found: 'bytes that are not UTF-8',
      expected: 'UTF-8 text',
    })
  }
}

/** A value as errors show it, cut short. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text
  return JSON.stringify(shown)
}

/** The first line, from 1, that does not decode by itself. */
function badLine(bytes: Uint8Array): number {
  let line = 1
  for (let start = 0; start <= bytes.length; line++) {
    const found = bytes.indexOf(10, start)
    const end = found < 0 ? bytes.length : found
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    start = end + 1
  }
  return line - 1
}
