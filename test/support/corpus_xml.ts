/** What tests of the corpus's XML formats share: a reader of whole inputs, and the golden figures of test/golden/corpus_xml.py. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CorpusDocument, CorpusFormat, CorpusRecord } from '../../src/data/corpus/format.js'
import { root } from './paths.js'

/** Figures of a document in place of its text. */
export interface GoldenDocument {
  readonly id?: string
  readonly version?: number
  readonly paragraphs: number
  readonly words: number
  readonly sha256: string
}

export function read(
  format: CorpusFormat,
  input: string | Uint8Array,
  labels?: boolean,
  step?: number,
): CorpusRecord[]
export function read(
  format: CorpusFormat,
  input: string | Uint8Array,
  labels: boolean,
  step: number,
  golden: true,
): GoldenDocument[]
export function read(
  format: CorpusFormat,
  input: string | Uint8Array,
  labels = true,
  step = Number.POSITIVE_INFINITY,
  golden = false,
): CorpusRecord[] | GoldenDocument[] {
  const bytes = new Uint8Array(typeof input === 'string' ? Buffer.from(input) : input)
  const parser = format.parser({ labels })
  const found: CorpusRecord[] = []
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.slice(at, at + step)
    found.push(...parser.write(piece))
    // it may be reused
    piece.fill(0)
  }
  found.push(...parser.end())
  return golden ? found.filter((record) => record.kind === 'document').map(figures) : found
}

function figures({ id, version, paragraphs }: CorpusDocument): GoldenDocument {
  const words = paragraphs.reduce((sum, paragraph) => sum + paragraph.split(' ').length, 0)
  const sha256 = createHash('sha256').update(paragraphs.join('\n')).digest('hex').slice(0, 16)
  return { id, ...(version !== undefined && { version }), paragraphs: paragraphs.length, words, sha256 }
}

/** By name of the file, of one folder of the shared data's corpus. */
export function goldenOf(folder: string): Map<string, GoldenDocument[]> {
  const text = readFileSync(join(root, 'test', 'golden', 'corpus', 'xml.json'), 'utf8')
  const entries = Object.entries(JSON.parse(text) as Record<string, GoldenDocument[]>)
  return new Map(
    entries
      .filter(([file]) => file.startsWith(`${folder}/`))
      .map(([file, documents]) => [file.slice(folder.length + 1), documents]),
  )
}
