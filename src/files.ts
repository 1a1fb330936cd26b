/**
 * All that the project writes. Files and folders appear whole or not at all: written beside their place under a temporary
 * name, brought to the disk (fsync) and renamed; a log grows by whole lines. Whatever the operating system refuses
 * becomes a UserError that names the file as a person knows it and the reason: `OUT/log.jsonl: cannot be written: ...`.
 */
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { isSystemError, systemReason, UsageError, UserError } from './error.js'

/** Contents of a file, or a part of them; a string becomes UTF-8. */
export type Content = Uint8Array | string

/** Bytes of one call to the system, some of which take 2 GiB at most. */
const CHUNK = 1 << 26

/** Writes every chunk of `data`, then syncs. */
export function writeSynced(path: string, ...data: Content[]): void {
  writeTo(path, path, (write) => data.forEach(write))
}

export function writeFileAtomic(path: string, ...data: Content[]): void {
  writeWhole(path, (write) => data.forEach(write))
}

/** A file in parts that `fill` hands to `write`. Where either throws, there is no file. */
export function writeWhole<T>(path: string, fill: (write: (part: Content) => void) => T): T {
  const temporary = temporaryName(path)
  try {
    const result = writeTo(temporary, path, fill)
    rename(temporary, path)
    return result
  } catch (error) {
    removeQuietly(temporary)
    throw error
  }
}

/** As `writeWhole`, for parts that are awaited; other work goes on while the disk is busy. */
export async function writeWholeAsync(
  path: string,
  fill: (write: (part: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(path)
  let file: FileHandle | undefined
  const refused = (error: unknown): never => refuse(path, 'written', error)
  try {
    const opened = await open(temporary, 'w').catch(refused)
    file = opened
    await fill(async (part) => {
      for (let at = 0; at < part.length; )
        at += (await opened.write(part, at, Math.min(CHUNK, part.length - at)).catch(refused)).bytesWritten
    })
    await opened.sync().catch(refused)
    await opened.close().catch(refused)
    file = undefined
    rename(temporary, path)
  } catch (error) {
    await file?.close().catch(() => undefined)
    removeQuietly(temporary)
    throw error
  }
}

/** Appends to a file, which is made where there is none. */
export function append(path: string, text: string): void {
  attempt(path, 'written', () => appendFileSync(path, text))
}

/** A file that grows piece by piece and that a later process goes on with, such as a download that broke off. */
export interface GrowingFile {
  /** Bytes that are there. */
  readonly length: number
  append(bytes: Uint8Array): Promise<void>
  /** Throws away what is there. */
  restart(): Promise<void>
  /** Brings it to the disk. */
  close(): Promise<void>
}

/** Opens a growing file, which is made where there is none. What it holds is not whole: `rename` it when it is. */
export async function openGrowing(path: string): Promise<GrowingFile> {
  const refused = (error: unknown): never => refuse(path, 'written', error)
  const file = await open(path, constants.O_RDWR | constants.O_CREAT).catch(refused)
  let length = (await file.stat()).size
  return {
    get length() {
      return length
    },
    async append(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const size = Math.min(CHUNK, bytes.length - at)
        const { bytesWritten } = await file.write(bytes, at, size, length).catch(refused)
        at += bytesWritten
        length += bytesWritten
      }
    },
    async restart() {
      await file.truncate(0).catch(refused)
      length = 0
    },
    async close() {
      await file.sync().catch(refused)
      await file.close().catch(refused)
    },
  }
}

/** Copies a file, sharing its blocks where the file system can. */
export function copyWhole(from: string, to: string): void {
  const temporary = temporaryName(to)
  try {
    attempt(to, 'written', () => copyFileSync(from, temporary, constants.COPYFILE_FICLONE))
    sync(temporary)
    rename(temporary, to)
  } catch (error) {
    removeQuietly(temporary)
    throw error
  }
}

/** Brings a file, or the names in a folder, to the disk. */
export function sync(path: string): void {
  attempt(path, 'written', () => {
    const file = openSync(path, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  })
}

/** Makes a folder and those that it lies in, where they are not there. */
export function makeFolder(path: string): void {
  attempt(path, 'made', () => mkdirSync(path, { recursive: true }))
}

/** Gives a file or folder its name, and makes that durable. */
export function rename(from: string, to: string): void {
  attempt(to, 'written', () => renameSync(from, to))
  sync(dirname(resolve(to)))
}

const LOCK_FILE = 'lock'

/**
 * Claims a folder, which is made, for this process: until the returned function is called, or the process ends, another one that
 * asks for it is refused with a UsageError. A folder that was made for it and stays empty goes with the claim.
 */
export function lockFolder(path: string): () => void {
  const isNew = !existsSync(path)
  makeFolder(path)
  const file = join(path, LOCK_FILE)
  const found = claim(file)
  if ('owner' in found) throw inUse(path, found.owner)
  return () => {
    found.release()
    if (isNew) removeEmpty(path)
  }
}

function inUse(folder: string, owner: string): UsageError {
  const file = join(folder, LOCK_FILE)
  return new UsageError(
    `${folder}: is in use by process ${owner.replace(SINCE, '')}; two at once would spoil each other's work (if it is gone: remove ${file})`,
  )
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // something is in it, which is what it was made for
  }
}

/**
 * Makes `file` the mark of what this process alone may use, until `release` or the end of the process; or names the process that has
 * it. The mark of a process that was killed, or of this one, counts for nothing, and where the system tells when processes began a
 * number that another process has by now is no sign of life; one of another machine cannot be looked at, and counts. A mark is a link to nowhere whose target names the process: it is made with its content in one call, and on a full disk
 * too. Where a file system has no links, nothing is excluded.
 */
export function claim(file: string): { release(): void } | { owner: string } {
  const mine = myClaim()
  while (!link(file, mine)) {
    const owner = readClaim(file)
    if (owner !== undefined && owner !== mine && mayLive(owner)) return { owner }
    removeQuietly(file)
  }
  const release = () => {
    process.off('exit', release)
    removeQuietly(file)
  }
  process.on('exit', release)
  return { release }
}

/** False where a file of that name is there already. */
function link(file: string, target: string): boolean {
  try {
    symlinkSync(target, file)
    return true
  } catch (error) {
    return !isSystemError(error) || error.code !== 'EEXIST'
  }
}

function readClaim(file: string): string | undefined {
  try {
    return readlinkSync(file)
  } catch {
    return undefined
  }
}

/** Behind a claim: when its process began, where the system tells. */
const SINCE = / since (\d+)$/

function myClaim(): string {
  const since = startOf(process.pid)
  return `${process.pid} on ${hostname()}${since === undefined ? '' : ` since ${since}`}`
}

/** When a process began, in ticks since this machine did; undefined where the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    // its name, in parentheses, may hold anything; the time is the 20th of the fields behind it
    const [fields] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(')').slice(-1)
    return fields.trim().split(' ')[19]
  } catch {
    return undefined
  }
}

/** Whether the process of a lock may be there still. */
function mayLive(owner: string): boolean {
  const [, pid, host] = /^(\d+) on (.+)$/.exec(owner.replace(SINCE, '')) ?? []
  if (pid === undefined || host !== hostname()) return pid !== undefined
  try {
    process.kill(Number(pid), 0)
    const [before, now] = [SINCE.exec(owner)?.[1], startOf(Number(pid))]
    return before === undefined || now === undefined || before === now
  } catch (error) {
    // a process of another person cannot be sent a signal
    return isSystemError(error) && error.code === 'EPERM'
  }
}

/** Refuses an output folder that exists and is not empty; `way` is told as another way out. */
export function refuseExisting(path: string, way = ''): void {
  if (contents(path).length > 0)
    throw new UsageError(`${path}: is there already and not empty; remove it or name another${way}`)
}

/**
 * What is in a folder; nothing where there is none. The claim of a process that is gone counts for nothing. Throws a UsageError for a
 * file, and for a folder that another process has claimed.
 */
export function contents(path: string): string[] {
  let names: string[] = []
  try {
    if (existsSync(path)) names = readdirSync(path)
  } catch {
    throw new UsageError(`${path}: is a file, want a folder that does not exist yet`)
  }
  return names.filter((name) => name !== LOCK_FILE || !isClaim(path))
}

/** Whether the lock in a folder is a claim, left by a process that is gone or by this one. Throws where one that is there has it. */
function isClaim(folder: string): boolean {
  const owner = readClaim(join(folder, LOCK_FILE))
  if (owner !== undefined && owner !== myClaim() && mayLive(owner)) throw inUse(folder, owner)
  return owner !== undefined
}

/**
 * Runs `fill` on a new temporary folder and gives it the name `path` when it is done; on any failure the
 * folder is removed. `path` must not exist or be empty.
 */
export async function folderAtomic<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  refuseExisting(path)
  const temporary = temporaryName(path)
  const clean = (): void => {
    rmSync(temporary, { recursive: true, force: true })
    process.exit(130)
  }
  process.once('SIGINT', clean)
  try {
    makeFolder(temporary)
    const result = await fill(temporary)
    finishFolder(temporary, path)
    return result
  } catch (error) {
    throw abandonFolder(temporary, path, error)
  } finally {
    process.off('SIGINT', clean)
  }
}

/** As `folderAtomic`, at once. */
export function folderAtomicSync(path: string, fill: (temporary: string) => void): void {
  refuseExisting(path)
  const temporary = temporaryName(path)
  try {
    makeFolder(temporary)
    fill(temporary)
    finishFolder(temporary, path)
  } catch (error) {
    throw abandonFolder(temporary, path, error)
  }
}

/** Removes a folder that was to become `path`, and returns the error with the names that its files were to have. */
export function abandonFolder(temporary: string, path: string, error: unknown): unknown {
  removeQuietly(temporary)
  if (!(error instanceof UserError) || !error.message.includes(temporary)) return error
  return new UserError(error.message.replaceAll(temporary, path), error.exitCode)
}

function finishFolder(temporary: string, path: string): void {
  sync(temporary)
  rmSync(path, { recursive: true, force: true })
  rename(temporary, path)
}

/** What is left of a failed write goes, if it can; why writing failed matters more than why removing does. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {}
}

/** A name beside `path` that no other process uses. */
function temporaryName(path: string): string {
  return `${resolve(path)}.partial-${process.pid}`
}

/** Writes and syncs `file`, which a person knows as `path`. */
function writeTo<T>(file: string, path: string, fill: (write: (part: Content) => void) => T): T {
  const descriptor = attempt(path, 'written', () => openSync(file, 'w'))
  try {
    // what `fill` itself meets, such as an input that cannot be read, is not laid at this file's door
    const result = fill((part) => {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part
      attempt(path, 'written', () => {
        for (let at = 0; at < bytes.length; )
          at += writeSync(descriptor, bytes, at, Math.min(CHUNK, bytes.length - at))
      })
    })
    attempt(path, 'written', () => fsyncSync(descriptor))
    return result
  } finally {
    closeSync(descriptor)
  }
}

function attempt<T>(path: string, what: 'written' | 'made', act: () => T): T {
  try {
    return act()
  } catch (error) {
    return refuse(path, what, error)
  }
}

function refuse(path: string, what: 'written' | 'made', error: unknown): never {
  const reason = systemReason(error)
  if (reason === undefined) throw error
  throw new UserError(`${path}: cannot be ${what}: ${reason}`)
}
