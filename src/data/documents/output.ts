/**
 * What `predict` writes to a place: one file, or a folder of files. It comes about beside its place, in `OUT.partial`, in parts that
 * are whole or not there; `progress.json` says how far they reach. A run that ended early goes on behind the last part, and
 * ends in the same bytes. Only what is whole gets the name that was asked for.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UsageError, UserError } from '../../error.js'
import {
  append,
  makeFolder,
  refuseExisting,
  rename,
  sync,
  writeFileAtomic,
  writeWholeAsync,
} from '../../files.js'
import type { NamedText } from './format.js'

const totals = {
  /** Documents and faults that are behind. */
  records: z.number().int().min(0),
  documents: z.number().int().min(0),
  failed: z.number().int().min(0),
  found: z.number().int().min(0),
}
const progressSchema = z.object({ run: z.string(), parts: z.number().int().min(0), ...totals })
const totalsSchema = z.object(totals)
export type Totals = z.infer<typeof totalsSchema>

/** Characters that are held before they are written. */
const PART = 1 << 20
const MILLISECONDS = 5000

export class DocumentOutput {
  readonly done: Totals
  private parts: number
  private texts: string[] = []
  private files: NamedText[] = []
  private held = 0
  private written = performance.now()

  /** `facts` is all that the bytes depend on. Throws a UsageError where a run with others was left at that place. */
  constructor(
    private readonly out: string,
    facts: Readonly<Record<string, unknown>>,
    private readonly isFolder: boolean,
    resumable = true,
  ) {
    if (isFolder) refuseExisting(out)
    this.run = createHash('sha256').update(JSON.stringify(facts)).digest('hex')
    const before = this.readProgress()
    if (before !== undefined && resumable && before.run !== this.run)
      throw new UsageError(
        `${this.partial}: is of a run with other inputs, another model or other options; remove it, or name another --out`,
      )
    if (before === undefined || !resumable) rmSync(this.partial, { recursive: true, force: true })
    const { parts, run: _, ...done } = (resumable && before) || NOTHING
    this.parts = parts
    this.done = done
    makeFolder(join(this.partial, 'files'))
  }

  private readonly run: string

  private get partial(): string {
    return `${this.out.replace(/\/+$/, '')}.partial`
  }

  add(text: string | readonly NamedText[]): void {
    if (typeof text === 'string') {
      this.texts.push(text)
      this.held += text.length
      return
    }
    this.files.push(...text)
    for (const { text: one } of text) this.held += one.length
  }

  /** At the end of a batch: what is held is written if it is much, or old, or `now`. */
  checkpoint(done: Totals, now = false): void {
    if (!now && this.held < PART && performance.now() - this.written < MILLISECONDS) return
    if (this.texts.length > 0) writeFileAtomic(this.part(this.parts++), this.texts.join(''))
    for (const { name, text } of this.files) {
      const path = join(this.partial, 'files', name)
      rmSync(path, { force: true })
      append(path, text)
    }
    if (this.files.length > 0) sync(join(this.partial, 'files'))
    this.texts = []
    this.files = []
    this.held = 0
    const progress = { run: this.run, parts: this.parts, ...done }
    writeFileAtomic(join(this.partial, 'progress.json'), `${JSON.stringify(progress)}\n`)
    this.written = performance.now()
  }

  /** Gives what there is its name. `foot` stands at the end of a file. */
  async finish(done: Totals, foot: string): Promise<void> {
    this.checkpoint(done, true)
    if (this.isFolder) {
      rmSync(this.out, { recursive: true, force: true })
      rename(join(this.partial, 'files'), this.out.replace(/\/+$/, ''))
    } else
      await writeWholeAsync(this.out, async (write) => {
        for (let i = 0; i < this.parts; i++)
          for await (const chunk of createReadStream(this.part(i))) await write(chunk as Uint8Array)
        await write(Buffer.from(foot))
      })
    // first what says how far the run is: a kill in between would leave a run that seems nearly done, without its parts
    rmSync(join(this.partial, 'progress.json'), { force: true })
    rmSync(this.partial, { recursive: true, force: true })
  }

  private part(i: number): string {
    return join(this.partial, `part-${String(i).padStart(6, '0')}`)
  }

  private readProgress(): z.infer<typeof progressSchema> | undefined {
    const file = join(this.partial, 'progress.json')
    if (!existsSync(file)) return undefined
    try {
      return progressSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    } catch {
      throw new UserError(
        `${file}: found something else, expected the progress of a run; remove ${this.partial}`,
      )
    }
  }
}

const NOTHING = { run: '', parts: 0, records: 0, documents: 0, failed: 0, found: 0 }
