/**
 * The folder in which fetched files stay: `files/` by checksum (or by address, where there is none), `parts/` of downloads
 * that are under way or broke off, `listings/` of what a repository held when it was last asked. What is taken from it is
 * checked again. Of two processes that want the same file one fetches and the other waits.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheFromEnvironment, userCacheFromEnvironment } from '../environment.js'
import { createExclusive, makeFolder, writeFileAtomic } from '../files.js'
import { agrees, type Digests, digests } from './checksum.js'
import { type DownloadOptions, download, type Wanted } from './download.js'

/** `BIOALBERT_CACHE`, or `bioalbert` in the user's cache folder. */
export function defaultCache(): string {
  const own = cacheFromEnvironment()
  if (own !== undefined) return own
  const usual = { darwin: ['Library', 'Caches'], win32: ['AppData', 'Local'] }[process.platform as string]
  return join(userCacheFromEnvironment() ?? join(homedir(), ...(usual ?? ['.cache'])), 'bioalbert')
}

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
      if (claim(part)) break
      await sleep(this.pause, undefined, { signal: options.signal })
    }
    try {
      return await download(wanted, this.file(wanted), part, options)
    } finally {
      rmSync(lockFile(part), { force: true })
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

function lockFile(part: string): string {
  return `${part}.lock`
}

/** Whether this process may write the part from now on; a claim of a process that has ended is void. */
function claim(part: string): boolean {
  const lock = lockFile(part)
  const mine = `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`
  if (createExclusive(lock, mine)) return true
  let holder: { pid?: unknown; host?: unknown } = {}
  try {
    holder = JSON.parse(readFileSync(lock, 'utf8'))
  } catch {
    // just made and not written yet, just removed, or broken: its age tells
  }
  if (holder.host === hostname() && typeof holder.pid === 'number') {
    if (holder.pid !== process.pid && isAlive(holder.pid)) return false
  } else {
    const times = [lock, part].map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    if (Date.now() - Math.max(...times) < SILENCE) return false
  }
  rmSync(lock, { force: true })
  return createExclusive(lock, mine)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
