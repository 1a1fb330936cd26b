/**
 * One record of an XML file as a small tree, parsed strictly by saxes, bounded in depth, elements and attributes.
 * Why saxes, of the parsers that need no compiler and run on Node 20.17: it is strict (htmlparser2 and easysax take what is not
 * well formed), it never fetches and expands no entity of a document's own, and in a trial on PubMed's XML it
 * was more than twice as fast as sax and sax-wasm. Elements that nobody reads are left out before it sees them; what comes of both
 * `npm run bench -- data/corpus --peers` prints, beside lxml. Named entities of HTML and the ISO sets that old DTDs define come from html-entities.
 */
import { decode } from 'html-entities'
import { SaxesParser } from 'saxes'

export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  /** Text and CDATA as strings, never two of them in a row; comments and instructions are left out. */
  readonly children: readonly XmlChild[]
}

export type XmlChild = XmlElement | string

export interface XmlLimits {
  /** Bytes of a record, as UTF-8. */
  readonly record: number
  /** Elements inside one another. */
  readonly depth: number
  /** Elements of a record. */
  readonly elements: number
  /** Attributes of an element, and characters of one's value. */
  readonly attributes: number
  readonly value: number
}

export const xmlLimits: XmlLimits = {
  record: 2 ** 25,
  depth: 256,
  elements: 2 ** 20,
  attributes: 256,
  value: 2 ** 20,
}

/** What is wrong with a text, and at which of its characters. Thrown, but no Error: a stack costs more than most records. */
export class XmlProblem {
  constructor(
    readonly reason: 'broken' | 'too_large',
    readonly at: number,
    readonly message: string,
  ) {}
}

/** Text of an element with all that is in it, as it stands. */
export function xmlText(element: XmlElement): string {
  let text = ''
  for (const child of element.children) text += typeof child === 'string' ? child : xmlText(child)
  return text
}

/** The first child of that name. */
export function xmlChild(element: XmlElement | undefined, name: string): XmlElement | undefined {
  for (const child of element?.children ?? [])
    if (typeof child !== 'string' && child.name === name) return child
  return undefined
}

/** All children of that name, or of any. */
export function xmlChildren(element: XmlElement | undefined, name?: string): XmlElement[] {
  return (element?.children ?? []).filter(
    (child): child is XmlElement => typeof child !== 'string' && (name === undefined || child.name === name),
  )
}

/** A defect in words: what stands there and what the parser says of it. */
export function problemDetail(text: string, at: number, message: string): string {
  const found = text.slice(Math.max(0, at - 40), at).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '')
  return `found ${JSON.stringify(found)} (${message.replace(/\.$/, '')}), expected well-formed XML`
}

/* entities */

/** Those of XML, and those of HTML, which hold the ISO sets; what a document defines itself is not among them. */
const entities = new Proxy<Record<string, string>>(
  Object.assign(Object.create(null), { amp: '&', gt: '>', lt: '<', quot: '"', apos: "'" }),
  {
    get: (known, name) => {
      if (typeof name !== 'string') return undefined
      if (known[name] !== undefined) return known[name]
      if (!/^[A-Za-z][A-Za-z0-9]{1,40}$/.test(name)) return undefined
      const reference = `&${name};`
      const text = decode(reference, { level: 'html5', scope: 'strict' })
      if (text === reference) return undefined
      known[name] = text
      return text
    },
  },
)

export function strictParser(fail: (message: string) => never): SaxesParser {
  const parser = new SaxesParser()
  parser.ENTITIES = entities
  parser.on('error', (error) => fail(error.message.replace(/^\d+:\d+: /, '')))
  return parser
}

/* the tree */

interface Growing {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: (Growing | string)[]
}

const empty: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/** Builds the tree of one element from pieces of its text; a piece ends where a tag ends. */
export class XmlTree {
  readonly #limits: XmlLimits
  readonly #parser: SaxesParser
  readonly #stack: Growing[] = []
  #root: Growing | undefined
  #elements = 0
  #done = false
  #text = ''
  /** The element whose start tag was the last that the parser said. */
  #opened: string | undefined
  /** Characters that were left out before the parser. */
  skipped = 0

  constructor(limits: XmlLimits) {
    this.#limits = limits
    this.#parser = strictParser((message) => this.#fail('broken', message))
    this.#parser.on('opentag', ({ name, attributes }) =>
      this.#open(name, attributes as Record<string, string>),
    )
    this.#parser.on('closetag', () => this.#close())
    const text = (part: string): void => {
      this.#opened = undefined
      this.#text += part
    }
    this.#parser.on('text', text)
    this.#parser.on('cdata', text)
  }

  /** The element, once its end tag was written. */
  get element(): XmlElement | undefined {
    return this.#done ? this.#root : undefined
  }

  /** Throws an XmlProblem. With `skip` the inside of such elements is left out, unread. */
  write(piece: string, skip?: RegExp): void {
    let at = 0
    if (skip !== undefined) {
      skip.lastIndex = 0
      for (let match = skip.exec(piece); match !== null; match = skip.exec(piece)) {
        const end = piece.indexOf('>', match.index) + 1
        this.#opened = undefined
        this.#parser.write(piece.slice(at, end))
        at = end
        const name = match[1]
        // not so in a comment, in CDATA, or where the `>` was an attribute's
        if (this.#opened !== name) continue
        const close = piece.indexOf(`</${name}>`, end)
        if (close === -1) continue
        this.skipped += close - end
        at = close
        skip.lastIndex = close
      }
    }
    this.#parser.write(at === 0 ? piece : piece.slice(at))
  }

  #open(name: string, attributes: Record<string, string>): void {
    const { depth, elements, attributes: most, value: longest } = this.#limits
    this.#flush()
    this.#opened = name
    const names = Object.keys(attributes)
    if (names.length > most) this.#fail('too_large', `more than ${most} attributes`)
    for (const key of names)
      if (attributes[key].length > longest)
        this.#fail('too_large', `an attribute of more than ${longest} characters`)
    if (++this.#elements > elements) this.#fail('too_large', `more than ${elements} elements`)
    if (this.#stack.length >= depth) this.#fail('too_large', `more than ${depth} elements inside one another`)
    const element: Growing = { name, attributes: names.length > 0 ? attributes : empty, children: [] }
    const parent = this.#stack.at(-1)
    if (parent === undefined) this.#root = element
    else {
      if (name === this.#root?.name) this.#fail('broken', `a ${name} inside another`)
      parent.children.push(element)
    }
    this.#stack.push(element)
  }

  #close(): void {
    this.#opened = undefined
    this.#flush()
    this.#stack.pop()
    this.#done = this.#stack.length === 0
  }

  #flush(): void {
    if (this.#text === '') return
    this.#stack.at(-1)?.children.push(this.#text)
    this.#text = ''
  }

  #fail(reason: 'broken' | 'too_large', message: string): never {
    throw new XmlProblem(reason, this.#parser.position, message)
  }
}
