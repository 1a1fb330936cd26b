/**
 * Files and folders that appear whole or not at all: written beside their place under a temporary name,
 * brought to the disk (fsync) and renamed.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UsageError, UserError } from '../error.js'

/** A name beside `path` that no other process uses. */
export function temporaryName(path: string): string {
  return `${resolve(path)}.partial-${process.pid}`
}

/** Writes every chunk of `data`, then syncs. */
export function writeSynced(path: string, ...data: (Uint8Array | string)[]): void {
  const file = openSync(path, 'w')
  try {
    for (const part of data) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

export function writeFileAtomic(path: string, ...data: (Uint8Array | string)[]): void {
  const temporary = temporaryName(path)
  try {
    writeSynced(temporary, ...data)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Refuses an output folder that exists and is not empty. */
export function refuseExisting(path: string): void {
  let names: string[] = []
  try {
    if (existsSync(path)) names = readdirSync(path)
  } catch {
    throw new UsageError(`${path}: is a file, want a folder that does not exist yet`)
  }
  if (names.length > 0)
    throw new UsageError(`${path}: is there already and not empty; remove it or name another`)
}

/**
 * Runs `fill` on a new temporary folder and gives it the name `path` when it is done; on any failure the
 * folder is removed. `path` must not exist or be empty.
 */
export async function folderAtomic<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  refuseExisting(path)
  const temporary = temporaryName(path)
  try {
    mkdirSync(temporary, { recursive: true })
  } catch (error) {
    throw new UserError(`${path}: cannot be written (${(error as Error).message})`)
  }
  const clean = (): void => {
    rmSync(temporary, { recursive: true, force: true })
    process.exit(130)
  }
  process.once('SIGINT', clean)
  try {
    const result = await fill(temporary)
    syncFolder(temporary)
    rmSync(path, { recursive: true, force: true })
    renameSync(temporary, path)
    syncFolder(dirname(resolve(path)))
    return result
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    throw error
  } finally {
    process.off('SIGINT', clean)
  }
}
