/** The parser of a corpus format in XML: records as trees, of each of which the format makes documents and dropped records. */
import { type XmlDefect, type XmlOptions, type XmlRecord, XmlRecords } from '../../files/xml.js'
import type { CorpusParser, CorpusRecord } from '../format.js'

export class XmlCorpusParser implements CorpusParser {
  readonly #xml: XmlRecords

  constructor(
    options: XmlOptions,
    private readonly take: (record: XmlRecord) => readonly CorpusRecord[],
  ) {
    this.#xml = new XmlRecords(options)
  }

  write(bytes: Uint8Array): readonly CorpusRecord[] {
    return this.#taken(this.#xml.write(bytes))
  }

  end(): readonly CorpusRecord[] {
    return this.#taken(this.#xml.end())
  }

  #taken(found: readonly (XmlRecord | XmlDefect)[]): CorpusRecord[] {
    return found.flatMap((record) => {
      if (record.kind === 'element') return this.take(record)
      const { reason, byte, detail } = record
      return [{ kind: 'dropped', reason, byte, detail }]
    })
  }
}
