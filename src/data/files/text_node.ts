/** Text files of people, read whole. */
import { readFileSync } from 'node:fs'
import { InputError } from '../../error.js'
import { decodeText } from './text.js'

/** The text of a file. `expected` says what it should have been. Throws an InputError where it cannot be read or is not UTF-8. */
export function readText(path: string, expected: string): string {
  return decodeText(readBytes(path, expected), path)
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
