/**
 * What a format of documents is. A reader is a push parser, as those of data/corpus are: it takes the bytes of a file in pieces of
 * any size and gives the documents that ended in them; it holds one document at most. A document that cannot be read is a
 * failure in its place, and the reader goes on behind it where the format lets it. A writer gives text, piece by piece.
 */
import type { Complaint } from '../../error.js'
import type { AnnotatedDocument, TextDocument } from './document.js'
import type { Counting } from './offsets.js'

/** Why a document cannot be read or written; `found` and `expected` as in all errors of input. */
export interface Fault extends Omit<Complaint, 'file'> {
  /** Of the file as it is without compression, where lines mean little. */
  readonly byte?: number
  readonly id?: string
}

export type Read =
  | {
      readonly kind: 'document'
      readonly document: TextDocument
      readonly line?: number
      readonly byte?: number
    }
  | { readonly kind: 'fault'; readonly fault: Fault }

export interface DocumentReader {
  write(bytes: Uint8Array): readonly Read[]
  end(): readonly Read[]
  /** What surrounds the documents (source, date, key of a BioC collection), as far as it has been read. */
  readonly around?: Readonly<Record<string, unknown>>
}

export interface ReaderOptions {
  /** How BioC's offsets count. */
  readonly counting: Counting
}

/** A file of a folder of output. */
export interface NamedText {
  readonly name: string
  readonly text: string
}

export interface DocumentWriter {
  /** What stands before the first document; `around` is that of the first reader. */
  head(around?: Readonly<Record<string, unknown>>): string
  /** A document that an earlier run wrote. */
  passed?(document: TextDocument): void
  /** Throws an Unwritable for a document that the format cannot say. */
  document(document: AnnotatedDocument): string | readonly NamedText[]
  foot(): string
}

export interface WriterOptions {
  readonly counting: Counting
  /** Leave out what the input says of entities: what is predicted stands alone. */
  readonly replace: boolean
}

export interface DocumentFormat {
  /** Its word on the command line. */
  readonly name: string
  /** One line for --help. */
  readonly summary: string
  /** Of files that are written, with the full stop. */
  readonly extension: string
  /** Whether a file of this name (without .gz) and these first bytes is of this format. */
  recognises?(name: string, head: Uint8Array): boolean
  reader?(options: ReaderOptions): DocumentReader
  writer?(options: WriterOptions): DocumentWriter
  /** What it writes is a folder of files. */
  readonly folder?: boolean
  /** It can say labels of whole documents. */
  readonly labels?: boolean
}

/** A document that a format cannot say. */
export class Unwritable extends Error {
  override name = 'Unwritable'
  constructor(
    readonly found: string,
    readonly expected: string,
  ) {
    super(`found ${found}, expected ${expected}`)
  }
}

/** Most bytes of one document (and of a line): what no abstract or article comes near. */
export const LARGEST_DOCUMENT = 1 << 24
/** Most UTF-16 units of text in one document, for a model's sake. */
export const LONGEST_TEXT = 1 << 22
