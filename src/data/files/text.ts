/** Text files of people: read whole, UTF-8 with or without byte order mark, every fault named with file and line. */
import { readFileSync } from 'node:fs'
import { InputError } from '../../error.js'

/** The text of a file. `expected` says what it should have been. Throws an InputError where it cannot be read or is not UTF-8. */
export function readText(path: string, expected: string): string {
  const bytes = readBytes(path, expected)
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

function readBytes(path: string, expected: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const found =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EISDIR'
          ? 'a folder'
          : `a file that cannot be read (${code})`
    throw new InputError({ file: path, found, expected })
  }
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
