/**
 * Paragraphs out of the block markup of JATS, and lines out of its inline markup. What stands inside a paragraph but is no part of
 * its sentence (figures, tables, displayed formulae) is left out and the sentence goes on; items of lists and other blocks
 * inside are paragraphs of their own. Which sections are taken, and where their titles go, the caller says.
 */
import { type XmlElement, xmlChild, xmlText } from '../../files/xml.js'
import { CITED, CITED_END, inlineText, type Manner, type Manners, tidy } from '../../files/xml_inline.js'
import { isNumberCitation, isOnlyCitations, withoutCitations } from './jats_citations.js'

/** Of a section, by title, depth (0: the abstract or body itself) and sec-type. */
export type Section = (
  title: string,
  depth: number,
  type: string,
) => {
  readonly take: boolean
  /** A paragraph of its own, in front. */
  readonly own?: string
  /** Goes in front of the first paragraph: `HEAD: ...`. */
  readonly head?: string
}

export function blockParagraphs(element: XmlElement | undefined, section: Section): string[] {
  const blocks = new Blocks(section)
  if (element !== undefined) blocks.section(element, 0)
  return blocks.paragraphs
}

/** A title or any other element on one line. */
export function lineText(element: XmlElement): string {
  return withoutCitations(tidy(inlineText(element, manners))).trim()
}

/* blocks */

/** Opened up: their children are blocks. */
const containers = new Set([
  'boxed-text',
  'def-item',
  'def-list',
  'disp-quote',
  'list',
  'list-item',
  'def',
  'speech',
  'statement',
  'verse-group',
  'answer-set',
  'question',
  'answer',
])
const lines = new Set(['p', 'term', 'verse-line', 'title', 'subtitle', 'attrib'])
/** Blocks that can stand in a paragraph and end its text there. */
const breaking = new Set([
  'boxed-text',
  'def-list',
  'disp-quote',
  'list',
  'speech',
  'statement',
  'verse-group',
  'p',
])

class Blocks {
  readonly paragraphs: string[] = []
  readonly #section: Section
  #head = ''

  constructor(section: Section) {
    this.#section = section
  }

  section(element: XmlElement, depth: number): void {
    const titled = xmlChild(element, 'title')
    const title = titled === undefined ? '' : lineText(titled)
    const { take, own, head } = this.#section(title, depth, element.attributes['sec-type'] ?? '')
    if (!take) return
    if (depth > 0 && own) this.paragraphs.push(own)
    if (head) this.#head = head
    for (const child of element.children) {
      if (typeof child === 'string') continue
      if (child.name === 'sec') this.section(child, depth + 1)
      else if (child.name !== 'title') this.#block(child)
    }
    this.#head = ''
  }

  #block(element: XmlElement): void {
    if (lines.has(element.name)) this.#paragraph(element)
    else if (containers.has(element.name))
      for (const child of element.children) if (typeof child !== 'string') this.#block(child)
  }

  /** The text around the blocks inside is a paragraph each. */
  #paragraph(element: XmlElement): void {
    let run: (XmlElement | string)[] = []
    const flush = (): void => {
      this.#push(lineText({ name: element.name, attributes: element.attributes, children: run }))
      run = []
    }
    for (const child of element.children) {
      if (typeof child === 'string' || !breaking.has(child.name)) run.push(child)
      else {
        flush()
        this.#block(child)
      }
    }
    flush()
  }

  #push(text: string): void {
    // what is left of a paragraph that held a table or a formula
    if (!/[\p{L}\d]/u.test(text)) return
    this.paragraphs.push(this.#head === '' ? text : `${this.#head}: ${text}`)
    this.#head = ''
  }
}

/* inline */

const manner: Record<string, Manner> = {}
const told: [Manner, string][] = [
  [
    'word',
    'abbrev bold collab email ext-link fixed-case inline-supplementary-material institution italic monospace named-content ' +
      'num overline related-article related-object roman sans-serif sc source strike styled-content target underline uri x year ' +
      'chem-struct inline-formula rb ruby volume surname given-names name person-group article-title',
  ],
  ['script', 'sub'],
  ['math', 'math'],
  [
    'space',
    'break disp-formula disp-formula-group fig fig-group table-wrap table-wrap-group graphic media supplementary-material hr',
  ],
  [
    'drop',
    'alt-text array boxed-text chem-struct-wrap code def fn fn-group glyph-data index-term inline-graphic label long-desc milestone-end ' +
      'milestone-start object-id preformat private-char ref-list rt tex-math table tbody',
  ],
]
for (const [how, names] of told) for (const name of names.split(' ')) manner[name] = how

const manners: Manners = (element) => {
  const name = element.name.startsWith('mml:') ? element.name.slice(4) : element.name
  if (name === 'xref') return crossReference(element)
  if (name === 'alternatives') return { text: alternative(element) }
  if (name === 'sup') {
    const text = inlineText(element, manners)
    return isOnlyCitations(text) ? { text: `${CITED}${CITED_END}` } : { text, script: true }
  }
  return Object.hasOwn(manner, name) ? manner[name] : 'apart'
}

/** To references a citation, to footnotes nothing; to figures, tables and sections its text. */
function crossReference(element: XmlElement): Manner | { text: string } {
  const { 'ref-type': type, rid = '' } = element.attributes
  if (type === 'fn' || type === 'table-fn' || type === 'author-notes' || type === 'aff' || type === 'corresp')
    return 'drop'
  const text = xmlText(element)
  const untyped = type === undefined && /^(?:b|bib|bibr|cr|r|ref)[-_]?\d/i.test(rid) && isNumberCitation(text)
  if (type !== 'bibr' && !untyped) return 'word'
  return { text: `${CITED}${isNumberCitation(text) ? '' : inlineText(element, manners)}${CITED_END}` }
}

/** Of one formula in several forms, its MathML. */
function alternative(element: XmlElement): string {
  const math = element.children.find(
    (child) => typeof child !== 'string' && /^(?:mml:)?math$/.test(child.name),
  )
  return math === undefined
    ? ''
    : inlineText({ name: 'alternatives', attributes: {}, children: [math] }, manners)
}
