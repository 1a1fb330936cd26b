/**
 * Text normalisers, applied to one token of the input at a time (a stretch between ASCII white space) and
 * answering with the words in it: ALBERT's (NFKD, combining marks dropped, lower-cased, then SentencePiece's
 * character map) and BERT's (control characters dropped, CJK characters and punctuation set apart).
 * Both are local to a token, which is what makes the word cache of the tokenizer exact.
 * Source: google-research/albert tokenization.py; huggingface/tokenizers BertNormalizer.
 */
import type { CharsMap } from './charsmap.js'

export interface Normalizer {
  /** The words of a token after normalisation; empty where nothing is left of it. */
  words(token: string): string[]
  /** What becomes of a token of printable ASCII: 'lower' or 'same'; undefined where only `words` knows. */
  ascii?: 'lower' | 'same'
}

/** One step of an ALBERT-like normaliser, in the order of tokenizer.json. */
export type NormalizerStep =
  | { type: 'Replace'; from: string; to: string }
  | { type: 'NFKD' | 'NFKC' | 'NFC' | 'NFD' | 'StripAccents' | 'Lowercase' }
  | { type: 'Precompiled'; map: CharsMap }

/** What Python's str.split() takes for white space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts these as white space.
const PYTHON_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u
const MARK = /\p{M}/gu
const IOTA_SUBSCRIPT = '\u0345'

/**
 * Whether a character has a canonical combining class other than 0 (Python's unicodedata.combining). A mark of
 * lower class is moved before the iota subscript, which has the highest class there is.
 */
function combines(mark: string): boolean {
  if (mark === IOTA_SUBSCRIPT) return true
  const after = IOTA_SUBSCRIPT + mark
  return after.normalize('NFD') !== after
}

const combining = new Map<string, boolean>()

/** Drops every character of non-zero combining class; `text` is decomposed already. */
export function stripCombining(text: string): string {
  return text.replace(MARK, (mark) => {
    let drop = combining.get(mark)
    if (drop === undefined) {
      drop = combines(mark)
      combining.set(mark, drop)
    }
    return drop ? '' : mark
  })
}

/** ALBERT's normaliser from its steps. */
export function unigramNormalizer(steps: NormalizerStep[]): Normalizer {
  const plain = steps.every(
    (step) => step.type !== 'Replace' && (step.type !== 'Precompiled' || step.map.keepsAscii),
  )
  const lower = steps.some((step) => step.type === 'Lowercase')
  const words = (token: string): string[] => {
    let text = token.split(PYTHON_SPACE).join(' ')
    for (const step of steps) {
      if (step.type === 'Replace') text = text.replaceAll(step.from, step.to)
      else if (step.type === 'StripAccents') text = stripCombining(text)
      else if (step.type === 'Lowercase') text = text.toLowerCase()
      else if (step.type === 'Precompiled') text = step.map.apply(text)
      else text = text.normalize(step.type)
    }
    return text.split(' ').filter((word) => word !== '')
  }
  return plain ? { words, ascii: lower ? 'lower' : 'same' } : { words }
}

export interface BertOptions {
  cleanText: boolean
  chineseCharacters: boolean
  stripAccents: boolean
  lowercase: boolean
}

const BERT_DROPPED = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: white space for Rust's char::is_whitespace.
const BERT_SPACE = /[\t\n\r\p{Zs}\u2028\u2029\x0b\x0c\x85]+/u
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu
const BERT_PUNCTUATION = /([!-/:-@[-`{-~]|\p{P})/u

/** BERT's normaliser and pre-tokeniser: words and punctuation marks. */
export function bertNormalizer(options: BertOptions): Normalizer {
  const words = (token: string): string[] => {
    let text = token
    if (options.cleanText) text = text.replace(BERT_DROPPED, '')
    if (options.chineseCharacters) text = text.replace(CHINESE, ' $& ')
    if (options.stripAccents) text = text.normalize('NFD').replace(/\p{Mn}/gu, '')
    if (options.lowercase) text = text.toLowerCase()
    return text
      .split(BERT_SPACE)
      .flatMap((part) => part.split(BERT_PUNCTUATION))
      .filter((word) => word !== '')
  }
  return { words }
}
