/**
 * Gzip and tar in front of the formats, told by content: `membersOf(file)` gives the files inside a file one after another, each as
 * a stream of bytes. Gzip may stand around a tar, and around files in a tar; nothing is nested deeper. Nothing is written to
 * disk, so that names in an archive are only names. What a layer itself has wrong is a LayerError at a byte of the file.
 */
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { UserError } from '../../error.js'

type Bytes = AsyncIterable<Uint8Array>

/** A file, or a regular file in an archive. */
export interface Member {
  /** Path inside the archive; undefined for a file that is no archive. */
  inside?: string
  /** Name without .gz. */
  name: string
  /** The first bytes, 4096 at most. */
  head: Uint8Array
  bytes: Bytes
}

export class LayerError extends Error {
  constructor(
    /** Byte of the file, as it lies on the disk. */
    readonly byte: number,
    readonly found: string,
    readonly expected: string,
  ) {
    super(`found ${found}, expected ${expected}`)
  }
}

const HEAD = 4096
const CHUNK = 1 << 20
/** Text is compressed 3 to 10 times, the same record over and over 100 times; 1,030 times is the most there can be. */
const MOST_EXPANSION = 300
/** Below so many bytes any expansion is fine. */
const SMALL = 256 << 20

/**
 * The files inside a file, each to be read (or left alone) before the next is asked for. An error in the bytes of one file of an
 * archive leaves the others readable; an error of the archive is thrown by the file that it stands in and again afterwards.
 * `hear` is told of bytes read from the disk.
 */
export async function* membersOf(
  file: string,
  hear: (bytes: number) => void = () => {},
): AsyncGenerator<Member> {
  const place = { byte: 0 }
  const plain = await unzipped(peek(read(file, place, hear)), file, place)
  const head = await plain.head()
  if (!isTar(head)) {
    yield { name: withoutGz(file), head, bytes: plain }
    return
  }
  for await (const { name, bytes } of untarred(plain, place)) {
    const inner = await unzipped(peek(bytes), name, place)
    yield { inside: name, name: withoutGz(name), ...(await readable(inner)) }
  }
}

/** A stream with its head; where that cannot be had, the error comes when the stream is read. */
async function readable(inner: Peeked): Promise<{ head: Uint8Array; bytes: Bytes }> {
  try {
    return { head: await inner.head(), bytes: inner }
  } catch (error) {
    if (!(error instanceof LayerError)) throw error
    const next = () => Promise.reject(error)
    return { head: new Uint8Array(0), bytes: { [Symbol.asyncIterator]: () => ({ next }) } }
  }
}

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

export function isTar(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar'
}

export function withoutGz(name: string): string {
  return name.replace(/\.gz$/i, '').replace(/\.tgz$/i, '.tar')
}

interface Place {
  byte: number
}

async function* read(file: string, place: Place, hear: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(file, { highWaterMark: CHUNK })
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      yield chunk
      place.byte += chunk.length
      hear(chunk.length)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  } finally {
    stream.destroy()
  }
}

interface Peeked extends Bytes {
  head(): Promise<Uint8Array>
}

/** A stream whose first bytes can be looked at before it is read. */
function peek(bytes: Bytes): Peeked {
  const source = bytes[Symbol.asyncIterator]()
  let held: Uint8Array[] = []
  let ended = false
  async function head(): Promise<Uint8Array> {
    let length = held.reduce((sum, chunk) => sum + chunk.length, 0)
    while (length < HEAD && !ended) {
      const next = await source.next()
      if (next.done) ended = true
      else {
        held.push(next.value)
        length += next.value.length
      }
    }
    if (held.length > 1) held = [Buffer.concat(held)]
    return (held[0] ?? new Uint8Array(0)).subarray(0, HEAD)
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of held) yield chunk
      held = []
      while (!ended) {
        const next = await source.next()
        if (next.done) ended = true
        else yield next.value
      }
    } finally {
      await source.return?.()
    }
  }
  return { head, [Symbol.asyncIterator]: all }
}

/** The bytes inside gzip, or those that are there. */
async function unzipped(bytes: Peeked, name: string, place: Place): Promise<Peeked> {
  return isGzip(await bytes.head()) ? peek(gunzipped(bytes, name, place)) : bytes
}

async function* gunzipped(bytes: Bytes, name: string, place: Place): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 1 << 18 })
  let taken = 0
  let given = 0
  const feeding = feed(bytes, gunzip, (length) => {
    taken += length
  })
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      given += chunk.length
      if (given > SMALL && given > MOST_EXPANSION * (taken + CHUNK))
        throw new LayerError(
          place.byte,
          `${name} to expand more than ${MOST_EXPANSION} times`,
          'compressed text, which expands 3 to 10 times',
        )
      yield chunk
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!code.startsWith('Z_')) throw error
    const what = code === 'Z_BUF_ERROR' ? 'breaks off' : `cannot be read (${(error as Error).message})`
    throw new LayerError(place.byte, `gzip data that ${what}`, 'a whole gzip file')
  } finally {
    gunzip.destroy()
    await feeding
  }
}

interface Sink extends NodeJS.EventEmitter {
  write(chunk: Uint8Array): boolean
  end(): unknown
  destroy(error?: Error): unknown
  readonly destroyed: boolean
}

/** Pours bytes into a stream; an error of the bytes becomes the stream's. Ends when the stream is closed, whoever closes it. */
async function feed(bytes: Bytes, sink: Sink, hear: (length: number) => void = () => {}): Promise<void> {
  sink.on('error', () => undefined)
  try {
    for await (const chunk of bytes) {
      if (sink.destroyed) break
      hear(chunk.length)
      if (!sink.write(chunk)) await drained(sink)
      if (sink.destroyed) break
    }
    if (!sink.destroyed) sink.end()
  } catch (error) {
    sink.destroy(error as Error)
  }
}

function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sink.off('drain', done).off('close', done)
      resolve()
    }
    sink.on('drain', done).on('close', done)
    if (sink.destroyed) done()
  })
}

/** The regular files of a tar archive. What is not read of one is passed over. */
async function* untarred(bytes: Bytes, place: Place): AsyncGenerator<{ name: string; bytes: Bytes }> {
  const archive = extract()
  const feeding = feed(bytes, archive as unknown as Sink)
  let failure: unknown
  const fail = (error: unknown): never => {
    failure ??=
      error instanceof LayerError || error instanceof UserError
        ? error
        : new LayerError(
            place.byte,
            `a tar archive that cannot be read (${(error as Error).message})`,
            'a whole tar archive',
          )
    throw failure
  }
  try {
    for await (const entry of archive) {
      const { name, type } = entry.header
      // an iterator that cannot be closed: an entry that is closed early closes the archive
      const source = (entry as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
      const next = () => source.next().catch(fail)
      if (type === 'file' || type === 'contiguous-file')
        yield { name, bytes: { [Symbol.asyncIterator]: () => ({ next }) } }
      while (!(await next()).done);
    }
  } catch (error) {
    fail(error)
  } finally {
    archive.destroy()
    await feeding
  }
}
