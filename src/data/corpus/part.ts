/**
 * A part of a corpus: the lines of a few input files, made by one worker and kept until the whole is put together. Three files
 * beside each other: `.text` (documents, each with a blank line after it), `.index` (an entry for every document and for
 * every record that is left out but speaks of its id) and, when both are on the disk, `.json` (counts).
 */
import { statSync } from 'node:fs'
import { UserError } from '../../error.js'
import { writeFileAtomic, writeWholeAsync } from '../../files.js'
import type { CorpusRecord, DroppedRecord, ParserOptions } from './format.js'
import { formatOf, type InputFile } from './inputs.js'
import { LayerError, type Member, membersOf } from './layers.js'
import { encodeEntries, type IndexEntry, KIND, type Kind, keyOf, NO_KEY } from './part_index.js'
import { documentText, type LineCounts, noLines, type Rules } from './rules.js'

export interface Settings extends ParserOptions {
  /** A format for all files; by default each is told by its name and first bytes. */
  readonly format?: string
  readonly strict: boolean
  readonly rules: Rules
}

/** What a worker is asked for. */
export interface PartTask {
  /** Path of the three files without their endings. */
  readonly stem: string
  readonly files: readonly InputFile[]
}

/** What came of one file in one format. */
export interface SourceCounts {
  file: string
  format: string
  /** Records and documents in it, by what became of them. */
  lines: LineCounts
  dropped: Record<string, number>
}

/** A record that cannot be read, and where it stands. */
export interface Defect {
  /** The file, and the file in it where it is an archive. */
  file: string
  byte: number
  reason: string
  detail: string
}

export interface PartReport {
  sources: SourceCounts[]
  /** The first few. */
  defects: Defect[]
  /** Files in archives that no format takes. */
  others: number
  /** Entries in the index. */
  entries: number
}

/** Reasons that say nothing of the document: an earlier record of its id stays. */
const DEFECTS = new Set(['broken', 'too_large'])
const MOST_DEFECTS = 5
const FLUSH = 1 << 20
const MOST_PENDING = 1 << 14

/** Makes a part; `hear` is told of bytes read. */
export async function makePart(
  task: PartTask,
  settings: Settings,
  hear: (bytes: number) => void,
): Promise<void> {
  const report: PartReport = { sources: [], defects: [], others: 0, entries: 0 }
  await writeWholeAsync(`${task.stem}.text`, (writeText) =>
    writeWholeAsync(`${task.stem}.index`, async (writeIndex) => {
      const maker = new PartMaker(settings, report, writeText, writeIndex)
      for (const file of task.files) {
        await maker.read(file, hear)
        refuseChanged(file)
      }
      await maker.flush()
    }),
  )
  writeFileAtomic(`${task.stem}.json`, JSON.stringify(report))
}

type Write = (bytes: Uint8Array) => Promise<void>

class PartMaker {
  private pending: string[] = []
  private pendingSize = 0
  private readonly index: IndexEntry[] = []

  constructor(
    private readonly settings: Settings,
    private readonly report: PartReport,
    private readonly writeText: Write,
    private readonly writeIndex: Write,
  ) {}

  async read(file: InputFile, hear: (bytes: number) => void): Promise<void> {
    let last: unknown
    try {
      for await (const member of membersOf(file.path, hear)) {
        try {
          await this.readMember(file, member)
        } catch (error) {
          if (!(error instanceof LayerError)) throw error
          last = error
          this.layerDefect(nameOf(file, member), file, error)
        }
      }
    } catch (error) {
      if (!(error instanceof LayerError)) throw error
      if (error !== last) this.layerDefect(file.path, file, error)
    }
  }

  async flush(): Promise<void> {
    const text = Buffer.from(this.pending.join(''))
    this.pending = []
    this.pendingSize = 0
    const index = encodeEntries(this.index)
    this.index.length = 0
    await this.writeText(text)
    await this.writeIndex(index)
  }

  private async readMember(file: InputFile, member: Member): Promise<void> {
    const named = !file.found && member.inside === undefined
    const format = formatOf(member, { format: this.settings.format, named })
    if (format === undefined) {
      this.report.others++
      return
    }
    const source = this.sourceOf(file, format.name)
    const parser = format.parser(this.settings)
    const name = nameOf(file, member)
    const take = async (records: readonly CorpusRecord[]) => {
      for (const record of records) {
        this.take(record, source, name)
        if (this.pendingSize > FLUSH || this.index.length > MOST_PENDING) await this.flush()
      }
    }
    try {
      for await (const bytes of member.bytes) await take(parser.write(bytes))
    } finally {
      // what was whole before a defect of the archive is kept
      if (!this.settings.strict) await take(parser.end())
    }
    if (this.settings.strict) await take(parser.end())
  }

  private take(record: CorpusRecord, source: number, name: string): void {
    const counts = this.report.sources[source]
    const note = (kind: Kind, bytes: number, version = 0): void => {
      const key = keyOf(counts.format, record.id)
      if (kind !== KIND.document && key === NO_KEY) return
      this.index.push({ key, version, kind, bytes, source })
      this.report.entries++
    }
    if (record.kind === 'dropped') {
      if (DEFECTS.has(record.reason)) this.defect(counts, { file: name, ...told(record) })
      else {
        if (record.reason !== 'deleted') count(counts.dropped, record.reason)
        note(record.reason === 'deleted' ? KIND.deletion : KIND.dropped, 0)
      }
      return
    }
    const lines = documentText(record.paragraphs, this.settings.rules, counts.lines)
    if (lines === '') {
      count(counts.dropped, 'short')
      note(KIND.dropped, 0, record.version)
      return
    }
    const text = `${lines}\n`
    note(KIND.document, Buffer.byteLength(text), record.version)
    this.pending.push(text)
    this.pendingSize += text.length
  }

  private sourceOf(file: InputFile, format: string): number {
    const { sources } = this.report
    const at = sources.findLastIndex((source) => source.file === file.path && source.format === format)
    if (at >= 0) return at
    return sources.push({ file: file.path, format, lines: noLines(), dropped: {} }) - 1
  }

  private layerDefect(name: string, file: InputFile, { byte, message }: LayerError): void {
    const { sources } = this.report
    const last = sources[sources.length - 1]
    const source = last?.file === file.path ? last : sources[this.sourceOf(file, 'unknown')]
    this.defect(source, { file: name, byte, reason: 'broken', detail: message })
  }

  private defect(counts: SourceCounts, defect: Defect): void {
    if (this.settings.strict) throw new UserError(`${defect.file}: byte ${defect.byte}: ${defect.detail}`)
    count(counts.dropped, defect.reason)
    if (this.report.defects.length < MOST_DEFECTS) this.report.defects.push(defect)
  }
}

function told({ byte, reason, detail }: DroppedRecord): Omit<Defect, 'file'> {
  return { byte, reason, detail: detail ?? reason }
}

function nameOf(file: InputFile, { inside }: Member): string {
  if (inside === undefined) return file.path
  // a name from outside may be long, and drive a terminal
  const shown = inside.replace(/\p{Cc}/gu, '?')
  return `${file.path}: ${shown.length > 200 ? `${shown.slice(0, 200)}...` : shown}`
}

function count(counts: Record<string, number>, reason: string): void {
  counts[reason] = (counts[reason] ?? 0) + 1
}

function refuseChanged({ path, size, modified }: InputFile): void {
  const now = statSync(path, { throwIfNoEntry: false })
  if (now?.size !== size || now.mtimeMs !== modified)
    throw new UserError(`${path}: changed while it was read; run the command again when it is whole`)
}
