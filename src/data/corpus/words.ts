/**
 * Words of raw text as the released biomedical NER files have them: a run of letters and digits is one word,
 * every other visible character is a word of its own (`alpha-2b` is `alpha`, `-`, `2b`; `0.5` is three words).
 * Combining marks, joiners and soft hyphens stay in the word that they follow; other control and format
 * characters separate words and belong to none. Used by `predict` and the synthetic data.
 */

/** A word and where it stands: `text.slice(start, end)`, offsets in UTF-16 units of the original text. */
export interface Word {
  text: string
  start: number
  end: number
}

const word = /[\p{L}\p{N}][\p{L}\p{N}\p{M}\u00ad\u200c\u200d]*|[^\s\p{Cc}\p{Cf}]/gu

/** The words of a text in order; empty for a text without a visible character. */
export function splitWords(text: string): Word[] {
  const words: Word[] = []
  for (const match of text.matchAll(word)) {
    words.push({ text: match[0], start: match.index, end: match.index + match[0].length })
  }
  return words
}
