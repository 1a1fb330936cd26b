/**
 * BioC JSON: a collection with `documents`, PubTator's `{"PubTator3": [...]}`, a list of documents, or documents one behind the
 * other, as NCBI's services give them. Written as one collection, a document on a line.
 */

import { quote } from '../../files/text.js'
import { checkBioc, checkId, collectionFields, fromBioc, toBioc } from '../bioc.js'
import type { DocumentFormat, DocumentReader, Read } from '../format.js'
import { JsonElements, type Piece } from '../json_elements.js'
import type { Counting } from '../offsets.js'

export const biocJson: DocumentFormat = {
  name: 'bioc-json',
  summary: 'BioC JSON: a collection, or documents one behind the other',
  extension: '.json',
  labels: true,
  recognises: (_, head) =>
    /^\s*[[{]/.test(latin(head)) && /"(documents|PubTator3|passages)"\s*:/.test(latin(head)),
  reader: ({ counting }) => new BiocJsonReader(counting),
  writer(options) {
    let first = true
    return {
      head(around) {
        const head = JSON.stringify(collectionFields(around)).slice(0, -1)
        return `${head},"documents":[`
      },
      passed() {
        first = false
      },
      document(document) {
        checkId(document)
        const text = `${first ? '' : ','}\n${JSON.stringify(toBioc(document, options))}`
        first = false
        return text
      },
      foot: () => '\n]}\n',
    }
  },
}

function latin(head: Uint8Array): string {
  return Buffer.from(head).toString('latin1').replace(/^ï»¿/, '')
}

class BiocJsonReader implements DocumentReader {
  around: Record<string, unknown> | undefined
  private readonly elements = new JsonElements()

  constructor(private readonly counting: Counting) {}

  write(bytes: Uint8Array): Read[] {
    return this.elements.write(bytes).flatMap((piece) => this.read(piece))
  }

  end(): Read[] {
    return this.elements.end().flatMap((piece) => this.read(piece))
  }

  private read(piece: Piece): Read[] {
    if (piece.kind === 'around') {
      this.around ??= objectIn(piece.text)
      return []
    }
    const { byte } = piece
    const fault = (found: string, expected: string, id?: string): Read[] => [
      { kind: 'fault', fault: { byte, found, expected, ...(id !== undefined && { id }) } },
    ]
    if (piece.kind === 'broken') return fault(piece.found, 'BioC JSON; nothing behind it was read')
    if (piece.kind === 'large') return fault('a document that is too large', 'one of 16 MiB at most')
    const value = parsed(piece.bytes)
    if (value === undefined) {
      const start = Buffer.from(piece.bytes.subarray(0, 80)).toString('utf8')
      return fault(`${quote(start)}, which is no JSON`, 'a BioC document')
    }
    const checked = checkBioc(value)
    if ('found' in checked) return fault(checked.found, checked.expected, idOf(value))
    const made = fromBioc(checked.document, this.counting)
    if ('found' in made) return fault(made.found, made.expected, idOf(value))
    return [{ kind: 'document', document: made.document, byte }]
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes))
  } catch {
    return undefined
  }
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const { documents: _, PubTator3: __, ...around } = JSON.parse(text) as Record<string, unknown>
    return around
  } catch {
    return {}
  }
}

function idOf(value: unknown): string | undefined {
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined
  return typeof id === 'string' || typeof id === 'number' ? String(id).slice(0, 100) : undefined
}
