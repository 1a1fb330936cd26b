/**
 * From text files to the corpus that `instances` reads: one sentence a line, a blank line between documents.
 * Input: plain text, a blank line between documents, every other line a paragraph. The rules of the papers:
 * blank lines inside a document vanish, lines shorter than 20 characters are removed, no line is longer than
 * 512 words (a longer sentence goes on in the next line). Shorter lines are filled from the next ones when
 * instances gather sentences; `fillWords` does it here already, for those who want lines of full length.
 * Other inputs (PubMed XML, JATS, notes as CSV) come in through `readers`.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { InputError, UsageError, UserError } from '../../error.js'
import { writeWhole } from '../../files.js'
import { splitSentences } from './sentences.js'

/** A document: its paragraphs. */
export type Paragraphs = string[]

/** Reads the documents of one file; the table `readers` names what there is. */
export type DocumentReader = (file: string) => Generator<Paragraphs>

/** Readers by format. A new input format is one entry here and its test in `formatOf`. */
export const readers: Record<string, DocumentReader> = { text: readText }

/** What a file holds, by its name and first bytes. */
export function formatOf(file: string, head: string): string {
  if (/\.(xml|nxml)$/i.test(file) || /^\s*<(\?xml|!DOCTYPE|PubmedArticleSet|article)\b/.test(head))
    return 'XML'
  if (/\.csv$/i.test(file)) return 'CSV'
  if (/\.(gz|zip|bz2|xz)$/i.test(file) || head.startsWith('\x1f')) return 'compressed'
  if (head.includes('\0')) return 'binary'
  return 'text'
}

export interface CorpusOptions {
  files: string[]
  out: string
  /** Shortest line in characters. Default 20. */
  minCharacters?: number
  /** Longest line in words. Default 512. */
  maxWords?: number
  /** Fill lines from the following sentences up to `maxWords`. Default false. */
  fillWords?: boolean
}

export interface CorpusCounts {
  documents: number
  sentences: number
  words: number
  characters: number
  /** Lines left out because they were too short. */
  short: number
  /** Sentences that were divided because they were too long. */
  long: number
}

const CHUNK = 1 << 20
const LONGEST_LINE = 64 << 20

/** Reads UTF-8 text line by line; anything that is not UTF-8 is refused with its line. */
export function* readLines(file: string): Generator<string> {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    const chunk = Buffer.alloc(CHUNK)
    let held = ''
    let line = 1
    for (;;) {
      const length = readSync(descriptor, chunk, 0, CHUNK, null)
      let text: string
      try {
        text = held + decoder.decode(chunk.subarray(0, length), { stream: length > 0 })
      } catch {
        // The offending line is found again byte by byte, for the message alone.
        throw new InputError({
          file,
          line: brokenLine(file) ?? line,
          found: 'bytes that are not UTF-8',
          expected: 'UTF-8 text',
        })
      }
      let from = 0
      for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
        yield text.slice(from, text[to - 1] === '\r' && to > from ? to - 1 : to)
        from = to + 1
        line++
      }
      held = text.slice(from)
      if (length === 0) {
        if (held !== '') yield held
        return
      }
      if (held.length > LONGEST_LINE) {
        throw new InputError({
          file,
          line,
          found: `a line longer than ${LONGEST_LINE >> 20} MiB`,
          expected: 'text',
        })
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

/** The first line of a file that is not UTF-8. */
function brokenLine(file: string): number | undefined {
  const descriptor = openSync(file, 'r')
  try {
    const chunk = Buffer.alloc(CHUNK)
    let held = Buffer.alloc(0)
    for (let line = 1; ; ) {
      const length = readSync(descriptor, chunk, 0, CHUNK, null)
      const bytes = Buffer.concat([held, chunk.subarray(0, length)])
      let from = 0
      for (
        let to = bytes.indexOf(10);
        to >= 0 || (length === 0 && from < bytes.length);
        to = bytes.indexOf(10, from)
      ) {
        const end = to < 0 ? bytes.length : to
        try {
          new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, end))
        } catch {
          return line
        }
        from = end + 1
        line++
      }
      if (length === 0) return undefined
      held = Buffer.from(bytes.subarray(from))
    }
  } finally {
    closeSync(descriptor)
  }
}

function* readText(file: string): Generator<Paragraphs> {
  let paragraphs: Paragraphs = []
  for (const line of readLines(file)) {
    const paragraph = line.replace(/^\ufeff/, '').trim()
    if (paragraph !== '') paragraphs.push(paragraph)
    else if (paragraphs.length > 0) {
      yield paragraphs
      paragraphs = []
    }
  }
  if (paragraphs.length > 0) yield paragraphs
}

/** The lines of one document, by the rules above; `counts` is added to. */
export function documentLines(
  paragraphs: Paragraphs,
  options: { minCharacters: number; maxWords: number; fillWords: boolean },
  counts: CorpusCounts,
): string[] {
  const { minCharacters, maxWords, fillWords } = options
  const lines: string[] = []
  let filling: string[] = []
  for (const paragraph of paragraphs) {
    for (const sentence of splitSentences(paragraph)) {
      const words = sentence.split(/\s+/u)
      if (words.length > maxWords) counts.long++
      if (fillWords) {
        filling.push(...words)
        while (filling.length >= maxWords) lines.push(filling.splice(0, maxWords).join(' '))
      } else {
        for (let from = 0; from < words.length; from += maxWords) {
          lines.push(words.slice(from, from + maxWords).join(' '))
        }
      }
    }
  }
  if (filling.length > 0) lines.push(filling.join(' '))
  filling = []
  const kept = lines.filter((line) => line.length >= minCharacters)
  counts.short += lines.length - kept.length
  if (kept.length > 0) counts.documents++
  counts.sentences += kept.length
  for (const line of kept) {
    counts.characters += line.length
    counts.words += line.split(' ').length
  }
  return kept
}

/** Writes the corpus; the file appears whole or not at all. `progress` hears of every document. */
export function writeCorpus(
  options: CorpusOptions,
  progress: (counts: CorpusCounts) => void = () => {},
): CorpusCounts {
  const { files, out, minCharacters = 20, maxWords = 512, fillWords = false } = options
  if (!Number.isInteger(minCharacters) || minCharacters < 0) {
    throw new UsageError(`shortest line: found ${minCharacters}, want a whole number of characters`)
  }
  if (!Number.isInteger(maxWords) || maxWords < 1) {
    throw new UsageError(`longest line: found ${maxWords}, want 1 word or more`)
  }
  const counts: CorpusCounts = { documents: 0, sentences: 0, words: 0, characters: 0, short: 0, long: 0 }
  const formats = files.map((file) => inputFormat(file))
  writeWhole(out, (write) => {
    let pending: string[] = []
    let pendingSize = 0
    const flush = (): void => {
      write(pending.join(''))
      pending = []
      pendingSize = 0
    }
    for (const [i, file] of files.entries()) {
      for (const paragraphs of readers[formats[i]](file)) {
        const lines = documentLines(paragraphs, { minCharacters, maxWords, fillWords }, counts)
        if (lines.length === 0) continue
        const text = `${counts.documents > 1 ? '\n' : ''}${lines.join('\n')}\n`
        pending.push(text)
        pendingSize += text.length
        if (pendingSize > CHUNK) flush()
        progress(counts)
      }
    }
    if (counts.documents === 0) {
      throw new InputError({
        file: files.join(', '),
        found: `no line of ${minCharacters} characters or more`,
        expected: 'text, a blank line between documents',
      })
    }
    flush()
  })
  return counts
}

/** The format of an input that there is a reader for; anything else is refused before work begins. */
function inputFormat(file: string): string {
  let head: string
  try {
    const descriptor = openSync(file, 'r')
    const bytes = Buffer.alloc(4096)
    head = bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0))
    closeSync(descriptor)
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
  const expected = `plain text (${Object.keys(readers).join(', ')}), a blank line between documents`
  if (head === '') throw new InputError({ file, found: 'an empty file', expected })
  const format = formatOf(file, head)
  if (!(format in readers)) throw new InputError({ file, found: `${format} input`, expected })
  return format
}
