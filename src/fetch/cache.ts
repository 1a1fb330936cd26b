/**
 * The folder in which fetched files stay: `files/` by checksum (or by address, where there is none), `parts/` of downloads
 * that are under way or broke off, `listings/` of what a repository held when it was last asked. What is taken from it is
 * checked again. Of two processes that want the same file one fetches and the other waits.
 */
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, rmSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { claim, makeFolder, writeFileAtomic } from '../files.js'
import { agrees, type Digests, digests } from './checksum.js'
import { type DownloadOptions, download, type Wanted } from './download.js'

/** Milliseconds without a word from the process of another machine after which its claim is void. */
const SILENCE = 10 * 60_000

export class Cache {
  constructor(
    readonly dir: string,
    /** Milliseconds between looks at a file that another process fetches. */
    readonly pause = 500,
  ) {
    for (const folder of ['files', 'parts', 'listings']) makeFolder(join(dir, folder))
  }

  /** Where a file lies, or would. */
  file(wanted: Wanted): string {
    return join(this.dir, 'files', keyOf(wanted))
  }

  /** Bytes of a file that are there, of a part or of the whole. */
  bytesThere(wanted: Wanted): number {
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size
    return size(this.file(wanted)) ?? size(this.#part(wanted)) ?? 0
  }

  /** The digests of a file that is there and is right; a wrong one is removed. */
  async lookUp(wanted: Wanted): Promise<Digests | undefined> {
    const path = this.file(wanted)
    if (!existsSync(path)) return undefined
    const found = await digests(path)
    const { size, checksum } = wanted
    if ((size === undefined || size === found.size) && (checksum === undefined || agrees(found, checksum)))
      return found
    rmSync(path, { force: true })
    return undefined
  }

  /** The file, from here or from afar. */
  async fetch(wanted: Wanted, options: DownloadOptions): Promise<Digests> {
    const part = this.#part(wanted)
    for (;;) {
      const there = await this.lookUp(wanted)
      if (there !== undefined) {
        options.onBytes?.(there.size)
        return there
      }
      const mine = claimPart(part)
      if (mine !== undefined)
        try {
          return await download(wanted, this.file(wanted), part, options)
        } finally {
          mine.release()
        }
      await sleep(this.pause, undefined, { signal: options.signal })
    }
  }

  /** What `keep` kept under that name. */
  recall(name: string): unknown {
    try {
      return JSON.parse(readFileSync(this.#listing(name), 'utf8'))
    } catch {
      return undefined
    }
  }

  keep(name: string, value: unknown): void {
    writeFileAtomic(this.#listing(name), `${JSON.stringify(value)}\n`)
  }

  #listing(name: string): string {
    return join(this.dir, 'listings', `${sha256(name)}.json`)
  }

  #part(wanted: Wanted): string {
    return join(this.dir, 'parts', keyOf(wanted))
  }
}

function keyOf({ checksum, url }: Wanted): string {
  return checksum === undefined ? `url-${sha256(url)}` : `${checksum.kind}-${checksum.hex}`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The right to write a part; undefined while another process has it. Of one that cannot be looked at, silence tells the end. */
function claimPart(part: string): { release(): void } | undefined {
  const file = `${part}.lock`
  const found = claim(file)
  if ('release' in found) return found
  const isHere = found.owner.endsWith(` on ${hostname()}`)
  const times = [lstatSync(file, QUIET), statSync(part, QUIET)].map((status) => status?.mtimeMs ?? 0)
  if (!isHere && Date.now() - Math.max(...times) > SILENCE) rmSync(file, { force: true })
  return undefined
}

const QUIET = { throwIfNoEntry: false } as const
