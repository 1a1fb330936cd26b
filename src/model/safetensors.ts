/**
 * Safetensors files on disk: reading opens the file anew for every tensor that is asked for; writing streams and is atomic
 * (temporary name, fsync, rename). Called by checkpoints, import and export. The format is in safetensors_format.ts.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { InputError } from '../error.js'
import { writeWholeAsync } from '../files.js'
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
  await writeWholeAsync(path, async (write) => {
    await write(plan.header)
    for (const tensor of plan.tensors) await write(await tensor.content())
  })
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
