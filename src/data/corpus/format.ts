/**
 * What a format of pretraining text is: a push parser that takes the bytes of one file (already decompressed) in pieces of any
 * size and gives the documents that ended in them. One format a file of `formats`, one line each in `formats/index.ts`; gzip and
 * tar are layers in front of all of them (`layers.ts`), and what becomes of the documents is `corpus.ts`'s.
 * A parser holds one document at most: memory does not grow with the file. It never reads another file or address.
 */

/** A document as it was published: its paragraphs in reading order, without markup; a line break inside one is a space. */
export interface CorpusDocument {
  readonly kind: 'document'
  /** PMID, PMC id, ROW_ID: what tells documents of a format apart; none for plain text. */
  readonly id?: string
  /** Of several records of an id the one with the highest version counts, the last among equals. */
  readonly version?: number
  readonly paragraphs: readonly string[]
}

/** A record that is not taken, and why: `retracted`, `no_text`, `broken`, `too_large`, or a format's own word. */
export interface DroppedRecord {
  readonly kind: 'dropped'
  readonly reason: string
  readonly id?: string
  /** Byte of the decompressed file at which the record (or its defect) stands. */
  readonly byte: number
  /** What was found and what was expected, for a record that is broken. */
  readonly detail?: string
}

export type CorpusRecord = CorpusDocument | DroppedRecord

export interface CorpusParser {
  /** The records that ended in these bytes, in order. The bytes may be reused by the caller afterwards. */
  write(bytes: Uint8Array): readonly CorpusRecord[]
  /** What the end of the file ends. A file that breaks off inside a record gives that record as broken. */
  end(): readonly CorpusRecord[]
}

export interface ParserOptions {
  /** Keep the labels of a structured abstract (`BACKGROUND: ...`) at the head of its paragraphs. */
  readonly labels: boolean
}

export interface CorpusFormat {
  /** Its word on the command line, the one of `predict` where both read the same files. */
  readonly name: string
  /** One line for --help. */
  readonly summary: string
  /** Whether a file of this name (without .gz) and these first bytes (up to 4096, decompressed) is of this format. */
  recognises(name: string, head: Uint8Array): boolean
  parser(options: ParserOptions): CorpusParser
}
