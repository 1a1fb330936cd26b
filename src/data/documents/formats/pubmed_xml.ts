/**
 * PubMed XML: every article is a document with its PMID, the title and the abstract as passages; parts of a structured abstract stand
 * behind each other with their labels, a space between. The text is that of `corpus`, whose rules are asked (no brackets around
 * translated titles, no markup); but articles without an abstract and retracted ones are documents here like any other.
 * Read only: what is found is written in another format, whose offsets count in the text as it is written there.
 */
import {
  abstractParagraphs,
  pubmedXml as corpusFormat,
  skip,
  titleText,
} from '../../corpus/formats/pubmed_xml.js'
import { type XmlElement, XmlRecords, xmlChild, xmlText } from '../../files/xml.js'
import { type DocumentFormat, LARGEST_DOCUMENT, type Read } from '../format.js'
import { xmlFault } from '../xml_fault.js'

export const pubmedXml: DocumentFormat = {
  name: 'pubmed-xml',
  summary: 'PubMed XML: title and abstract of every article',
  extension: '.xml',
  recognises: (name, head) => corpusFormat.recognises(name, head),
  reader() {
    const xml = new XmlRecords({
      records: ['PubmedArticle', 'PubmedBookArticle', 'MedlineCitation'],
      skip,
      limits: { record: LARGEST_DOCUMENT },
    })
    const read = (records: ReturnType<XmlRecords['end']>): Read[] =>
      records.map((record) =>
        record.kind === 'defect'
          ? { kind: 'fault', fault: xmlFault(record) }
          : { kind: 'document', document: documentOf(record.element), byte: record.byte },
      )
    return { write: (bytes) => read(xml.write(bytes)), end: () => read(xml.end()) }
  },
}

function documentOf(record: XmlElement) {
  const book = xmlChild(record, 'BookDocument')
  const medline = record.name === 'MedlineCitation' ? record : xmlChild(record, 'MedlineCitation')
  const article = book ?? xmlChild(medline, 'Article')
  const pmid = xmlChild(book ?? medline, 'PMID')
  const id = pmid === undefined ? '' : xmlText(pmid).trim()
  const title = xmlChild(article, 'ArticleTitle') ?? xmlChild(xmlChild(article, 'Book'), 'BookTitle')
  const abstract = abstractParagraphs(xmlChild(article, 'Abstract'), { labels: true })
  return {
    ...(id !== '' && { id }),
    passages: [
      { type: 'title', text: titleText(title), given: [] },
      ...(abstract.length === 0 ? [] : [{ type: 'abstract', text: abstract.join(' '), given: [] }]),
    ],
  }
}
