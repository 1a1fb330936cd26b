/**
 * A corpus (one sentence a line, a blank line between documents) cut into blocks of whole documents: the fixed
 * partition that makes results independent of the number of workers. Only block borders are looked for here;
 * a block is read when its turn comes.
 */

import { isUtf8 } from 'node:buffer'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { InputError, UserError } from '../../error.js'

export interface CorpusBlock {
  file: string
  /** Bytes [start, end). */
  start: number
  end: number
}

const MIB = 1 << 20
/** Largest document: one that does not end for so long is a file without blank lines. */
const LONGEST_DOCUMENT = 512 * MIB

/** Block size for a corpus: at least 4 MiB, at most 32, about a thousand blocks between. */
export function blockBytesFor(corpusBytes: number): number {
  return Math.min(32 * MIB, Math.max(4 * MIB, Math.ceil(corpusBytes / 1024)))
}

/** Sizes of the files in bytes; an empty or missing file is refused. */
export function corpusSizes(files: string[]): number[] {
  return files.map((file) => {
    const descriptor = openForReading(file)
    try {
      const status = fstatSync(descriptor)
      if (!status.isFile()) throw new UserError(`${file}: is no file`)
      if (status.size === 0) {
        throw new InputError({
          file,
          found: 'an empty file',
          expected: 'text, a blank line between documents',
        })
      }
      return status.size
    } finally {
      closeSync(descriptor)
    }
  })
}

/** Cuts every file after the first blank line past each multiple of about `blockBytes`. */
export function corpusBlocks(files: string[], sizes: number[], blockBytes: number): CorpusBlock[] {
  return files.flatMap((file, i) => {
    const blocks: CorpusBlock[] = []
    const descriptor = openForReading(file)
    try {
      for (let start = 0; start < sizes[i]; ) {
        const end =
          start + blockBytes >= sizes[i]
            ? sizes[i]
            : afterBlankLine(descriptor, start + blockBytes, sizes[i], file)
        blocks.push({ file, start, end })
        start = end
      }
    } finally {
      closeSync(descriptor)
    }
    return blocks
  })
}

/** The byte after the first blank line that begins at or after `from`. */
function afterBlankLine(file: number, from: number, size: number, name: string): number {
  const chunk = Buffer.alloc(1 << 16)
  let blank = false
  for (let at = from; at < size; ) {
    if (at - from > LONGEST_DOCUMENT) {
      throw new InputError({
        file: name,
        found: `no blank line in ${LONGEST_DOCUMENT >> 20} MiB`,
        expected: 'a blank line between documents',
      })
    }
    const length = readSync(file, chunk, 0, chunk.length, at)
    if (length === 0) break
    for (let i = 0; i < length; i++) {
      if (chunk[i] === 10) {
        if (blank) return at + i + 1
        blank = true
      } else if (chunk[i] !== 32 && chunk[i] !== 13 && chunk[i] !== 9) {
        blank = false
      }
    }
    at += length
  }
  return size
}

/** The bytes of a block; refused where they are not UTF-8. */
export function readBlock({ file, start, end }: CorpusBlock): Buffer {
  const bytes = Buffer.allocUnsafe(end - start)
  const descriptor = openForReading(file)
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = readSync(descriptor, bytes, at, bytes.length - at, start + at)
      if (length === 0) {
        throw new InputError({
          file,
          found: `the end of the file at byte ${start + at}`,
          expected: `${end} bytes`,
        })
      }
      at += length
    }
    if (!isUtf8(bytes)) refuseEncoding(descriptor, file, start, bytes)
  } finally {
    closeSync(descriptor)
  }
  return bytes
}

/** Names the line on which a block stops being UTF-8. */
function refuseEncoding(descriptor: number, file: string, start: number, bytes: Buffer): never {
  let line = 1
  const chunk = Buffer.alloc(1 << 16)
  for (let at = 0; at < start; ) {
    const length = readSync(descriptor, chunk, 0, Math.min(chunk.length, start - at), at)
    for (let i = 0; i < length; i++) if (chunk[i] === 10) line++
    at += length
  }
  for (let from = 0; from < bytes.length; line++) {
    let to = bytes.indexOf(10, from)
    if (to < 0) to = bytes.length
    if (!isUtf8(bytes.subarray(from, to))) break
    from = to + 1
  }
  throw new InputError({ file, line, found: 'bytes that are not UTF-8', expected: 'UTF-8 text' })
}

function openForReading(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
}
