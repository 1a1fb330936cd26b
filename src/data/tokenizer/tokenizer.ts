/**
 * Text to piece ids. `tokenizer.json` of Hugging Face in, ids of the original implementations out: for ALBERT
 * those of SentencePiece after ALBERT's normalisation, digit-comma rule included, to the last tie.
 *
 * Text is cut at ASCII white space into tokens; a token's ids depend on nothing else (normalisation and
 * segmentation are local to it), so they are kept in a cache keyed by its raw bytes and most of the work is one
 * hash and one copy per token. The exception, two segmentations of nearly equal score, is redone by line. Needs nothing
 * of Node; tokenizer_node.ts has folders.
 */
import { PieceAligner, type PieceOffsets } from './offsets.js'
import {
  decisiveBytes,
  endsInDigitComma,
  METASPACE,
  type NamedText,
  parseVocabulary,
  type SpecialIds,
  type VocabularyFiles,
} from './tokenizer_json.js'
import { Unigram } from './unigram.js'
import { WordCache } from './word_cache.js'
import { startsWord } from './word_start.js'
import { WordPiece } from './wordpiece.js'

/** A byte order mark within a text is a character. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const METASPACE_BYTES = new TextEncoder().encode(METASPACE)
// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators that Python counts as white space.
const ASCII_SPACE = /[\t-\r\x1c-\x20]+/

/** Flags of a cached token: nearly equal segmentations, merged unknowns, a piece under the digit-comma rule. */
const CLOSE = 1
const MERGED = 2
const HAS_COMMA = 4

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
  private aligner?: PieceAligner

  /** `digest` is that of `decisiveBytes(files)`, as hexadecimal digits. */
  constructor(files: VocabularyFiles, digest: string) {
    this.files = files
    this.pieces = files.pieces
    this.size = files.pieces.length
    this.special = files.special
    this.startsWord = startsWord(files)
    this.digest = digest
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

  /** From the text of a tokenizer.json and, where there is one, of the tokenizer_config.json beside it. */
  static async parse(tokenizer: NamedText, options?: NamedText): Promise<Tokenizer> {
    const files = parseVocabulary(tokenizer, options)
    const hash = await crypto.subtle.digest('SHA-256', decisiveBytes(files))
    const digits = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0'))
    return new Tokenizer(files, digits.join(''))
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

  /** Ids of a text as `encode` gives them, and where in it each stands. */
  encodeOffsets(text: string): PieceOffsets {
    this.aligner ??= new PieceAligner(this.files)
    return this.aligner.align(text, this.encode(text))
  }

  /** Appends the ids of one line, bytes[start..end) in UTF-8, to `out`. */
  encodeBytes(bytes: Uint8Array, start: number, end: number, out: IdBuffer): void {
    const { cache } = this
    const first = out.length
    let flags = 0
    let at = start
    if (!this.wordsAreIndependent) {
      flags = HAS_COMMA
      this.segmentLine(bytes, start, end, out)
      at = end
    }
    for (;;) {
      while (at < end && isSpace(bytes[at])) at++
      if (at >= end) break
      const from = at
      let hash = 0x811c9dc5
      while (at < end && !isSpace(bytes[at])) hash = Math.imul(hash ^ bytes[at++], 0x01000193)
      hash ^= hash >>> 15
      let value = cache.find(bytes, from, at, hash)
      if (value < 0) value = this.remember(bytes, from, at, hash)
      const { values } = cache
      const head = values[value]
      flags |= head & 7
      if (head & CLOSE) {
        if (flags & MERGED) {
          out.length = first
          this.segmentLine(bytes, start, end, out)
          flags |= HAS_COMMA
          break
        }
        this.segmentInLine(bytes, from, at, out, first)
        continue
      }
      const count = head >> 3
      if (out.length + count > out.data.length) out.reserve(count)
      const { data } = out
      let to = out.length
      for (let i = 1; i <= count; i++) data[to++] = values[value + i]
      out.length = to
    }
    if (flags & HAS_COMMA && this.commaIds.size > 0) this.splitCommas(out, first)
  }

  /** The words of a text after normalisation, as segmentation sees them (for training and tests). */
  normalizedWords(text: string): string[] {
    return text
      .split(ASCII_SPACE)
      .flatMap((token) => (token === '' ? [] : this.files.normalizer.words(token)))
  }

  /** Segments a token for the first time and keeps what came out. */
  private remember(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const ids: number[] = []
    let flags = 0
    if (this.lowerAscii(bytes, start, end)) {
      this.unigram?.segment(this.scratch, end - start + 3, ids)
      flags = this.flags()
    } else {
      for (const word of this.files.normalizer.words(textOf(bytes, start, end))) {
        this.segment(word, ids, 0)
        flags |= this.flags()
      }
    }
    for (const id of ids) if (this.commaIds.has(id)) flags |= HAS_COMMA
    return this.cache.insert(bytes, start, end, hash, ids, flags)
  }

  private flags(): number {
    return (this.unigram?.close ? CLOSE : 0) | (this.unigram?.merged ? MERGED : 0)
  }

  /** Writes a token of printable ASCII to the scratch as a normalised word; false where it is something else. */
  private lowerAscii(bytes: Uint8Array, start: number, end: number): boolean {
    const { ascii } = this.files.normalizer
    if (ascii === undefined || !this.unigram) return false
    this.reserveScratch(end - start + 3)
    const { scratch } = this
    scratch.set(METASPACE_BYTES)
    for (let i = start; i < end; i++) {
      const byte = bytes[i]
      if (byte < 0x21 || byte > 0x7e) return false
      scratch[i - start + 3] = ascii === 'lower' && byte >= 65 && byte <= 90 ? byte + 32 : byte
    }
    return true
  }

  private segment(word: string, out: number[], prefix: number): void {
    const text = this.unigram ? METASPACE + word : word
    this.reserveScratch(3 * text.length)
    const { written } = this.encoder.encodeInto(text, this.scratch)
    if (this.unigram) this.unigram.segment(this.scratch, written, out, prefix)
    else this.wordPiece?.segment(this.scratch, written, out)
  }

  private reserveScratch(length: number): void {
    if (this.scratch.length < length) this.scratch = new Uint8Array(2 * length)
  }

  /** A token with nearly equal segmentations: the rounding of its line's score decides. */
  private segmentInLine(bytes: Uint8Array, start: number, end: number, out: IdBuffer, first: number): void {
    for (const word of this.files.normalizer.words(textOf(bytes, start, end))) {
      const ids: number[] = []
      this.segment(word, ids, this.unigram?.score(out.data, first, out.length) ?? 0)
      out.push(ids)
    }
  }

  /** A whole line at once. */
  private segmentLine(bytes: Uint8Array, start: number, end: number, out: IdBuffer): void {
    const ids: number[] = []
    const words = this.normalizedWords(textOf(bytes, start, end))
    if (words.length > 0) this.segment(words.join(this.unigram ? METASPACE : ' '), ids, 0)
    out.push(ids)
  }

  private splitCommas(out: IdBuffer, first: number): void {
    const ids: number[] = []
    for (const id of out.data.subarray(first, out.length)) {
      const instead = this.commaIds.get(id)
      if (instead === undefined) ids.push(id)
      else ids.push(...instead)
    }
    out.length = first
    out.push(ids)
  }

  private fillCommaIds(): void {
    const { pieces } = this
    const idOf = new Map(pieces.map((piece, id) => [piece, id]))
    const unknown = this.special.unk
    const comma = idOf.get(',') ?? unknown
    pieces.forEach((piece, id) => {
      if (!endsInDigitComma(piece)) return
      const ids: number[] = []
      this.segment(piece.slice(0, -1).replaceAll(METASPACE, ''), ids, 0)
      const head = ids[0] === unknown ? '' : pieces[ids[0]]
      if (!piece.startsWith(METASPACE) && head.startsWith(METASPACE)) {
        if (head === METASPACE) ids.shift()
        else ids[0] = idOf.get(head.slice(METASPACE.length)) ?? unknown
      }
      this.commaIds.set(id, [...ids, comma])
    })
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end))
}

/** ASCII white space as Python's str.split() knows it. */
function isSpace(byte: number): boolean {
  return byte <= 32 && (byte >= 28 || (byte >= 9 && byte <= 13))
}
