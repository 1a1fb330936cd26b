/**
 * Running text out of inline markup, so that no two words are glued and none is split. Each element has one of these manners:
 *   word     its text, as it stands (italic, bold, links)
 *   script   a subscript or superscript: H2O, Ca2+, 14C, mm3; but 10^5, since a superscript number behind a digit would read as
 *            another number, and a space where a digit follows a subscript that ends in one (log10 2, but mc2155)
 *   math     MathML on one line: a/b, x^2, sqrt(x); its annotations (TeX) are left out
 *   space    nothing but a space (line breaks, displayed formulae)
 *   drop     nothing
 *   apart    its text with spaces around: of elements that the table does not know
 * A citation that is dropped or kept by what stands around it is left between CITED and its end for the reader's own rules;
 * XML allows neither character.
 */
import type { XmlElement } from './xml_tree.js'

export type Manner = 'word' | 'script' | 'math' | 'space' | 'drop' | 'apart'
/** Manners by name, or the text itself for an element with a rule of its own. Asked once for each element. */
export type Manners = (element: XmlElement) => Manner | { readonly text: string; readonly script?: true }

export const CITED = '\ufffe'
export const CITED_END = '\uffff'

/** Text of an element's inside, white space as it stands. */
export function inlineText(element: XmlElement, manners: Manners): string {
  const { children } = element
  if (children.length === 1 && typeof children[0] === 'string') return children[0]
  const parts: string[] = []
  let last = ''
  let lowered = false
  for (const child of children) {
    const manner = typeof child === 'string' ? undefined : manners(child)
    const part = typeof child === 'string' ? child : childText(child, manner ?? 'drop', manners)
    if (part === '') continue
    const script = manner === 'script' || (typeof manner === 'object' && manner.script === true)
    const raised = script && typeof child !== 'string' && child.name === 'sup'
    if (isDigit(last)) {
      if (raised && /^\s*[-+\u2212\u2013]?\d/.test(part)) parts.push('^')
      else if (lowered && isDigit(part[0])) parts.push(' ')
    }
    parts.push(part)
    last = part[part.length - 1]
    lowered = script && !raised
  }
  return parts.join('')
}

function childText(child: XmlElement, manner: ReturnType<Manners>, manners: Manners): string {
  if (typeof manner === 'object') return manner.text
  if (manner === 'drop') return ''
  if (manner === 'space') return ' '
  if (manner === 'math') return mathText(child)
  const text = inlineText(child, manners)
  return manner === 'apart' ? ` ${text} ` : text
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9' && character.length === 1
}

/** White space that is no single space. */
const spaces = / \s+|[^\S ]\s*/g
/** Soft hyphens, zero-width spaces and joiners: marks for a typesetter. */
const unseen = /[\u00ad\u200b\u2060\ufeff]/g

/** One space for any white space, none at the ends. */
export function tidy(text: string): string {
  return text.replace(unseen, '').replace(spaces, ' ').trim()
}

/* MathML */

const dropped = new Set([
  'annotation',
  'annotation-xml',
  'mphantom',
  'maligngroup',
  'malignmark',
  'none',
  'mprescripts',
])
const spaced = new Set(['mspace', 'mtr', 'mlabeledtr', 'mtd'])

/** A formula on one line. */
export function mathText(element: XmlElement): string {
  const name = element.name.replace(/^.*:/, '')
  if (dropped.has(name)) return ''
  const parts = element.children
    .map((child) => (typeof child === 'string' ? child.trim() : mathText(child)))
    .filter((part) => part !== '')
  const [first = '', second = '', third = ''] = parts
  if (name === 'mfrac' && parts.length === 2) return `${grouped(first)}/${grouped(second)}`
  if (name === 'msup' && parts.length === 2) return `${grouped(first)}^${grouped(second)}`
  if (name === 'msubsup' && parts.length === 3) return `${first}${second}^${grouped(third)}`
  if (name === 'msqrt') return `sqrt(${parts.join('')})`
  if (name === 'mroot' && parts.length === 2) return `${grouped(first)}^(1/${second})`
  if (name === 'mo')
    return parts.join('').length === 1 && /[=<>\u2248-\u226b\u00b1\u00d7+]/.test(first)
      ? ` ${first} `
      : parts.join('')
  const text = parts.join('')
  return spaced.has(name) ? ` ${text} ` : text
}

function grouped(part: string): string {
  return /[\s+*/\u2212-]/.test(part.slice(1)) ? `(${part})` : part
}
