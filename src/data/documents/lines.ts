/** The lines of a file of documents, as values: what is wrong with one is that line's alone, and no line is larger than a document. */
import { describeFault, LineSplitter } from '../files/lines.js'
import { LARGEST_DOCUMENT } from './format.js'

export interface Line {
  /** Without its end; undefined where the bytes are no UTF-8 or more than a document may have. */
  readonly text?: string
  /** What is wrong with it. */
  readonly found?: string
  readonly expected?: string
  /** From 1. */
  readonly number: number
  /** Where it begins. */
  readonly byte: number
}

export class DocumentLines {
  private found: Line[] = []
  private readonly lines = new LineSplitter((text, byte, number, fault) => {
    this.found.push({ text, byte, number, ...(fault && describeFault(fault, LARGEST_DOCUMENT)) })
  }, LARGEST_DOCUMENT)

  /** The lines that ended in these bytes. */
  write(bytes: Uint8Array): Line[] {
    this.lines.write(bytes)
    return this.take()
  }

  /** The last line, where it has no end. */
  end(): Line[] {
    this.lines.end()
    return this.take()
  }

  private take(): Line[] {
    const { found } = this
    this.found = []
    return found
  }
}
