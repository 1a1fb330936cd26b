/** The formats of pretraining text, in the order in which a file is offered to them; plain text takes what the others leave. */
import type { CorpusFormat } from '../format.js'
import { jats } from './jats.js'
import { jsonLines } from './json_lines.js'
import { medline } from './medline.js'
import { notesCsv } from './notes_csv.js'
import { pubmedXml } from './pubmed_xml.js'
import { text } from './text.js'

export const formats: readonly CorpusFormat[] = [pubmedXml, jats, medline, notesCsv, jsonLines, text]

export function formatNamed(name: string): CorpusFormat | undefined {
  return formats.find((format) => format.name === name)
}

/** The format of a file by its name and first bytes; undefined where none takes it. */
export function recognise(name: string, head: Uint8Array): CorpusFormat | undefined {
  return formats.find((format) => format.recognises(name, head))
}
