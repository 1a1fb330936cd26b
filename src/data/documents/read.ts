/**
 * Inputs as one stream of documents. gzip is taken off; what a file is, its first bytes and its name say, or the person. A file
 * that cannot be read, or goes bad on the way, is a fault in its place, and the next one follows.
 */
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { systemReason } from '../../error.js'
import type { DocumentFormat, DocumentReader, Read, ReaderOptions } from './format.js'
import { text } from './formats/text.js'
import { detectFormat, HEAD_BYTES } from './index.js'
import type { Input } from './inputs.js'

/** A document or fault, and the file that it is of. */
export type Located = Read & {
  readonly file: string
  readonly format: DocumentFormat
  /** Of the file, at its first document. */
  readonly around?: Readonly<Record<string, unknown>>
}

export interface ReadOptions extends ReaderOptions {
  /** Instead of looking. */
  readonly format?: DocumentFormat
  /** Hears of bytes as they are read, of files as they are on the disk. */
  readonly onBytes?: (bytes: number) => void
}

export async function* readDocuments(
  inputs: readonly Input[],
  options: ReadOptions,
): AsyncGenerator<Located> {
  for (const input of inputs) yield* readInput(input, options)
}

async function* readInput(input: Input, options: ReadOptions): AsyncGenerator<Located> {
  const file = input.name
  let format = options.format ?? text
  try {
    const plain = await opened(counted(input.chunks(), options.onBytes))
    const { head, chunks } = await peeked(plain)
    format = options.format ?? detectFormat(file.replace(/\.gz$/i, ''), head) ?? text
    const reader = format.reader?.(options)
    if (reader === undefined) throw new Error(`${format.name} cannot be read`)
    for await (const chunk of chunks) yield* located(reader.write(chunk), file, format, reader)
    yield* located(reader.end(), file, format, reader)
  } catch (error) {
    const found = faultOf(error)
    if (found === undefined) throw error
    yield { kind: 'fault', fault: { found, expected: 'a file that can be read to its end' }, file, format }
  }
}

function* located(
  reads: readonly Read[],
  file: string,
  format: DocumentFormat,
  reader: DocumentReader,
): Generator<Located> {
  for (const read of reads) yield { ...read, file, format, around: reader.around }
}

/** In words, where it is the file's and not ours. */
function faultOf(error: unknown): string | undefined {
  const reason = systemReason(error)
  if (reason !== undefined) return `a file that cannot be read (${reason})`
  const { code, message } = error as NodeJS.ErrnoException
  return typeof code === 'string' && code.startsWith('Z_') ? `gzip that is broken (${message})` : undefined
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onBytes(chunk.length)
    yield chunk
  }
}

/** Without gzip, where it begins as gzip does. */
async function opened(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { head, chunks: all } = await peeked(chunks, 2)
  if (head[0] !== 0x1f || head[1] !== 0x8b) return all
  // what goes wrong is told by the stream that is read from
  return pipeline(Readable.from(all), createGunzip(), () => {})
}

/** The first bytes, and all of them again. Waits for no more than a line where the line cannot begin a longer format. */
async function peeked(
  chunks: AsyncIterable<Uint8Array>,
  wanted = HEAD_BYTES,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let length = 0
  while (length < wanted && !isEnoughLine(first[0])) {
    const { value, done } = await iterator.next()
    if (done) break
    first.push(Buffer.from(value))
    length += value.length
  }
  async function* all() {
    yield* first
    for (;;) {
      const { value, done } = await iterator.next()
      if (done) return
      yield value
    }
  }
  return { head: Buffer.concat(first).subarray(0, wanted), chunks: all() }
}

function isEnoughLine(chunk: Uint8Array | undefined): boolean {
  if (chunk === undefined) return false
  const text = Buffer.from(chunk.subarray(0, HEAD_BYTES)).toString('latin1')
  return /^[\w"'(][^\n]*\n/.test(text)
}
