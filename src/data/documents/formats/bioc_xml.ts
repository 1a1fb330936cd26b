/**
 * BioC XML. Each `document` is read into the shape of BioC JSON and written back from it; what its DTD knows is kept, and what
 * stands around the documents (source, date, key, infons of the collection) comes from the first file. White space between
 * elements is not kept.
 */
import {
  type XmlDefect,
  type XmlElement,
  type XmlRecord,
  XmlRecords,
  xmlChild,
  xmlChildren,
  xmlText,
} from '../../files/xml.js'
import { checkBioc, checkId, collectionFields, fromBioc, toBioc } from '../bioc.js'
import { collectionXml, documentXml } from '../bioc_xml_write.js'
import { type DocumentFormat, type DocumentReader, LARGEST_DOCUMENT, type Read } from '../format.js'
import type { Counting } from '../offsets.js'
import { xmlFault } from '../xml_fault.js'

export const biocXml: DocumentFormat = {
  name: 'bioc-xml',
  summary: 'BioC XML: a collection',
  extension: '.xml',
  labels: true,
  recognises: (_, head) =>
    /<collection[\s>]|<!DOCTYPE\s+collection\b/.test(Buffer.from(head).toString('latin1')),
  reader: ({ counting }) => new BiocXmlReader(counting),
  writer: (options) => ({
    head: (around) => `${collectionXml(collectionFields(around))}\n`,
    document(document) {
      checkId(document)
      return `${documentXml(toBioc(document, options))}\n`
    },
    foot: () => '</collection>\n',
  }),
}

const AROUND = ['source', 'date', 'key', 'infon']

class BiocXmlReader implements DocumentReader {
  readonly around: Record<string, unknown> = {}
  private readonly records = new XmlRecords({ records: ['document'], limits: { record: LARGEST_DOCUMENT } })
  /** Until the first document. */
  private front: XmlRecords | undefined = new XmlRecords({ records: [...AROUND, 'document'] })

  constructor(private readonly counting: Counting) {}

  write(bytes: Uint8Array): Read[] {
    for (const record of this.front?.write(bytes) ?? []) {
      if (record.kind === 'element' && record.element.name !== 'document') this.surround(record.element)
      else this.front = undefined
      if (this.front === undefined) break
    }
    return this.records.write(bytes).map((record) => this.read(record))
  }

  end(): Read[] {
    return this.records.end().map((record) => this.read(record))
  }

  private surround(element: XmlElement): void {
    if (element.name !== 'infon') this.around[element.name] = xmlText(element)
    else this.around.infons = { ...(this.around.infons as object), ...infonsOf([element]) }
  }

  private read(record: XmlRecord | XmlDefect): Read {
    const { byte } = record
    if (record.kind === 'defect') return { kind: 'fault', fault: xmlFault(record) }
    const value = documentOf(record.element)
    const fault = ({ found, expected }: { found: string; expected: string }): Read => ({
      kind: 'fault',
      fault: { byte, found, expected, ...(value.id !== undefined && { id: value.id.slice(0, 100) }) },
    })
    const checked = checkBioc(value)
    if ('found' in checked) return fault(checked)
    const made = fromBioc(checked.document, this.counting)
    return 'found' in made ? fault(made) : { kind: 'document', document: made.document, byte }
  }
}

function documentOf(element: XmlElement) {
  return {
    id: textOf(element, 'id'),
    infons: infonsOf(xmlChildren(element, 'infon')),
    passages: xmlChildren(element, 'passage').map((passage) => ({
      offset: numberIn(textOf(passage, 'offset')),
      infons: infonsOf(xmlChildren(passage, 'infon')),
      ...textField(passage),
      sentences: xmlChildren(passage, 'sentence').map((sentence) => ({
        infons: infonsOf(xmlChildren(sentence, 'infon')),
        offset: numberIn(textOf(sentence, 'offset')),
        ...textField(sentence),
        ...ownedBy(sentence),
      })),
      ...ownedBy(passage),
    })),
    ...ownedBy(element),
  }
}

function ownedBy(owner: XmlElement) {
  return {
    annotations: xmlChildren(owner, 'annotation').map((annotation) => ({
      id: annotation.attributes.id,
      infons: infonsOf(xmlChildren(annotation, 'infon')),
      text: textOf(annotation, 'text') ?? '',
      locations: xmlChildren(annotation, 'location').map(({ attributes: { offset, length } }) => ({
        offset: numberIn(offset),
        length: numberIn(length),
      })),
    })),
    relations: xmlChildren(owner, 'relation').map((relation) => ({
      id: relation.attributes.id,
      infons: infonsOf(xmlChildren(relation, 'infon')),
      nodes: xmlChildren(relation, 'node').map(({ attributes: { refid, role } }) => ({
        refid,
        role: role ?? '',
      })),
    })),
  }
}

function textField(owner: XmlElement): { text?: string } {
  const text = textOf(owner, 'text')
  return text === undefined ? {} : { text }
}

function textOf(owner: XmlElement, name: string): string | undefined {
  const child = xmlChild(owner, name)
  return child === undefined ? undefined : xmlText(child)
}

function infonsOf(elements: readonly XmlElement[]): Record<string, string> {
  return Object.fromEntries(elements.map((infon) => [infon.attributes.key ?? '', xmlText(infon)]))
}

/** What is no number is refused with its place by the schema. */
function numberIn(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\s*\d+\s*$/.test(text) ? Number(text) : text
}
