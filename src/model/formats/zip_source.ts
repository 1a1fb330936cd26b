/**
 * The entries of a zip archive as sources of bytes, stored ones read in place, deflated ones inflated whole when they are
 * asked for. yauzl reads the directory, zip64 included; its callbacks come at once because the reader under it is synchronous.
 * Checksums are not compared: PyTorch may be told to leave them out.
 */
import { inflateRawSync } from 'node:zlib'
import { type Entry, fromRandomAccessReader, RandomAccessReader, type ZipFile } from 'yauzl'
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'

const EXPECTED = 'a whole zip archive'
const MOST_ENTRIES = 200_000
/** Deflate makes at most this of a byte. */
const LARGEST_RATIO = 1033
const STORED = 0
const DEFLATED = 8

/** Opens an archive: its files by name. Throws an InputError where it is damaged, encrypted or packed in another way. */
export function openZip(source: ByteSource): Map<string, ByteSource> {
  const refuse = (found: string): never => {
    throw new InputError({ file: source.path, found, expected: EXPECTED })
  }
  const files = new Map<string, ByteSource>()
  const zip = directory(source)
  if (zip.entryCount > MOST_ENTRIES) return refuse(`a zip archive of ${zip.entryCount} entries`)
  for (let left = zip.entryCount; left > 0; left--) {
    const entry = nextEntry(zip, source)
    if (entry.fileName.endsWith('/')) continue
    if (files.has(entry.fileName)) return refuse(`two entries '${entry.fileName}'`)
    if (entry.isEncrypted()) return refuse(`an encrypted entry '${entry.fileName}'`)
    files.set(entry.fileName, entrySource(source, zip, entry))
  }
  return files
}

/** Lets yauzl read a source, which fails by throwing. */
class SourceReader extends RandomAccessReader {
  constructor(private readonly source: ByteSource) {
    super()
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const fits = position >= 0 && position + length <= this.source.size
    if (fits) this.source.read(buffer.subarray(offset, offset + length), position)
    callback(fits ? null : new Error(`${length} bytes at byte ${position} of ${this.source.size}`))
  }
}

/** What a function of yauzl calls back with; its own complaints become an InputError, and a call that comes late is not heard. */
function atOnce<T>(
  { path }: ByteSource,
  act: (callback: (error: Error | null, value: T) => void) => void,
): T {
  let outcome: { error: Error | null; value: T } | undefined
  const refuse = (found: string): never => {
    throw new InputError({ file: path, found: `a zip archive with ${found}`, expected: EXPECTED })
  }
  try {
    act((error, value) => {
      outcome ??= { error, value }
    })
  } catch (error) {
    if (error instanceof InputError) throw error
    return refuse(reason(error))
  }
  if (outcome === undefined) return refuse('an entry without a name')
  return outcome.error ? refuse(reason(outcome.error)) : outcome.value
}

function reason(error: unknown): string {
  return (error as Error).message.replace(/\.$/, '')
}

function directory(source: ByteSource): ZipFile {
  const options = { lazyEntries: true, autoClose: false, strictFileNames: true }
  return atOnce(source, (callback) =>
    fromRandomAccessReader(new SourceReader(source), source.size, options, callback),
  )
}

function nextEntry(zip: ZipFile, source: ByteSource): Entry {
  return atOnce<Entry>(source, (callback) => {
    zip.removeAllListeners('entry').removeAllListeners('error')
    zip.on('entry', (entry: Entry) => callback(null, entry))
    zip.on('error', (error: Error) => callback(error, undefined as never))
    zip.readEntry()
  })
}

function entrySource(source: ByteSource, zip: ZipFile, entry: Entry): ByteSource {
  const { fileName, compressionMethod, compressedSize, uncompressedSize: size } = entry
  const path = `${source.path}: ${fileName}`
  const start = (): number =>
    atOnce<{ fileDataStart: number }>(source, (callback) =>
      zip.readLocalFileHeader(entry, { minimal: true }, callback),
    ).fileDataStart
  const refuse = (found: string): never => {
    throw new InputError({ file: path, found, expected: EXPECTED })
  }
  const within = (target: Uint8Array, position: number) => {
    if (position + target.length > size) refuse(`its end at byte ${size}`)
  }
  if (compressionMethod === STORED) {
    let at: number | undefined
    return {
      path,
      size,
      read(target, position) {
        within(target, position)
        at ??= start()
        source.read(target, at + position)
      },
    }
  }
  if (compressionMethod !== DEFLATED) return refuse(`compression method ${compressionMethod}`)
  if (compressedSize > source.size) return refuse(`${compressedSize} deflated bytes in ${source.size}`)
  if (size > compressedSize * LARGEST_RATIO) return refuse(`${size} bytes deflated to ${compressedSize}`)
  // the tensors of one storage come one after another; a storage that nobody holds any more may go
  let kept: WeakRef<Buffer> | undefined
  const inflate = (): Buffer => {
    const packed = new Uint8Array(compressedSize)
    source.read(packed, start())
    let whole: Buffer
    try {
      whole = inflateRawSync(packed, { maxOutputLength: Math.max(1, size) })
    } catch (error) {
      return refuse(`a deflated entry with ${reason(error)}`)
    }
    if (whole.length !== size) return refuse(`${whole.length} bytes (the directory says ${size})`)
    kept = new WeakRef(whole)
    return whole
  }
  return {
    path,
    size,
    read(target, position) {
      within(target, position)
      target.set((kept?.deref() ?? inflate()).subarray(position, position + target.length))
    },
  }
}
