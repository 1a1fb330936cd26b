/**
 * Citations out of the running text of an article. The reader of the markup leaves each between CITED and CITED_END: empty where it is a
 * number, with its words where it has some. Here whole brackets of citations go (`[1, 3-5]`, `(see Smith et al. 2010; Doe 2011)`), numbers
 * go wherever they stand, and words stay where they are part of a sentence (`Smith et al. (2010) showed`).
 */
import { CITED, CITED_END } from '../../files/xml_inline.js'

const one = `${CITED}[^${CITED}${CITED_END}]*${CITED_END}`
const number = `${CITED}${CITED_END}`
// no full stops here: they are among the marks, and what can be read in two ways takes exponential time
const words =
  '(?:also|see|e\\.?g|i\\.?e|cf|for|example|reviewed|review|reviews|in|by|refs?|references?|and|or|from|therein|the|as|described|reported|previously)'
const between = `(?:[\\s,;:.&/\u2010-\u2015\u2212-]|${words}(?![\\p{L}\\d]))`
const inside = `${between}*${one}(?:${between}|${one})*`
/** A bracket with nothing but citations and the small words around them. */
const bracket = new RegExp(`\\[${inside}\\]|\\(${inside}\\)`, 'giu')
const marks = '[\\s,;\u2010-\u2015\u2212-]'
/** In this order, on text whose white space is single spaces. */
const rules: readonly [RegExp, string][] = [
  [bracket, number],
  // brackets in brackets
  [bracket, number],
  // numbers in a row without brackets: `.1,2` of superscripts
  [new RegExp(`${number}(?:${marks}*${number})+`, 'gu'), number],
  // at an edge of a bracket that holds more
  [new RegExp(`(?<=[[(]) ?${number} ?[,;]? ?`, 'gu'), ''],
  [new RegExp(` ?[,;]? ?${number} ?(?=[\\])])`, 'gu'), ''],
  // `et al. [7].`
  [new RegExp(`\\. ?${number} ?\\.`, 'gu'), '.'],
  [new RegExp(` ${number}(?=[ .,;:?!)\\]]|$)`, 'gu'), ''],
  [new RegExp(`${number}`, 'gu'), ''],
  // words that are part of a sentence
  [new RegExp(`[${CITED}${CITED_END}]`, 'gu'), ''],
]

/** `text` has single spaces for white space. */
export function withoutCitations(text: string): string {
  if (!text.includes(CITED)) return text
  return rules.reduce((left, [mark, instead]) => left.replace(mark, instead), text)
}

/** Whether a reference is cited by number (or by a mark), not by words. */
export function isNumberCitation(text: string): boolean {
  return !/\p{L}{2}/u.test(text)
}

/** Whether a superscript is nothing but citations. */
export function isOnlyCitations(text: string): boolean {
  return (
    text.includes(CITED) &&
    /^[\s,;()[\]\u2010-\u2015\u2212-]*$/u.test(text.replace(new RegExp(one, 'gu'), ''))
  )
}
