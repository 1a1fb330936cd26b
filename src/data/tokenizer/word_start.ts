/**
 * Which pieces start a word, for whole-word masking. SentencePiece vocabularies: a piece that begins with the
 * metaspace or `<`, is one punctuation mark, or has a character that is neither a letter a-z nor one of the
 * marks below (digits, `'`, `=`, `>` and non-Latin characters are words of their own). WordPiece: no `##`.
 * Source: google-research/albert create_pretraining_data.py, _is_start_piece_sp and _is_start_piece_bert.
 */
import { METASPACE, type VocabularyFiles } from './tokenizer_json.js'

const MARKS = '!"#$%&()*+,-./:;?@[\\]^_`{|}~'
const INSIDE = new Set(`${MARKS}abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ`)

/** [V] 1 where the piece starts a word. */
export function startsWord(files: VocabularyFiles): Uint8Array {
  const { kind, pieces, wordpiece } = files
  if (kind === 'wordpiece')
    return Uint8Array.from(pieces, (piece) => (piece.startsWith(wordpiece.prefix) ? 0 : 1))
  return Uint8Array.from(pieces, (piece) =>
    piece.startsWith(METASPACE) ||
    piece.startsWith('<') ||
    (piece.length === 1 && MARKS.includes(piece)) ||
    ![...piece].every((character) => INSIDE.has(character))
      ? 1
      : 0,
  )
}
