/** Files on disk as sources of bytes: opened anew for everything that is asked for, so that no descriptor stays open. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'

/** One system call reads at most this many bytes (Node refuses 2 GiB and more). */
const chunkBytes = 1 << 26

/** The size is taken once, so a file that changes afterwards is noticed. `expected` is what a missing file should have been. */
export function fileSource(path: string, expected: string): ByteSource {
  const opened = <T>(use: (fd: number) => T): T => {
    const fd = openToRead(path, expected)
    try {
      return use(fd)
    } finally {
      closeSync(fd)
    }
  }
  const size = opened((fd) => {
    const stat = fstatSync(fd)
    if (stat.isFile()) return stat.size
    throw new InputError({ file: path, found: 'no regular file', expected })
  })
  return { path, size, read: (target, position) => opened((fd) => readFully(fd, target, position, path)) }
}

function openToRead(path: string, expected: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw new InputError({
      file: path,
      found: systemCode(error) === 'ENOENT' ? 'no such file' : (error as Error).message,
      expected,
    })
  }
}

function readFully(fd: number, target: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(chunkBytes, target.length - done)
    const got = readSync(fd, target, done, length, position + done)
    if (got === 0) {
      throw new InputError({
        file: path,
        found: `its end at byte ${position + done}`,
        expected: `${target.length - done} more bytes (the file has changed since it was opened)`,
      })
    }
    done += got
  }
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined
}
