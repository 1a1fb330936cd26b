/** Plain text: every line is a document of one passage, as `predict` has always taken it. Written by a task's own printer. */
import type { DocumentFormat, Read } from '../format.js'
import { DocumentLines, type Line } from '../lines.js'

export const text: DocumentFormat = {
  name: 'text',
  summary: 'UTF-8, a document (a paragraph) on every line',
  extension: '.txt',
  recognises: (name) => /\.(txt|text)$/i.test(name),
  reader() {
    const lines = new DocumentLines()
    return { write: (bytes) => lines.write(bytes).map(read), end: () => lines.end().map(read) }
  },
}

function read({ text, found = '', expected = '', number: line }: Line): Read {
  if (text === undefined) return { kind: 'fault', fault: { line, found, expected } }
  return { kind: 'document', document: { passages: [{ text, given: [] }] }, line }
}
