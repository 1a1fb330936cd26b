/** Folders for what benches and their peers hand each other; whoever makes one removes it. */
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFolder } from '../../src/files.js'

/** Absolute path of a new empty folder. */
export function temporaryFolder(): string {
  const folder = join(tmpdir(), `bioalbert-bench-${randomUUID()}`)
  makeFolder(folder)
  return folder
}
