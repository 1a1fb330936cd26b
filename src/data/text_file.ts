/** Whole text files written so that a reader sees the old file or the new one, never a part. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '../error.js'

/** Writes UTF-8 text under a temporary name beside `path`, syncs it and renames it; makes the folder. */
export function writeTextFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(temporary, 'w')
    try {
      const bytes = Buffer.from(text)
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    try {
      rmSync(temporary, { force: true })
    } catch {
      // What stopped the writing stands in the way of this as well; the first error is the one to tell.
    }
    const { code, message } = error as NodeJS.ErrnoException
    throw code === undefined ? error : new UserError(`cannot write ${path}: ${message}`)
  }
}
