/**
 * PubMed's and MEDLINE's XML: PubmedArticleSet of the baseline, the daily updates and efetch, and the older MedlineCitationSet. A document is a
 * title and the parts of its abstract. What is not taken: other languages' and plain-language abstracts (OtherAbstract), titles in
 * the original language, copyright lines, keywords, names, references. A record without an abstract is `no_text`, as
 * the papers' corpus is PubMed's abstracts. Retracted publications and the notices of their retraction are `retracted`; each PMID of a
 * DeleteCitation list is `deleted`. Of books (PubmedBookArticle) the abstract is taken under the title of its chapter or book.
 */
import { type XmlElement, xmlChild, xmlChildren, xmlText } from '../../files/xml.js'
import { inlineText, type Manner, type Manners, tidy } from '../../files/xml_inline.js'
import type { CorpusFormat, CorpusRecord, ParserOptions } from '../format.js'
import { XmlCorpusParser } from './xml_parser.js'

const records = ['PubmedArticle', 'PubmedBookArticle', 'MedlineCitation', 'DeleteCitation', 'DeleteDocument']

/** Three quarters of a baseline file, of which nothing is taken. */
export const skip = [
  'AuthorList',
  'ChemicalList',
  'DataBankList',
  'GeneralNote',
  'GrantList',
  'InvestigatorList',
  'Journal',
  'KeywordList',
  'MedlineJournalInfo',
  'MeshHeadingList',
  'OtherAbstract',
  'PersonalNameSubjectList',
  'PubmedBookData',
  'PubmedData',
  'SupplMeshList',
]

export const pubmedXml: CorpusFormat = {
  name: 'pubmed-xml',
  summary: 'PubMed or MEDLINE XML (PubmedArticleSet): titles and abstracts',
  recognises: (name, head) => {
    if (/\.(nxml|json|jsonl|csv|txt)$/i.test(name)) return false
    const text = Buffer.from(head).toString('latin1').replaceAll('\0', '')
    return /<(?:!DOCTYPE\s+)?(?:PubmedArticleSet|MedlineCitationSet|PubmedArticle|PubmedBookArticleSet|MedlineCitation)[\s>]/.test(
      text,
    )
  },
  parser: (options) =>
    new XmlCorpusParser({ records, skip }, ({ element, byte }) =>
      element.name === 'DeleteCitation' || element.name === 'DeleteDocument'
        ? deleted(element, byte)
        : [citation(element, byte, options)],
    ),
}

function deleted(element: XmlElement, byte: number): CorpusRecord[] {
  return xmlChildren(element, 'PMID').map((pmid) => ({
    kind: 'dropped',
    reason: 'deleted',
    id: tidy(xmlText(pmid)),
    byte,
  }))
}

function citation(record: XmlElement, byte: number, options: ParserOptions): CorpusRecord {
  const book = xmlChild(record, 'BookDocument')
  const medline = record.name === 'MedlineCitation' ? record : xmlChild(record, 'MedlineCitation')
  const article = book ?? xmlChild(medline, 'Article')
  const pmid = xmlChild(book ?? medline, 'PMID')
  const id = pmid === undefined ? '' : tidy(xmlText(pmid))
  const named = id === '' ? {} : { id }
  if (isRetracted(medline, article)) return { kind: 'dropped', reason: 'retracted', ...named, byte }
  const abstract = abstractParagraphs(xmlChild(article, 'Abstract'), options)
  if (abstract.length === 0) return { kind: 'dropped', reason: 'no_text', ...named, byte }
  const title = titleText(
    xmlChild(article, 'ArticleTitle') ?? xmlChild(xmlChild(article, 'Book'), 'BookTitle'),
  )
  const version = Number(pmid?.attributes.Version)
  return {
    kind: 'document',
    ...named,
    ...(Number.isSafeInteger(version) && { version }),
    paragraphs: title === '' ? abstract : [title, ...abstract],
  }
}

/** By its publication type, or by a later notice; and the notice itself. A retraction of parts leaves the rest. */
function isRetracted(medline: XmlElement | undefined, article: XmlElement | undefined): boolean {
  const types = xmlChildren(xmlChild(article, 'PublicationTypeList'), 'PublicationType')
  if (types.some((type) => /^Retract(ed Publication|ion of Publication)$/.test(tidy(xmlText(type)))))
    return true
  const comments = xmlChildren(xmlChild(medline, 'CommentsCorrectionsList'), 'CommentsCorrections')
  return comments.some(
    ({ attributes }) => attributes.RefType === 'RetractionIn' || attributes.RefType === 'RetractionOf',
  )
}

/* text */

const manner: Record<string, Manner> = {
  b: 'word',
  i: 'word',
  u: 'word',
  sub: 'script',
  sup: 'script',
  math: 'math',
  DispFormula: 'space',
}

const manners: Manners = ({ name }) => {
  const local = name.startsWith('mml:') ? name.slice(4) : name
  return Object.hasOwn(manner, local) ? manner[local] : 'apart'
}

function textOf(element: XmlElement): string {
  return tidy(inlineText(element, manners))
}

/** A translated title stands in brackets; two placeholders stand for none. */
export function titleText(element: XmlElement | undefined): string {
  const title = element === undefined ? '' : textOf(element)
  const inside = /^\[(.*)\]\.?$/.exec(title)?.[1].trim()
  if (inside === undefined || !isBalanced(inside)) return title
  if (/^(not available|in process citation|no title available)\W*$/i.test(inside)) return ''
  return /[.?!]$/.test(inside) ? inside : `${inside}.`
}

/** Whether no bracket closes that did not open in it. */
function isBalanced(text: string): boolean {
  let depth = 0
  for (const char of text) {
    if (char === '[') depth++
    else if (char === ']' && --depth < 0) return false
  }
  return depth === 0
}

const truncated = /\s*\(?\s*ABSTRACT TRUNCATED(?:\s+AT\s+\d+\s+WORDS)?\s*\)?\s*\.?$/
const noAbstract =
  /^\W*(?:no abstract(?: is)? available|abstract not available|not available|no abstract)\W*$/i

export function abstractParagraphs(abstract: XmlElement | undefined, { labels }: ParserOptions): string[] {
  const paragraphs: string[] = []
  for (const part of xmlChildren(abstract, 'AbstractText')) {
    const whole = textOf(part)
    const text = whole.includes('TRUNCATED') ? whole.replace(truncated, '').trim() : whole
    if (text === '' || noAbstract.test(text)) continue
    const label = labels ? tidy(part.attributes.Label ?? '').replace(/[:.]+$/, '') : ''
    paragraphs.push(label === '' || label === 'UNLABELLED' ? text : `${label}: ${text}`)
  }
  return paragraphs
}
