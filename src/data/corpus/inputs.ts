/**
 * The inputs of a corpus: files and folders as a person names them, folders gone through in the order of names; what every file is,
 * by its name and first bytes; and how they are cut into parts, each of which one worker makes. The cut depends on the files alone,
 * so that a run that goes on finds the parts of the one before.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { constants, gunzipSync } from 'node:zlib'
import { InputError, systemReason, UserError } from '../../error.js'
import type { CorpusFormat } from './format.js'
import { formatNamed, formats, recognise } from './formats/index.js'
import { isGzip, isTar, withoutGz } from './layers.js'

export interface InputFile {
  readonly path: string
  readonly size: number
  /** Milliseconds. */
  readonly modified: number
  /** Found in a folder rather than named. */
  readonly found: boolean
}

export interface Inputs {
  readonly files: InputFile[]
  /** Files in folders that no format takes, empty ones included. */
  readonly others: number
}

const HEAD = 4096
/** A part is one file, or as many small ones as make up so much. */
const PART_BYTES = 16 << 20
const PART_FILES = 1000

/** Every input file in order. A file that is named must be of a format; in a folder, others are counted. */
export function findInputs(
  paths: readonly string[],
  format?: string,
  isOutput = (_path: string) => false,
): Inputs {
  const files: InputFile[] = []
  let others = 0
  for (const path of paths) {
    const status = attempt(path, () => statSync(path))
    if (status.isDirectory()) {
      const before = files.length
      for (const file of filesIn(path)) {
        if (isOutput(resolve(file))) continue
        const { size, mtimeMs } = attempt(file, () => statSync(file))
        if (size > 0 && isInput(file, format))
          files.push({ path: file, size, modified: mtimeMs, found: true })
        else others++
      }
      if (files.length === before)
        throw new InputError({
          file: path,
          found: `${others} files, none of which is text`,
          expected: expected(),
        })
    } else {
      if (!status.isFile())
        throw new InputError({ file: path, found: 'neither file nor folder', expected: expected() })
      if (status.size === 0)
        throw new InputError({ file: path, found: 'an empty file', expected: expected() })
      refuseUnknown(path, format)
      files.push({ path, size: status.size, modified: status.mtimeMs, found: false })
    }
  }
  return { files, others }
}

/** Consecutive files, gathered into parts. */
export function cutIntoParts(files: readonly InputFile[], bytes = PART_BYTES): InputFile[][] {
  const parts: InputFile[][] = []
  let size = 0
  for (const file of files) {
    const last = parts[parts.length - 1]
    if (last !== undefined && size + file.size <= bytes && last.length < PART_FILES) last.push(file)
    else {
      parts.push([file])
      size = 0
    }
    size += file.size
  }
  return parts
}

/**
 * The format of a file or a file in an archive. Plain text that nobody named must be called so: folders and archives hold
 * licences, lists and programs beside what is wanted.
 */
export function formatOf(
  { name, head }: { name: string; head: Uint8Array },
  { format, named }: { format?: string; named: boolean },
): CorpusFormat | undefined {
  if (container(head) !== undefined) return undefined
  if (!named && /(^|\/)\.[^/]*$/.test(name)) return undefined
  if (format !== undefined) return formatNamed(format)
  const found = recognise(name, head)
  return found?.name === 'text' && !named && !/\.(txt|text)$/i.test(name) ? undefined : found
}

/** Names of the formats, as an error says what it wanted. */
export function expected(): string {
  return `one of the formats ${formats.map(({ name }) => name).join(', ')}, or gzip or tar of them`
}

function isInput(path: string, format?: string): boolean {
  const { head, archive } = look(path)
  return archive || formatOf({ name: withoutGz(path), head }, { format, named: false }) !== undefined
}

function refuseUnknown(path: string, format?: string): void {
  const { head, archive } = look(path)
  if (archive || formatOf({ name: withoutGz(path), head }, { format, named: true }) !== undefined) return
  const { found, instead } = container(head) ?? looksLike(withoutGz(path), head)
  throw new InputError({ file: path, found, expected: instead })
}

/** The first bytes of a file, decompressed, and whether they are a tar's. */
function look(path: string): { head: Uint8Array; archive: boolean } {
  const bytes = Buffer.alloc(HEAD)
  const length = attempt(path, () => {
    const descriptor = openSync(path, 'r')
    try {
      return readSync(descriptor, bytes, 0, HEAD, 0)
    } finally {
      closeSync(descriptor)
    }
  })
  let head = bytes.subarray(0, length)
  if (isGzip(head)) {
    try {
      // what the beginning of the file gives; it breaks off, as a matter of course
      head = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 16 << 20 })
    } catch (error) {
      const found = `gzip data that cannot be read (${(error as Error).message})`
      throw new InputError({ file: path, found, expected: 'a whole gzip file' })
    }
  }
  return { head: head.subarray(0, HEAD), archive: isTar(head) }
}

const containers: readonly { start: string; found: string; command: string }[] = [
  { start: 'PK\x03\x04', found: 'a zip archive', command: 'unzip' },
  { start: 'BZh', found: 'a bzip2 file', command: 'bunzip2' },
  { start: '\xfd7zXZ', found: 'an xz file', command: 'unxz' },
  { start: '\x28\xb5\x2f\xfd', found: 'a zstd file', command: 'unzstd' },
  { start: '7z\xbc\xaf', found: 'a 7z archive', command: '7z x' },
]

/** What a file is that no format can be, and what to do about it. */
function container(head: Uint8Array): { found: string; instead: string } | undefined {
  const start = Buffer.from(head.subarray(0, 8)).toString('latin1')
  const known = containers.find((one) => start.startsWith(one.start))
  if (known !== undefined)
    return { found: known.found, instead: `gzip, tar or plain files; \`${known.command}\` unpacks it` }
  if (isGzip(head)) return { found: 'gzip inside gzip', instead: 'gzip once; `gunzip` unpacks it' }
  return undefined
}

function looksLike(name: string, head: Uint8Array): { found: string; instead: string } {
  const start = Buffer.from(head).toString('latin1')
  if (/^(\xff\xfe|\xfe\xff)/.test(start))
    return { found: 'UTF-16 text', instead: 'UTF-8; `iconv -f UTF-16 -t UTF-8` converts it' }
  const found = start.includes('\0')
    ? 'binary data'
    : /\.(xml|nxml)$/i.test(name) || /^\s*<(\?xml|!DOCTYPE)/.test(start)
      ? 'XML of an unknown kind'
      : /\.csv$/i.test(name)
        ? 'CSV without the columns ROW_ID and TEXT'
        : 'a file of an unknown kind'
  return { found, instead: expected() }
}

/** The files under a folder, by name; hidden ones and links to folders are left out. */
function filesIn(folder: string): string[] {
  const entries = attempt(folder, () => readdirSync(folder, { withFileTypes: true }))
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return filesIn(path)
      if (entry.isFile()) return [path]
      return entry.isSymbolicLink() && isFile(path) ? [path] : []
    })
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const reason = systemReason(error)
    if (reason === undefined) throw error
    throw new UserError(`${path}: cannot be read (${reason})`)
  }
}
