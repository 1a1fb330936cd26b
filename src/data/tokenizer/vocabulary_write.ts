/**
 * Writes a vocabulary folder, whole or not at all: tokenizer.json (what Hugging Face's tokenizers load) and tokenizer_config.json
 * (special pieces and the project's own option `digit_comma`). Pieces under the digit-comma rule carry
 * Hugging Face's penalty of 100, so that its fast tokenizer avoids them too; reading takes it off again.
 */
import { join } from 'node:path'
import { folderAtomicSync, writeSynced } from '../../files.js'
import { DIGIT_COMMA_PENALTY, endsInDigitComma, METASPACE } from './tokenizer_json.js'

export const ALBERT_SPECIAL = ['<pad>', '<unk>', '[CLS]', '[SEP]', '[MASK]']
export const BERT_SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']

export interface UnigramVocabulary {
  /** Pieces in id order, with log probabilities. */
  pieces: { piece: string; score: number }[]
  /** Contents of the special pieces: pad, unk, cls, sep, mask. */
  special: string[]
  /** SentencePiece's precompiled character map; empty for none. */
  charsmap: Uint8Array
  digitComma: boolean
  lowercase: boolean
}

/** Writes a unigram vocabulary with ALBERT's normaliser to `dir`. */
export function writeUnigram(dir: string, vocabulary: UnigramVocabulary): void {
  const { pieces, special, charsmap, digitComma, lowercase } = vocabulary
  const normalizers: object[] = [{ type: 'NFKD' }, { type: 'StripAccents' }]
  if (lowercase) normalizers.push({ type: 'Lowercase' })
  if (charsmap.length > 0) {
    normalizers.push({ type: 'Precompiled', precompiled_charsmap: Buffer.from(charsmap).toString('base64') })
  }
  const metaspace = { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'always', split: true }
  const idOf = new Map(pieces.map(({ piece }, id) => [piece, id]))
  write(dir, special, idOf, {
    normalizer: { type: 'Sequence', normalizers },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: idOf.get(special[1]),
      vocab: pieces.map(({ piece, score }) => [
        piece,
        digitComma && endsInDigitComma(piece) ? score - DIGIT_COMMA_PENALTY : score,
      ]),
      byte_fallback: false,
    },
    options: { digit_comma: digitComma, do_lower_case: lowercase },
  })
}

/** Writes a WordPiece vocabulary (pieces in id order) with BERT's normaliser to `dir`. */
export function writeWordPiece(dir: string, pieces: string[], lowercase: boolean): void {
  const idOf = new Map(pieces.map((piece, id) => [piece, id]))
  write(dir, BERT_SPECIAL, idOf, {
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 200,
      vocab: Object.fromEntries(idOf),
    },
    options: { digit_comma: false, do_lower_case: lowercase },
  })
}

interface Parts {
  normalizer: object
  pre_tokenizer: object
  decoder: object
  model: object
  options: object
}

function write(dir: string, special: string[], idOf: Map<string, number>, parts: Parts): void {
  const { normalizer, pre_tokenizer, decoder, model, options } = parts
  const [pad, unk, cls, sep, mask] = special
  const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const text = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  const single = [token(cls, 0), text('A', 0), token(sep, 0)]
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: idOf.get(content),
      content,
      single_word: false,
      lstrip: content === mask,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer,
    pre_tokenizer,
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, text('B', 1), token(sep, 1)],
      special_tokens: Object.fromEntries(
        [cls, sep].map((content) => [content, { id: content, ids: [idOf.get(content)], tokens: [content] }]),
      ),
    },
    decoder,
    model,
  }
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 512,
    pad_token: pad,
    unk_token: unk,
    cls_token: cls,
    sep_token: sep,
    mask_token: mask,
    ...options,
  }
  folderAtomicSync(dir, (temporary) => {
    writeSynced(join(temporary, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
    writeSynced(join(temporary, 'tokenizer.json'), `${JSON.stringify(tokenizer)}\n`)
  })
}
