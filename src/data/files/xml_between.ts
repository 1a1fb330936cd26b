/**
 * What stands between the records of an XML file: the root's start and end, white space, comments, the document type. Parsed
 * strictly and piece by piece (a piece ends in `>`) to learn which start tags are real; what is in it is given to nobody.
 */
import { strictParser, XmlProblem } from './xml_tree.js'

const DEEPEST = 256

export class Between {
  readonly #parser = strictParser((message) => {
    throw new XmlProblem('broken', 0, message)
  })
  readonly #open: string[] = []
  #begun = false
  /** The element that the last piece opened, and whether it closed it at once. */
  opened: string | undefined
  closed = false
  /** Things that ended: tags, texts, comments. */
  events = 0
  /** Whether the root was closed: what follows is another document. */
  ended = false

  constructor() {
    const event = (): void => void this.events++
    this.#parser.on('opentag', ({ name, isSelfClosing }) => {
      event()
      if (this.#open.length >= DEEPEST)
        throw new XmlProblem('too_large', 0, `more than ${DEEPEST} elements inside one another`)
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
  }

  /** The innermost element that is open. */
  get open(): string | undefined {
    return this.#open.at(-1)
  }

  /** Throws an XmlProblem. White space before a document is forgiven: files are put one after the other, declarations and all. */
  write(piece: string): void {
    this.opened = undefined
    const text = this.#begun ? piece : piece.trimStart()
    if (text === '') return
    this.#begun = true
    this.#parser.write(text)
  }

  /** Ends the innermost element, whose inside went elsewhere. */
  close(): void {
    if (this.open !== undefined) this.write(`</${this.open}>`)
  }
}
