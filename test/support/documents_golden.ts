/**
 * Documents as our writers write them, which Python packages read (test/golden/documents.py). After a change of a writer:
 *   node -e "import('./dist/test/support/documents_golden.js').then((made) => made.write())"
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AnnotatedDocument } from '../../src/data/documents/document.js'
import { annotated, writtenAs, writtenFiles } from './documents_case.js'
import { root } from './paths.js'

const TEXTS = [
  ['31', 'Severe \u{1f912} fever & cough', 'cafe\u0301 <fever>\u2026 "cough" \u{1d7d8}'],
  ['32', 'fever\u4e2d\u6587', 'no, \u{10ffff} cough ]]> fever'],
]
export const goldenDocuments: AnnotatedDocument[] = TEXTS.map(([id, title, abstract]) =>
  annotated({
    id,
    passages: [
      { type: 'title', text: title, given: [] },
      { type: 'abstract', text: abstract, given: [] },
    ],
  }),
)

/** What is written, by the names of its files. */
export function written(): Record<string, string> {
  const files = writtenFiles('brat', goldenDocuments).map(({ name, text }) => [name, text])
  return {
    'documents.xml': writtenAs('bioc-xml', goldenDocuments),
    'documents.json': writtenAs('bioc-json', goldenDocuments),
    'documents.pubtator': writtenAs('pubtator', goldenDocuments),
    'bytes.xml': writtenAs('bioc-xml', goldenDocuments, { counting: 'bytes' }),
    ...Object.fromEntries(files),
  }
}

/** Writes them to where the script looks. */
export function write(): void {
  const folder = join(root, 'test', 'golden', 'documents', 'ours')
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(written())) writeFileSync(join(folder, name), text)
}
