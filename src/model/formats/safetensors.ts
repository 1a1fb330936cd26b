/**
 * Safetensors files on disk: reading opens the file anew for every tensor that is asked for; writing streams and is atomic
 * (temporary name, fsync, rename). Called by checkpoints, import and export. The format is in safetensors_format.ts.
 */
import { writeWholeAsync } from '../../files.js'
import { fileSource } from './file_source.js'
import { parseSafetensors, planSafetensors, type TensorToWrite } from './safetensors_format.js'
import type { WeightsFile } from './weights_file.js'

export type { TensorToWrite } from './safetensors_format.js'

/**
 * Reads and checks the header of a safetensors file.
 * @throws InputError where the file is missing, truncated or foreign, or its header contradicts itself or the file.
 */
export function readSafetensors(path: string): WeightsFile {
  return { ...parseSafetensors(fileSource(path, 'a safetensors file')), files: [path] }
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
