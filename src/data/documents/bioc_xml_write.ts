/**
 * BioC XML as text, in the order of its DTD. Infons that are no strings are written as JSON. What XML 1.0 cannot hold becomes what
 * has as many characters and bytes: a control character a space, half of a surrogate pair U+FFFD. Carriage returns are
 * written as references, since parsers take bare ones away.
 */
import type { BiocAnnotation, BiocDocument, BiocPassage, BiocRelation, BiocSentence } from './bioc_schema.js'

type Fields = Readonly<Record<string, unknown>>

export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'

/** `<collection>` and what stands in front of its documents. */
export function collectionXml({ source, date, key, infons }: Fields): string {
  const head = element('source', source) + element('date', date) + element('key', key)
  return `${XML_HEAD}<collection>${head}${infonsXml(infons as Fields)}`
}

export function documentXml(document: BiocDocument): string {
  const { id, infons, passages } = document
  const parts = [element('id', id), infonsXml(infons), ...passages.map(passageXml), ...ownedXml(document)]
  return `<document>${parts.join('')}</document>`
}

function passageXml(passage: BiocPassage): string {
  const text = typeof passage.text === 'string' ? element('text', passage.text) : ''
  const sentences = (passage.sentences ?? []).map(sentenceXml)
  const parts = [infonsXml(passage.infons), element('offset', passage.offset), text, ...sentences]
  return `<passage>${parts.join('')}${ownedXml(passage).join('')}</passage>`
}

function sentenceXml(sentence: BiocSentence): string {
  const text = typeof sentence.text === 'string' ? element('text', sentence.text) : ''
  const parts = [infonsXml(sentence.infons), element('offset', sentence.offset), text, ...ownedXml(sentence)]
  return `<sentence>${parts.join('')}</sentence>`
}

function ownedXml({ annotations, relations }: BiocDocument | BiocPassage | BiocSentence): string[] {
  return [...(annotations ?? []).map(annotationXml), ...(relations ?? []).map(relationXml)]
}

function annotationXml({ id, infons, locations, text }: BiocAnnotation): string {
  const places = (locations ?? []).map(
    ({ offset, length }) => `<location offset="${offset}" length="${length}"/>`,
  )
  return `<annotation${attribute('id', id)}>${infonsXml(infons)}${places.join('')}${element('text', text)}</annotation>`
}

function relationXml({ id, infons, nodes }: BiocRelation): string {
  const list = (nodes ?? []).map(
    ({ refid, role }) => `<node${attribute('refid', refid)}${attribute('role', role ?? '')}/>`,
  )
  return `<relation${attribute('id', id)}>${infonsXml(infons)}${list.join('')}</relation>`
}

function infonsXml(infons: Fields | null | undefined): string {
  return Object.entries(infons ?? {})
    .map(([key, value]) => `<infon${attribute('key', key)}>${escapeText(value)}</infon>`)
    .join('')
}

function element(name: string, value: unknown): string {
  return `<${name}>${escapeText(value)}</${name}>`
}

function attribute(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  return ` ${name}="${escapeText(value).replace(/"/g, '&quot;').replace(/\t/g, '&#9;').replace(/\n/g, '&#10;')}"`
}

const REFERENCES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
/** What XML 1.0 has no way to say. */
const UNSAYABLE = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

export function escapeText(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.replace(UNSAYABLE, (c) => (c < ' ' ? ' ' : '\ufffd')).replace(/[&<>\r]/g, (c) => REFERENCES[c])
}
