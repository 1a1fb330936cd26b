/** What tests of the corpus's XML formats share: a reader of whole inputs, mutations, and the golden figures of test/golden/corpus_xml.py. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { CorpusDocument, CorpusFormat, CorpusRecord } from '../../src/data/corpus/format.js'
import { parseCorpus } from './corpus_parse.js'
import { fuzz, fuzzCount } from './fuzz.js'
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
  const found = parseCorpus(format, input, { labels, cut: () => step })
  return golden ? found.filter((record) => record.kind === 'document').map(figures) : found
}

/** Mutated files end in documents and dropped records; more than a quarter of them keep a document, so that something is read. */
export async function mutated(format: CorpusFormat, seeds: string[], dictionary: string[]): Promise<void> {
  let documents = 0
  const { cases } = await fuzz({
    seeds,
    dictionary,
    count: fuzzCount(2_000),
    run: (bytes, k) => {
      const found = read(format, bytes, k % 2 === 0, k % 3 === 0 ? 17 : Number.POSITIVE_INFINITY)
      documents += found.filter(({ kind }) => kind === 'document').length
    },
  })
  assert.ok(documents > cases / 4, `${documents} documents`)
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
