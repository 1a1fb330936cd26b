/** The formats of documents: adding one is a file in `formats` and a line here. Earlier ones are asked first what a file is. */
import type { DocumentFormat } from './format.js'
import { biocJson } from './formats/bioc_json.js'
import { biocXml } from './formats/bioc_xml.js'
import { brat } from './formats/brat.js'
import { jsonl } from './formats/jsonl.js'
import { pubmedXml } from './formats/pubmed_xml.js'
import { pubtator } from './formats/pubtator.js'
import { text } from './formats/text.js'

export const documentFormats: readonly DocumentFormat[] = [
  pubmedXml,
  biocXml,
  biocJson,
  pubtator,
  jsonl,
  text,
  brat,
]

export const readable = documentFormats.filter(({ reader }) => reader !== undefined)
export const writable = documentFormats.filter(({ writer }) => writer !== undefined)

/** Bytes of a file that tell what it is, at most. */
export const HEAD_BYTES = 4096

/** The format of a file of this name (without .gz) and these first bytes; undefined where none claims it. */
export function detectFormat(name: string, head: Uint8Array): DocumentFormat | undefined {
  return readable.find(({ recognises }) => recognises?.(name, head))
}

/** The format of that name. */
export function formatNamed(name: string): DocumentFormat | undefined {
  return documentFormats.find((format) => format.name === name)
}
