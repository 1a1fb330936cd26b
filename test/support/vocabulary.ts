/** A small vocabulary folder for tests that need one and do not judge it: BERT's pieces for a handful of words. */
const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const words = [
  'the',
  'patient',
  'patients',
  'had',
  'fever',
  'and',
  'cough',
  'was',
  'treated',
  'with',
  '.',
  ',',
]
const characters = [...'abcdefghijklmnopqrstuvwxyz0123456789']

/** The pieces in the order of their ids. */
export const smallPieces = [
  ...specials,
  ...words,
  ...characters,
  ...characters.map((letter) => `##${letter}`),
]

/** The same as a vocab.txt. */
export const smallVocabTxt = `${smallPieces.join('\n')}\n`

/** tokenizer.json of a WordPiece model over these pieces. */
export function smallTokenizerJson(pieces: string[] = smallPieces): string {
  return JSON.stringify({
    version: '1.0',
    added_tokens: specials.map((content, id) => ({ id, content, special: true })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  })
}

/** A corpus of n documents of three sentences over these words. */
export function smallCorpus(documents: number): string {
  const sentences = ['the patient had fever and cough .', 'patients had cough .', 'the patient was treated .']
  return Array.from({ length: documents }, () => `${sentences.join('\n')}\n`).join('\n')
}
