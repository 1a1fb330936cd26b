/**
 * Safetensors files on disk: reading opens the file anew for every tensor that is asked for; writing streams and is atomic
 * (temporary name, fsync, rename). Called by checkpoints, import and export. The format is in safetensors_format.ts.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InputError, UserError } from '../error.js'
import {
  type ByteSource,
  parseSafetensors,
  planSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
} from './safetensors_format.js'

export type { SafetensorsFile, StoredTensor, TensorToWrite } from './safetensors_format.js'

/** One system call reads or writes at most this many bytes (Node refuses 2 GiB and more). */
const chunkBytes = 1 << 26

/**
 * Reads and checks the header of a safetensors file.
 * @throws InputError where the file is missing, truncated or foreign, or its header contradicts itself or the file.
 */
export function readSafetensors(path: string): SafetensorsFile {
  return parseSafetensors(fileSource(path))
}

/** The size is taken once, so a file that changes afterwards is noticed. */
function fileSource(path: string): ByteSource {
  const opened = <T>(use: (fd: number) => T): T => {
    const fd = openToRead(path)
    try {
      return use(fd)
    } finally {
      closeSync(fd)
    }
  }
  const size = opened((fd) => {
    const stat = fstatSync(fd)
    if (stat.isFile()) return stat.size
    throw new InputError({ file: path, found: 'no regular file', expected: 'a safetensors file' })
  })
  return { path, size, read: (target, position) => opened((fd) => readFully(fd, target, position, path)) }
}

/**
 * Writes a safetensors file under a temporary name beside `path`, forces it to the disk and renames it: `path` holds
 * the old file or the whole new one, never a part. On failure the temporary file is removed.
 * @throws UserError where the folder cannot be written; RangeError where data and shape disagree.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: TensorToWrite]>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const plan = planSafetensors(path, tensors, metadata)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const file = await open(temporary, 'w')
    try {
      await writeFully(file, plan.header)
      for (const tensor of plan.tensors) await writeFully(file, await tensor.content())
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    const folder = await open(dirname(path), 'r')
    await folder.sync().finally(() => folder.close())
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    if (systemCode(error) === undefined) throw error
    throw new UserError(`${path}: cannot be written: ${(error as Error).message}`)
  }
}

async function writeFully(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(chunkBytes, bytes.length - done)
    done += (await file.write(bytes, done, length)).bytesWritten
  }
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw new InputError({
      file: path,
      found: systemCode(error) === 'ENOENT' ? 'no such file' : (error as Error).message,
      expected: 'a safetensors file',
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
