/**
 * What `predict` reads, in order: files as they are named, folders in the order of their names and all below them. In a folder, files
 * that no format claims are left out and counted, and so is what begins with a full stop.
 */
import { closeSync, createReadStream, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../error.js'
import { detectFormat, HEAD_BYTES } from './index.js'

export interface Input {
  /** For people: the path, or `standard input`. */
  readonly name: string
  chunks(): AsyncIterable<Uint8Array>
  /** Of a file. */
  readonly bytes?: number
  readonly changed?: number
}

export interface Inputs {
  readonly inputs: readonly Input[]
  /** Files of folders that were left out. */
  readonly leftOut: number
}

/** `everything`: files of folders are taken whatever they look like. Throws an InputError for a path that is not there. */
export function listInputs(paths: readonly string[], everything: boolean): Inputs {
  const inputs: Input[] = []
  let leftOut = 0
  const visit = (path: string, within: boolean): void => {
    const stats = statOf(path)
    if (stats.isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!name.startsWith('.')) visit(join(path, name), true)
    } else if (!within || (stats.isFile() && (everything || isClaimed(path))))
      inputs.push(fileInput(path, stats))
    else leftOut++
  }
  for (const path of paths) visit(path, false)
  return { inputs, leftOut }
}

export function standardInput(): Input {
  return { name: 'standard input', chunks: () => process.stdin }
}

/** A text that was given as it is. */
export function textInput(text: string, name: string): Input {
  async function* chunks() {
    yield Buffer.from(text)
  }
  return { name, chunks }
}

function fileInput(path: string, { size, mtimeMs }: Stats): Input {
  return { name: path, chunks: () => createReadStream(path), bytes: size, changed: mtimeMs }
}

function statOf(path: string): Stats {
  try {
    return statSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const found = code === 'ENOENT' ? 'no such file' : `what cannot be read (${code})`
    throw new InputError({ file: path, found, expected: 'a file or folder of documents' })
  }
}

/** Whether a format knows a file of a folder. gzip is not looked into: its name has to say what is in it. */
function isClaimed(path: string): boolean {
  const head = new Uint8Array(HEAD_BYTES)
  let length = 0
  try {
    const file = openSync(path, 'r')
    try {
      length = readSync(file, head)
    } finally {
      closeSync(file)
    }
  } catch {
    // it is named when its turn comes
    return true
  }
  if (head[0] === 0x1f && head[1] === 0x8b)
    return /\.(xml|json|jsonl|ndjson|pubtator|txt|text)\.gz$/i.test(path)
  return detectFormat(path, head.subarray(0, length)) !== undefined
}
