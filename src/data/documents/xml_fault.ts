/** A defect of an XML file as a fault: found and expected apart. */
import type { XmlDefect } from '../files/xml.js'
import type { Fault } from './format.js'

export function xmlFault({ byte, detail }: XmlDefect): Fault {
  const at = detail.lastIndexOf(', expected ')
  if (at < 0) return { byte, found: detail, expected: 'well-formed XML' }
  return {
    byte,
    found: detail.slice(0, at).replace(/^found /, ''),
    expected: detail.slice(at + ', expected '.length),
  }
}
