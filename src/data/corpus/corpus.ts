/**
 * From files of text to the corpus that `instances` reads: one sentence a line, a blank line between documents. Inputs are found
 * (inputs.ts) and cut into parts; workers read their layers (layers.ts) and formats (formats/) and write parts of lines by the rules
 * of the papers (rules.ts) into `OUT.parts`; when all are there, records of one id are weighed (duplicates.ts) and the
 * corpus is put together from the parts. A part is named by what it was made of, files and settings, so that a run that was
 * killed goes on with the parts that fit and makes the others; the bytes do not depend on that, nor on the number of workers.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError, UsageError, UserError } from '../../error.js'
import { makeFolder, rename, writeFileAtomic } from '../../files.js'
import { assemble } from './assemble.js'
import { type CorpusReport, reportOf } from './corpus_report.js'
import { formats } from './formats/index.js'
import { cutIntoParts, findInputs, type InputFile } from './inputs.js'
import type { PartReport, Settings } from './part.js'
import { makeParts } from './part_pool.js'
import { checkRules } from './rules.js'

export interface CorpusOptions {
  /** Files and folders. */
  inputs: readonly string[]
  out: string
  /** The format of all files; by default each is told by its name and first bytes. */
  format?: string
  /** Keep the labels of structured abstracts. Default true. */
  labels?: boolean
  /** Stop at the first record that is broken. Default false: it is counted. */
  strict?: boolean
  /** Worker threads. Default: one for each core. */
  workers?: number
  /** Shortest line in characters. Default 20. */
  minCharacters?: number
  /** Longest line in words. Default 512. */
  maxWords?: number
  /** Fill lines from the following sentences up to `maxWords`. Default false. */
  fillWords?: boolean
  /** Small files are made together up to so many bytes. Default 16 MiB. */
  partBytes?: number
  /** Ends the work; finished parts stay, and the promise is rejected with the signal's reason. */
  signal?: AbortSignal
  /** Hears of bytes read so far, of how many; those of parts that were there before count as read from the beginning. */
  progress?: (bytes: number, total: number) => void
}

/** Raised when the form of parts changes, so that older ones are made again. */
const PART_VERSION = 1
/** The corpus, until it is moved to its place. */
const WHOLE = 'whole'
const PART_FILE = /^([0-9a-f]{24})\.(text|index|json)(\.partial-\d+)?$|^whole(\.partial-\d+)?$/

/** Writes the corpus and beside it `OUT.report.json`; each appears whole or not at all. */
export async function writeCorpus(options: CorpusOptions): Promise<CorpusReport> {
  const { inputs, out, workers = availableParallelism(), signal, progress = () => {} } = options
  const settings = settingsOf(options)
  const folder = `${out}.parts`
  refuseBadOut(out)
  const outputs = new Set([out, `${out}.report.json`].map((path) => resolve(path)))
  const isOutput = (path: string) => outputs.has(path) || dirname(path) === resolve(folder)
  const { files, others } = findInputs(inputs, settings.format, isOutput)
  const parts = cutIntoParts(files, options.partBytes).map((part) => ({
    files: part,
    stem: join(folder, nameOf(part, settings)),
  }))
  const stems = new Set(parts.map(({ stem }) => basename(stem)))
  makeFolder(folder)
  clear(folder, stems)

  const total = files.reduce((sum, { size }) => sum + size, 0)
  const missing = parts.filter(
    ({ stem }, i) => !existsSync(`${stem}.json`) && parts.findIndex((part) => part.stem === stem) === i,
  )
  let read = total - missing.flatMap((part) => part.files).reduce((sum, { size }) => sum + size, 0)
  progress(read, total)
  const hear = (bytes: number): void => {
    read += bytes
    progress(read, total)
  }
  try {
    await makeParts(missing, { workers, settings, hear, signal })
  } catch (error) {
    clear(folder, stems)
    removeEmpty(folder)
    throw error
  }
  signal?.throwIfAborted()

  const reports = parts.map(({ stem }) => JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as PartReport)
  const whole = join(folder, WHOLE)
  await assemble({ path: whole, stems: parts.map(({ stem }) => stem), reports, signal })
  const report = reportOf({ out, reports, otherFiles: others, reusedParts: parts.length - missing.length })
  if (report.documents > 0) {
    writeFileAtomic(`${out}.report.json`, `${JSON.stringify(report, null, 2)}\n`)
    rename(whole, out)
  }
  clear(folder)
  removeEmpty(folder)
  if (report.documents === 0) throw nothingFound(inputs, settings, report)
  return report
}

function settingsOf(options: CorpusOptions): Settings {
  const { format, labels = true, strict = false, workers = 1 } = options
  const { minCharacters = 20, maxWords = 512, fillWords = false } = options
  const rules = { minCharacters, maxWords, fillWords }
  checkRules(rules)
  if (format !== undefined && !formats.some(({ name }) => name === format)) {
    const names = formats.map(({ name }) => name).join(', ')
    throw new UsageError(`format: found ${JSON.stringify(format)}, want one of ${names}`)
  }
  if (!Number.isInteger(workers) || workers < 1)
    throw new UsageError(`workers: found ${workers}, want a whole number of 1 or more`)
  return { format, labels, strict, rules }
}

function refuseBadOut(out: string): void {
  const above = dirname(resolve(out))
  if (!(statSync(above, { throwIfNoEntry: false })?.isDirectory() ?? false))
    throw new UserError(`${out}: cannot be written: ${above} is no folder`)
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`${out}: is a folder, want the name of a file to write`)
}

/** Name of a part: what it is made of, and how. */
function nameOf(files: readonly InputFile[], settings: Settings): string {
  const made = files.map(({ path, size, modified, found }) => [resolve(path), size, modified, found])
  return createHash('sha256')
    .update(JSON.stringify([PART_VERSION, settings, made]))
    .digest('hex')
    .slice(0, 24)
}

/**
 * Removes what runs have left in the folder of parts, but for finished ones of `keep`. Files of others are let be. What says that
 * a part is finished goes first, so that a kill in between leaves none that seems whole.
 */
function clear(folder: string, keep: ReadonlySet<string> = new Set()): void {
  const names = new Set(readdirSync(folder))
  const isFinished = (stem: string) => ['json', 'text', 'index'].every((end) => names.has(`${stem}.${end}`))
  const gone = [...names].filter((name) => {
    const match = PART_FILE.exec(name)
    if (match === null) return false
    const [, stem, , partial] = match
    return stem === undefined || partial !== undefined || !keep.has(stem) || !isFinished(stem)
  })
  const last = (name: string) => Number(!name.endsWith('.json'))
  for (const name of gone.sort((a, b) => last(a) - last(b))) rmSync(join(folder, name), { force: true })
}

function removeEmpty(folder: string): void {
  if (readdirSync(folder).length === 0) rmdirSync(folder)
}

function nothingFound(
  inputs: readonly string[],
  { rules }: Settings,
  { defects, dropped }: CorpusReport,
): Error {
  const [first] = defects
  if (first !== undefined)
    return new UserError(`${first.file}: byte ${first.byte}: ${first.detail}; nothing else was found`)
  const others = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`)
  return new InputError({
    file: inputs.join(', '),
    found: `no line of ${rules.minCharacters} characters or more${others.length > 0 ? ` (records left out: ${others.join(', ')})` : ''}`,
    expected: 'documents of text',
  })
}
