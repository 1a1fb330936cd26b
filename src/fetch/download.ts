/**
 * One file over HTTP, into a part file that outlives the process: a dropped connection, a full disk or a kill costs only
 * what had not been written. A part is continued (Range, with If-Range where the server gave a strong ETag) if its end can
 * be checked. What a server says of lengths is compared with what is known and with what comes: too short is continued,
 * a lie is refused and the file begun anew, once. Only what has the right length and checksum gets the final name.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import * as z from 'zod'
import { UserError } from '../error.js'
import { type GrowingFile, openGrowing, rename, writeFileAtomic } from '../files.js'
import { agrees, type Checksum, checksumName, type Digests, digests } from './checksum.js'
import { PassingError, Patience, type RetryPolicy, usualRetries } from './retry.js'
import { type Answer, statusError, type Transport } from './transport.js'

export interface Wanted {
  /** For messages. */
  readonly name: string
  readonly url: string
  /** Bytes, where they are known beforehand. */
  readonly size?: number
  /** Bytes that it may have at most. */
  readonly most: number
  readonly checksum?: Checksum
}

export interface DownloadOptions {
  readonly transport: Transport
  readonly retries?: RetryPolicy
  readonly signal?: AbortSignal
  /** Bytes that have come; negative when they are thrown away. */
  readonly onBytes?: (count: number) => void
}

/** Beside a part: what the server said of the file that it is a part of. */
const State = z.object({ url: z.string(), etag: z.string().optional(), size: z.number().optional() })
type State = z.infer<typeof State>

/** The server said one thing and did another. */
class LyingError extends Error {}

/** Fetches `wanted` to the file `final` by way of `part`, which may hold its beginning. */
export async function download(
  wanted: Wanted,
  final: string,
  part: string,
  options: DownloadOptions,
): Promise<Digests> {
  const file = await openGrowing(part)
  try {
    const run = new Download(wanted, part, file, options)
    await run.fill()
    const found = await run.verified()
    rename(part, final)
    rmSync(stateFile(part), { force: true })
    return found
  } finally {
    await file.close()
  }
}

function stateFile(part: string): string {
  return `${part}.json`
}

class Download {
  readonly #patience: Patience
  #state: State
  #size: number | undefined
  #isWhole = false
  /** Bytes of an earlier answer stand before those of the last one. */
  #isJoined: boolean
  #begunAnew = 0
  #furthest: number

  constructor(
    readonly wanted: Wanted,
    readonly part: string,
    readonly file: GrowingFile,
    readonly options: DownloadOptions,
  ) {
    this.#patience = new Patience(options.retries ?? usualRetries, wanted.name, options.signal)
    this.#state = readState(part, wanted.url)
    this.#size = wanted.size ?? (file.length > 0 ? this.#state.size : undefined)
    this.#isJoined = file.length > 0
    this.#furthest = file.length
    options.onBytes?.(file.length)
  }

  /** Until all bytes are there. */
  async fill(): Promise<void> {
    const { file, wanted } = this
    // a part whose end nothing could check is not built upon
    if (file.length > 0 && wanted.checksum === undefined && this.#state.etag === undefined)
      await this.#restart()
    if (file.length > (this.#size ?? wanted.most)) await this.#restart()
    while (!this.#isWhole && file.length !== this.#size) {
      try {
        await this.#ask()
      } catch (error) {
        if (file.length > this.#furthest) this.#patience.gained()
        this.#furthest = Math.max(this.#furthest, file.length)
        if (error instanceof LyingError) await this.#anew(error)
        else await this.#patience.failed(error)
      }
    }
  }

  /** Digests of what is there; fills anew once where they are wrong and the file was put together from parts. */
  async verified(): Promise<Digests> {
    const { wanted, part } = this
    const found = await digests(part)
    const { checksum } = wanted
    if (checksum === undefined || agrees(found, checksum)) return found
    const complaint = `${wanted.name}: ${checksumName(checksum)} is ${found[checksum.kind]}, expected ${checksum.hex}`
    if (!this.#isJoined || this.#begunAnew > 0) {
      await this.#restart()
      rmSync(part, { force: true })
      rmSync(stateFile(part), { force: true })
      throw new UserError(`${complaint}; it was thrown away`)
    }
    await this.#anew(new LyingError(complaint))
    await this.fill()
    return this.verified()
  }

  async #anew(why: Error): Promise<void> {
    await this.#restart()
    if (this.#begunAnew++ > 0) throw new UserError(`${this.wanted.name}: ${why.message}`)
  }

  async #restart(): Promise<void> {
    this.options.onBytes?.(-this.file.length)
    await this.file.restart()
    this.#isJoined = false
    this.#isWhole = false
    this.#size = this.wanted.size
    this.#keep({ url: this.wanted.url })
  }

  /** One answer, as far as it goes. */
  async #ask(): Promise<void> {
    const { file, wanted } = this
    const { transport, signal } = this.options
    const at = file.length
    const headers: Record<string, string> = {}
    if (at > 0) {
      headers.range = `bytes=${at}-`
      if (this.#state.etag !== undefined) headers['if-range'] = this.#state.etag
    }
    const answer = await transport.get(wanted.url, headers, signal)
    try {
      if (answer.status === 200) await this.#acceptWhole(answer)
      else if (answer.status === 206 && at > 0) this.#acceptPart(answer, at)
      else if (answer.status === 206) throw new LyingError('the server sent a part that was not asked for')
      else if (answer.status === 416 && at > 0)
        throw new LyingError(`the server has nothing behind byte ${at}`)
      else throw statusError(answer, wanted.name)
      await this.#take(answer)
    } finally {
      answer.body.destroy()
    }
  }

  /** The file from its beginning: the first answer, or the server does not know ranges or has another file by now. */
  async #acceptWhole(answer: Answer): Promise<void> {
    if (this.file.length > 0) await this.#restart()
    const length = contentLength(answer)
    this.#refuseLength(length)
    if (length !== undefined) this.#size = length
    this.#keep({ url: this.wanted.url, etag: strongEtag(answer), size: this.#size })
  }

  #acceptPart(answer: Answer, at: number): void {
    const text = answer.header('content-range') ?? ''
    const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(text.trim())
    const said = text === '' ? 'no range' : `range ${JSON.stringify(text.slice(0, 80))}`
    if (range === null || answer.wasEncoded) throw new LyingError(`the server sent ${said} for bytes ${at}-`)
    const [from, to] = [Number(range[1]), Number(range[2])]
    const total = range[3] === '*' ? undefined : Number(range[3])
    const length = contentLength(answer)
    const fits = from === at && to >= from && (total === undefined || to < total)
    if (!fits || (length !== undefined && length !== to - from + 1))
      throw new LyingError(`the server sent ${said} (${length ?? 'unknown'} bytes) for bytes ${at}-`)
    this.#refuseLength(total)
    const known = this.#size ?? this.#state.size
    if (total !== undefined && known !== undefined && total !== known)
      throw new LyingError(`the server says ${total} bytes, and said ${known} before`)
    const etag = strongEtag(answer)
    if (etag !== undefined && this.#state.etag !== undefined && etag !== this.#state.etag)
      throw new LyingError('the server has another file by now')
    this.#size ??= total ?? this.#state.size
    if (this.#size === undefined) throw new LyingError(`the server sent ${said}, which has no total`)
    this.#isJoined = true
  }

  #refuseLength(said: number | undefined): void {
    const { size, most } = this.wanted
    if (said === undefined) return
    if (size !== undefined && said !== size)
      throw new LyingError(`the server says ${said} bytes, expected ${size}`)
    if (said > most) throw new UserError(`${this.wanted.name}: ${said} bytes, at most ${most} are taken`)
  }

  /** Writes what comes. */
  async #take({ body }: Answer): Promise<void> {
    const { file, options } = this
    const most = this.#size ?? this.wanted.most
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (file.length + chunk.length > most)
        throw new LyingError(`the server sent more than the ${most} bytes that it may`)
      await file.append(chunk)
      options.onBytes?.(chunk.length)
      if (file.length > this.#furthest) {
        this.#furthest = file.length
        this.#patience.gained()
      }
    }
    // where no length was ever said, the end of the answer is the end of the file
    if (this.#size === undefined) this.#isWhole = true
    else if (file.length < this.#size)
      throw new PassingError(`the answer ended after ${file.length} of ${this.#size} bytes`)
  }

  #keep(state: State): void {
    this.#state = state
    writeFileAtomic(stateFile(this.part), `${JSON.stringify(state)}\n`)
  }
}

/** What was kept of an earlier try at the same address; nothing where it cannot be read. */
function readState(part: string, url: string): State {
  try {
    const file = stateFile(part)
    const state = existsSync(file) ? State.parse(JSON.parse(readFileSync(file, 'utf8'))) : { url }
    if (state.url === url) return state
  } catch {}
  return { url }
}

function contentLength(answer: Answer): number | undefined {
  const text = answer.header('content-length')
  return text === undefined || answer.wasEncoded || !/^\d{1,15}$/.test(text) ? undefined : Number(text)
}

/** A weak ETag says nothing of bytes. */
function strongEtag(answer: Answer): string | undefined {
  const etag = answer.header('etag')
  return etag !== undefined && !answer.wasEncoded && /^"[\x21\x23-\x7e]{1,500}"$/.test(etag)
    ? etag
    : undefined
}
