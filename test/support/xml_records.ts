/** The records and defects of XML that is handed over in pieces of `step` bytes. */
import { type XmlDefect, type XmlOptions, type XmlRecord, XmlRecords } from '../../src/data/files/xml.js'

/** Records are the elements A where nothing else is said. */
export function readXml(
  bytes: Uint8Array | string,
  options: XmlOptions = { records: ['A'] },
  step = Number.POSITIVE_INFINITY,
): (XmlRecord | XmlDefect)[] {
  const all = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  const records = new XmlRecords(options)
  const out: (XmlRecord | XmlDefect)[] = []
  for (let at = 0; at < all.length; at += step) out.push(...records.write(all.slice(at, at + step)))
  return [...out, ...records.end()]
}
