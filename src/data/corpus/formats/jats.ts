/**
 * Full text in JATS or its ancestor, NLM's DTD (`.nxml` of PMC; several articles in one file too). A document is the title, the abstracts,
 * then the body's section titles and paragraphs in reading order. Left out: whatever interrupts it or is not prose (tables, figures with
 * their captions, displayed formulae, code, footnotes), all of the back (references, acknowledgements, funding, appendices), sections
 * of that kind in the body, abstracts in other languages and graphical ones, reviews and replies (sub-article). Citations go without a trace.
 * Dropped: retracted articles and retraction notices (`retracted`), corrections and lists (`article_type`), articles that are not
 * English (`language`), articles without abstract and body (`no_text`).
 */
import { type XmlElement, xmlChild, xmlChildren, xmlText } from '../../files/xml.js'
import { tidy } from '../../files/xml_inline.js'
import type { CorpusFormat, CorpusRecord, ParserOptions } from '../format.js'
import { blockParagraphs, lineText, type Section } from './jats_text.js'
import { XmlCorpusParser } from './xml_parser.js'

/** Of which nothing is taken wherever it stands. */
const skip = [
  'back',
  'sub-article',
  'response',
  'table-wrap',
  'ref-list',
  'journal-meta',
  'contrib-group',
  'floats-group',
  'floats-wrap',
]

export const jats: CorpusFormat = {
  name: 'jats',
  summary: 'JATS or NLM XML of full articles (.nxml of PMC): titles, abstracts and bodies',
  recognises: (name, head) => {
    if (/\.(json|jsonl|csv|txt)$/i.test(name)) return false
    const text = Buffer.from(head).toString('latin1').replaceAll('\0', '')
    return /<(?:!DOCTYPE\s+)?(?:article|pmc-articleset)[\s>]/.test(text) && !/<PubmedArticle/.test(text)
  },
  parser: (options) =>
    new XmlCorpusParser({ records: ['article'], skip }, ({ element, byte }) => [
      article(element, byte, options),
    ]),
}

/** Kinds of article that hold no prose of their own. */
const textless = new Set([
  'addendum',
  'announcement',
  'books-received',
  'calendar',
  'collection',
  'correction',
  'corrected-article',
  'erratum',
  'expression-of-concern',
  'index',
  'news-in-brief',
  'product-review',
  'table-of-contents',
])

function article(element: XmlElement, byte: number, options: ParserOptions): CorpusRecord {
  const meta = xmlChild(xmlChild(element, 'front'), 'article-meta')
  const { id, version } = identity(meta)
  const named = id === undefined ? {} : { id }
  const dropped = (reason: string): CorpusRecord => ({ kind: 'dropped', reason, ...named, byte })
  const title = titleText(meta)
  const type = element.attributes['article-type'] ?? ''
  if (isRetracted(meta, type, title)) return dropped('retracted')
  if (textless.has(type)) return dropped('article_type')
  if (!isEnglish(element.attributes['xml:lang'])) return dropped('language')
  const text = [...abstracts(meta, options), ...blockParagraphs(xmlChild(element, 'body'), bodySection)]
  if (text.length === 0) return dropped('no_text')
  return {
    kind: 'document',
    ...named,
    ...(version !== undefined && { version }),
    paragraphs: title === '' ? text : [title, ...text],
  }
}

/** `PMC1234567` and, where it is written, its version; else the PMID, else the DOI. */
function identity(meta: XmlElement | undefined): { id?: string; version?: number } {
  const ids = new Map<string, string>()
  for (const id of xmlChildren(meta, 'article-id')) {
    const kind = id.attributes['pub-id-type'] ?? ''
    if (!ids.has(kind)) ids.set(kind, tidy(xmlText(id)))
  }
  const pmc = /^(?:PMC)?(\d+)(?:\.(\d+))?$/i.exec(
    ids.get('pmcid-ver') ?? ids.get('pmc') ?? ids.get('pmcid') ?? ids.get('pmcaid') ?? '',
  )
  if (pmc === null) {
    const other = ids.get('pmid') || ids.get('doi')
    return other ? { id: other } : {}
  }
  return { id: `PMC${pmc[1]}`, ...(pmc[2] !== undefined && { version: Number(pmc[2]) }) }
}

function titleText(meta: XmlElement | undefined): string {
  const group = xmlChild(meta, 'title-group')
  const parts = [xmlChild(group, 'article-title'), xmlChild(group, 'subtitle')]
  const texts = parts.map((part) => (part === undefined ? '' : lineText(part))).filter((text) => text !== '')
  return texts.join(texts[0]?.endsWith(':') ? ' ' : ': ')
}

/** What is retracted says so in its type, its title or by a link to the notice; a notice links to what it retracts. */
function isRetracted(meta: XmlElement | undefined, type: string, title: string): boolean {
  if (type === 'retraction' || type === 'retracted-article') return true
  if (/^\W*(?:retracted(?: article)?|retraction(?: notice)?)\s*[:\u2014\u2013-]/i.test(title)) return true
  return xmlChildren(meta, 'related-article').some(({ attributes }) =>
    /^(?:retracted-article|retraction-forward)$/.test(attributes['related-article-type'] ?? ''),
  )
}

function isEnglish(language: string | undefined): boolean {
  return language === undefined || language === '' || /^en/i.test(language)
}

/* abstracts and body */

const otherAbstracts =
  /graphic|visual|video|teaser|toc|web-summary|key-points|editor|highlights|objects?|stereochemical/i

function abstracts(meta: XmlElement | undefined, { labels }: ParserOptions): string[] {
  const paragraphs: string[] = []
  for (const abstract of xmlChildren(meta)) {
    if (abstract.name !== 'abstract' && abstract.name !== 'trans-abstract') continue
    const language = abstract.attributes['xml:lang']
    if (!isEnglish(language) || (abstract.name === 'trans-abstract' && language === undefined)) continue
    if (otherAbstracts.test(abstract.attributes['abstract-type'] ?? '')) continue
    paragraphs.push(...blockParagraphs(abstract, labels ? labelled : unlabelled))
  }
  return paragraphs
}

/** A part of an abstract has its title at the head of its first paragraph. */
const labelled: Section = (title, depth) => ({
  take: true,
  head: depth > 0 ? title.replace(/[:.]+$/, '') : '',
})
const unlabelled: Section = () => ({ take: true })

const aside = [
  'acknowledge?ments?(?: and .*)?',
  'funding(?: (?:sources?|statement|information|and .*))?',
  'financial (?:support|disclosure).*',
  'grants?(?: support)?',
  "authors?['\u2019]{0,2}s? ?(?:contributions?|information|details)",
  '(?:declaration of |statement of )?(?:competing|conflicting|conflicts?(?: of)?) (?:financial )?interests?(?: statement)?',
  'conflict of interest.*',
  'disclosures?(?: statement)?',
  'declarations?',
  'abbreviations?(?: used)?',
  'list of abbreviations(?: used)?',
  'pre-publication history',
  "publisher['\u2019]?s note",
  '(?:electronic )?supplement(?:ary|al) (?:materials?|data|information|files?)',
  'supporting information',
  'additional (?:files?|material)',
  '(?:data|code)(?: and (?:data|code|materials?))? availability(?: statement)?',
  'availability of (?:data|supporting).*',
  'consent for publication',
  'references',
].join('|')
const asideTitle = new RegExp(`^(?:\\d[\\d.]*\\s*)?(?:${aside})\\W*$`, 'i')
const asideType =
  /supplementary|acknowledg|funding|COI|conflict|ref-list|data-availability|author-contrib|abbreviations/i

const bodySection: Section = (title, _, type) => ({
  take: !asideTitle.test(title) && !asideType.test(type),
  own: title,
})
