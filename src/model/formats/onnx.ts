/**
 * ONNX files on disk: written as they are made, piece by piece, whole or not at all. A model too large for one file of a protocol
 * buffer has its weights in a second one, FILE.data, which must stay beside the first.
 */
import { existsSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { UsageError } from '../../error.js'
import { writeWholeAsync } from '../../files.js'
import { LARGEST_FILE, type Layout, layOut, layOutExternal, type OnnxModel } from './onnx_proto.js'

export interface OnnxOptions {
  /** Weights in FILE.data even where they fit in the file. */
  readonly external?: boolean
  /** The most bytes of a file with weights in it (default: what its format allows). */
  readonly largest?: number
  /** Called with the bytes written so far, and with those of the whole. */
  readonly progress?: (done: number, total: number) => void
}

export interface OnnxFiles {
  /** Of all files together. */
  readonly bytes: number
  readonly files: readonly string[]
}

/**
 * Writes a model to `path`, and its weights to `path`.data where they are external.
 * @throws UsageError where one of the files is there already; UserError where it cannot be written.
 */
export async function writeOnnx(
  path: string,
  model: OnnxModel,
  { external = false, largest = LARGEST_FILE, progress = () => {} }: OnnxOptions = {},
): Promise<OnnxFiles> {
  const whole = layOut(model)
  const dataPath = `${path}.data`
  const parted = external || whole.bytes > largest ? layOutExternal(model, basename(dataPath)) : undefined
  const files = parted ? [dataPath, path] : [path]
  for (const file of files)
    if (existsSync(file)) throw new UsageError(`${file}: is there already; remove it or name another`)
  const bytes = parted ? parted.data.bytes + parted.model.bytes : whole.bytes
  let done = 0
  const write = (file: string, layout: Layout) =>
    writeWholeAsync(file, async (append) => {
      for (const part of layout.parts)
        for (const piece of part instanceof Uint8Array ? [part] : part.content()) {
          await append(piece)
          done += piece.length
          progress(done, bytes)
        }
    })
  if (!parted) await write(path, whole)
  else {
    await write(dataPath, parted.data)
    try {
      await write(path, parted.model)
    } catch (error) {
      rmSync(dataPath, { force: true })
      throw error
    }
  }
  return { bytes, files }
}
