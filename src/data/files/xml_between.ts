/**
 * What stands between the records of an XML file: the root's start and end, white space, comments, the document type. Parsed
 * strictly and piece by piece (a piece ends in `>`) to learn which start tags are real; what is in it is given to nobody.
 */
import { strictParser, XmlProblem } from './xml_tree.js'

const DEEPEST = 256

export class Between {
  readonly #parser = strictParser((message) => this.#fail('broken', message))
  readonly #open: string[] = []
  #begun = false
  /** The element that the last piece opened, and whether it closed it at once. */
  opened: string | undefined
  closed = false
  /** Things that ended: tags, texts, comments. */
  events = 0
  /** Whether the root was closed: what follows is another document. */
  ended = false

  /** Position of the parser at the start of the piece. */
  #from = 0

  /** With elements that are open already. */
  constructor(open: readonly string[] = []) {
    const event = (): void => void this.events++
    this.#parser.on('opentag', ({ name, isSelfClosing }) => {
      event()
      if (this.#open.length >= DEEPEST)
        this.#fail('too_large', `more than ${DEEPEST} elements inside one another`)
      this.#open.push(name)
      this.opened = name
      this.closed = isSelfClosing
    })
    this.#parser.on('closetag', () => {
      event()
      this.#open.pop()
      this.ended = this.#open.length === 0
    })
    this.#parser.on('comment', event)
    this.#parser.on('processinginstruction', event)
    this.#parser.on('doctype', event)
    for (const name of open) this.write(`<${name}>`)
  }

  /** The same elements open, and one more, in a parser that knows nothing of a defect. */
  again(name: string): Between {
    return new Between([...this.#open, name])
  }

  /** The innermost element that is open. */
  get open(): string | undefined {
    return this.#open.at(-1)
  }

  /** Throws an XmlProblem, its place counted from the piece's start. White space before a document is forgiven: files are put one after the other, declarations and all. */
  write(piece: string): void {
    this.opened = undefined
    const text = this.#begun ? piece : piece.trimStart()
    if (text === '') return
    this.#begun = true
    this.#from = this.#parser.position - (piece.length - text.length)
    this.#parser.write(text)
  }

  /** Ends the innermost element, whose inside went elsewhere. */
  close(): void {
    if (this.open !== undefined) this.write(`</${this.open}>`)
  }

  #fail(reason: 'broken' | 'too_large', message: string): never {
    throw new XmlProblem(reason, this.#parser.position - this.#from, message)
  }
}
