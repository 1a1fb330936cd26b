/**
 * Unigram segmentation, exactly as SentencePiece does it: the path of highest summed log probability, sums kept
 * in f32 from left to right, the earlier start winning among equals.
 *   best(end) = max over pieces [start, end) of best(start) + score(piece); an unknown character costs min - 10.
 * Because sums are rounded, two segmentations of (nearly) equal score may change places with what stands before
 * them: such words are reported as close, and the tokenizer segments their whole line at once.
 * Source: sentencepiece/src/unigram_model.cc (EncodeOptimized), sentencepiece_processor.cc (runs of unknowns).
 */
import { characterLength } from './charsmap.js'
import { PieceTrie } from './piece_trie.js'

/** Scores nearer than this may be reordered by the rounding of sums down to about -16,000. */
const CLOSE = 0.02
const UNKNOWN_PENALTY = 10

export interface UnigramPiece {
  piece: string
  score: number
  /** Whether the piece takes part in segmentation; special pieces (`[CLS]`, `<unk>`) do not. */
  ordinary: boolean
}

export class Unigram {
  private readonly trie: PieceTrie
  private readonly scores: Float64Array
  private readonly unknownScore: number
  private best = new Float32Array(256)
  private starts = new Int32Array(256)
  private ids = new Int32Array(256)
  private gaps = new Float32Array(256)
  /** Whether another segmentation of the last word came close to the chosen one. */
  close = false
  /** Whether a run of unknown characters was merged in the last word. */
  merged = false

  constructor(
    pieces: UnigramPiece[],
    readonly unknownId: number,
  ) {
    const encoder = new TextEncoder()
    const keys: Uint8Array[] = []
    const ids: number[] = []
    let least = Number.POSITIVE_INFINITY
    pieces.forEach(({ piece, score, ordinary }, id) => {
      if (!ordinary) return
      keys.push(encoder.encode(piece))
      ids.push(id)
      least = Math.min(least, score)
    })
    this.scores = Float64Array.from(pieces, ({ score }) => score)
    this.trie = new PieceTrie(keys, ids)
    this.unknownScore = Math.fround(least - UNKNOWN_PENALTY)
  }

  /**
   * Appends the ids of bytes[0..length) (UTF-8, white space written as the metaspace) to `out`; `prefix` is the
   * score of what stands before it in the line.
   */
  segment(bytes: Uint8Array, length: number, out: number[], prefix = 0): void {
    this.close = false
    this.merged = false
    if (length === 0) return
    if (this.best.length <= length) this.grow(length + 1)
    const { trie, scores, best, starts, ids, gaps } = this
    starts.fill(-1, 0, length + 1)
    best[0] = prefix
    for (let start = 0; start < length; ) {
      const till = best[start]
      const next = Math.min(length, start + characterLength(bytes[start]))
      let single = false
      let node = trie.step(0, bytes[start])
      for (let end = start + 1; node !== -1; end++) {
        const id = trie.ids[node]
        if (id !== -1) {
          this.offer(start, end, id, Math.fround(scores[id] + till))
          if (end === next) single = true
        }
        if (end === length) break
        node = trie.step(node, bytes[end])
      }
      if (!single) this.offer(start, next, this.unknownId, Math.fround(this.unknownScore + till))
      start = next
    }
    const from = out.length
    for (let end = length; end > 0; end = starts[end]) {
      out.push(ids[end])
      if (gaps[end] < CLOSE) this.close = true
    }
    for (let i = from, j = out.length - 1; i < j; i++, j--) {
      const held = out[i]
      out[i] = out[j]
      out[j] = held
    }
    this.mergeUnknowns(out, from)
  }

  private offer(start: number, end: number, id: number, score: number): void {
    const { best, starts, gaps } = this
    if (starts[end] === -1) {
      gaps[end] = Number.POSITIVE_INFINITY
    } else if (score > best[end]) {
      gaps[end] = score - best[end]
    } else {
      gaps[end] = Math.min(gaps[end], best[end] - score)
      return
    }
    best[end] = score
    starts[end] = start
    this.ids[end] = id
  }

  /** A run of unknown characters is one unknown piece. */
  private mergeUnknowns(out: number[], from: number): void {
    let kept = from
    for (let i = from; i < out.length; i++) {
      if (i > from && out[i] === this.unknownId && out[i - 1] === this.unknownId) continue
      out[kept++] = out[i]
    }
    this.merged = kept < out.length
    out.length = kept
  }

  /** Score of ids[from..to) in the order of a line, rounded at every step as segmentation does it. */
  score(ids: Int32Array, from: number, to: number): number {
    let sum = 0
    for (let i = from; i < to; i++) {
      sum = Math.fround(sum + (ids[i] === this.unknownId ? this.unknownScore : this.scores[ids[i]]))
    }
    return sum
  }

  private grow(length: number): void {
    const size = Math.max(length, 2 * this.best.length)
    this.best = new Float32Array(size)
    this.starts = new Int32Array(size)
    this.ids = new Int32Array(size)
    this.gaps = new Float32Array(size)
  }
}
