/**
 * Text to piece ids. `tokenizer.json` of Hugging Face in, ids of the original implementations out: for ALBERT
 * those of SentencePiece after ALBERT's normalisation, digit-comma rule included, to the last tie.
 *
 * Text is cut at ASCII white space into tokens; a token's ids depend on nothing else (normalisation and
 * segmentation are local to it), so they are kept in a cache keyed by its raw bytes and most of the work is one
 * hash and one copy per token. The exception, two segmentations of nearly equal score, is redone by line.
 */
import { createHash } from 'node:crypto'
import type { VocabularyFiles } from './tokenizer_json.js'
import { endsInDigitComma, METASPACE, readVocabulary, type SpecialIds } from './tokenizer_json.js'
import { Unigram } from './unigram.js'
import { WordCache } from './word_cache.js'
import { startsWord } from './word_start.js'
import { WordPiece } from './wordpiece.js'

/** Piece ids that grow at the end: ids are data[0..length). */
export class IdBuffer {
  data = new Int32Array(1 << 12)
  length = 0

  reserve(more: number): void {
    if (this.length + more <= this.data.length) return
    const larger = new Int32Array(Math.max(this.length + more, 2 * this.data.length))
    larger.set(this.data.subarray(0, this.length))
    this.data = larger
  }

  push(ids: number[]): void {
    this.reserve(ids.length)
    for (const id of ids) this.data[this.length++] = id
  }
}

export class Tokenizer {
  /** Number of pieces V. */
  readonly size: number
  readonly special: SpecialIds
  readonly pieces: string[]
  /** [V] 1 where a piece starts a word, for whole-word masking. */
  readonly startsWord: Uint8Array
  /** SHA-256 of all that decides ids (pieces, scores, options); kept with shards and checkpoints. */
  readonly digest: string

  private readonly files: VocabularyFiles
  private readonly unigram?: Unigram
  private readonly wordPiece?: WordPiece
  /** Digit-comma rule: id of a piece such as `▁2000,` -> the ids that stand for it. */
  private readonly commaIds = new Map<number, number[]>()
  private readonly wordsAreIndependent: boolean
  private readonly cache = new WordCache()
  private readonly encoder = new TextEncoder()
  private scratch = new Uint8Array(1 << 10)

  private constructor(files: VocabularyFiles) {
    this.files = files
    this.pieces = files.pieces
    this.size = files.pieces.length
    this.special = files.special
    this.startsWord = startsWord(files)
    this.digest = digestOf(files)
    this.wordsAreIndependent =
      files.kind === 'wordpiece' ||
      (files.pieces.includes(METASPACE) && !files.pieces.some((piece) => piece.lastIndexOf(METASPACE) > 0))
    if (files.kind === 'unigram') {
      this.unigram = new Unigram(files.unigram, files.special.unk)
      if (files.digitComma) this.fillCommaIds()
    } else {
      const { prefix, maxCharacters } = files.wordpiece
      this.wordPiece = new WordPiece(files.pieces, files.special.unk, prefix, maxCharacters)
    }
  }

  /** Loads DIR/tokenizer.json and its options in DIR/tokenizer_config.json. */
  static load(dir: string): Tokenizer {
    return new Tokenizer(readVocabulary(dir))
  }

  /** Ids of a text, without special pieces. */
  encode(text: string): Int32Array {
    const bytes = this.encoder.encode(text)
    const out = new IdBuffer()
    this.encodeBytes(bytes, 0, bytes.length, out)
    return out.data.slice(0, out.length)
  }

  encodeBatch(texts: string[]): Int32Array[] {
    return texts.map((text) => this.encode(text))
  }

  /**
   * Ids of words given apart, each encoded as if white space stood before it; `wordOf[i]` is the index of the
   * word of `ids[i]`. Every word has at least one piece, the unknown one where normalisation leaves nothing.
   */
  encodeWords(words: string[]): { ids: Int32Array; wordOf: Int32Array } {
    const ids: number[] = []
    const wordOf: number[] = []
    words.forEach((word, index) => {
      const pieces = this.encode(word)
      if (pieces.length === 0) ids.push(this.special.unk)
      for (const id of pieces) ids.push(id)
      while (wordOf.length < ids.length) wordOf.push(index)
    })
    return { ids: Int32Array.from(ids), wordOf: Int32Array.from(wordOf) }
  }

  /** Appends the ids of one line, bytes[start..end) in UTF-8, to `out`. */
  encodeBytes(bytes: Uint8Array, start: number, end: number, out: IdBuffer): void {
    const { cache } = this
    const first = out.length
    if (!this.wordsAreIndependent) {
      out.push(this.segmentLine(bytes, start, end))
      return
    }
    let at = start
    for (;;) {
      while (at < end && isSpace(bytes[at])) at++
      if (at >= end) return
      const from = at
      let hash = 0x811c9dc5
      while (at < end && !isSpace(bytes[at])) hash = Math.imul(hash ^ bytes[at++], 0x01000193)
      hash ^= hash >>> 15
      let value = cache.find(bytes, from, at, hash)
      if (value < 0) value = this.remember(bytes, from, at, hash)
      const count = cache.values[value]
      if (count < 0) {
        out.length = first
        out.push(this.segmentLine(bytes, start, end))
        return
      }
      out.reserve(count)
      const { values } = cache
      const { data } = out
      let to = out.length
      for (let i = 1; i <= count; i++) data[to++] = values[value + i]
      out.length = to
    }
  }

  /** The words of a text after normalisation, as segmentation sees them (for training and tests). */
  normalizedWords(text: string): string[] {
    return text
      .split(/[\t-\r\x1c-\x20]+/)
      .flatMap((token) => (token === '' ? [] : this.files.normalizer(token)))
  }

  private remember(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const token = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
    const ids: number[] = []
    let close = false
    for (const word of this.files.normalizer(token)) {
      const from = ids.length
      this.segment(word, ids)
      close ||= this.unigram?.close === true
      this.splitCommas(ids, from)
    }
    return this.cache.insert(bytes, start, end, hash, ids, close)
  }

  private segment(word: string, out: number[]): void {
    const text = this.unigram ? METASPACE + word : word
    if (this.scratch.length < 3 * text.length) this.scratch = new Uint8Array(6 * text.length)
    const { written } = this.encoder.encodeInto(text, this.scratch)
    if (this.unigram) this.unigram.segment(this.scratch, written, out)
    else this.wordPiece?.segment(this.scratch, written, out)
  }

  /** A whole line at once, with the sums of scores running through it as they do in SentencePiece. */
  private segmentLine(bytes: Uint8Array, start: number, end: number): number[] {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
    const ids: number[] = []
    const words = this.normalizedWords(text)
    if (words.length > 0) this.segment(words.join(METASPACE), ids)
    this.splitCommas(ids, 0)
    return ids
  }

  private splitCommas(ids: number[], from: number): void {
    if (this.commaIds.size === 0) return
    for (let i = from; i < ids.length; i++) {
      const instead = this.commaIds.get(ids[i])
      if (instead === undefined) continue
      ids.splice(i, 1, ...instead)
      i += instead.length - 1
    }
  }

  private fillCommaIds(): void {
    const { pieces } = this
    const idOf = new Map(pieces.map((piece, id) => [piece, id]))
    const unknown = this.special.unk
    const comma = idOf.get(',') ?? unknown
    pieces.forEach((piece, id) => {
      if (!endsInDigitComma(piece)) return
      const ids: number[] = []
      this.segment(piece.slice(0, -1).replaceAll(METASPACE, ''), ids)
      const head = ids[0] === unknown ? '' : pieces[ids[0]]
      if (!piece.startsWith(METASPACE) && head.startsWith(METASPACE)) {
        if (head === METASPACE) ids.shift()
        else ids[0] = idOf.get(head.slice(METASPACE.length)) ?? unknown
      }
      this.commaIds.set(id, [...ids, comma])
    })
  }
}

/** ASCII white space as Python's str.split() knows it. */
function isSpace(byte: number): boolean {
  return byte <= 32 && (byte >= 28 || (byte >= 9 && byte <= 13))
}

function digestOf(files: VocabularyFiles): string {
  const hash = createHash('sha256')
  hash.update(`${files.kind}\n${files.digitComma}\n${JSON.stringify(files.special)}\n`)
  hash.update(files.pieces.join('\n'))
  hash.update(Float64Array.from(files.unigram, ({ score }) => score))
  return hash.digest('hex')
}
