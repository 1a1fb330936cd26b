/**
 * Trains a unigram vocabulary: frequent substrings as seeds, then rounds of expectation maximisation over all
 * segmentations, each followed by dropping the quarter of pieces whose loss the likelihood notices least, until
 * the wanted number is left. Counts become scores by the digamma function (a sparse Dirichlet prior).
 * Source: Kudo, "Subword regularization", ACL 2018, section 3.2; sentencepiece/src/unigram_model_trainer.cc.
 */
import { characterLength } from './charsmap.js'
import { PieceTrie } from './piece_trie.js'

export interface TrainerOptions {
  /** Pieces wanted, special ones not included. */
  size: number
  /** Share of the text's characters that get a piece of their own; the rarest remain unknown. */
  characterCoverage?: number
  /** Longest piece in characters. */
  maxPieceLength?: number
}

/** What a piece may be made of: letters, digits or one other character, the metaspace in front of any. */
export const UNIT = /▁?(?:\p{L}+|\p{N}+|[^\p{L}\p{N}▁])|▁/gu

interface Piece {
  text: string
  score: number
}

/** A unit of text in UTF-8 and how often it occurs. */
export interface Unit {
  bytes: Uint8Array
  count: number
}

const SHRINK = 0.75
const EM_ROUNDS = 2
const LEAST_EXPECTED = 0.5

/** Most pieces that could be had from `units` and the fewest that are needed; see trainUnigram. */
export class VocabularySizeError extends Error {
  constructor(
    readonly size: number,
    readonly least: number,
    readonly most: number,
  ) {
    super(`${size} pieces wanted, between ${least} and ${most} can be had`)
  }
}

/**
 * Pieces with log probabilities, best first; fewer than asked for where the text has no use for more. `units` maps
 * stretches of text (see UNIT) to their counts.
 */
export function trainUnigram(units: Map<string, number>, options: TrainerOptions): Piece[] {
  const { size, characterCoverage = 0.9995, maxPieceLength = 16 } = options
  const characters = coveredCharacters(units, characterCoverage)
  const seeds = seedPieces(units, characters, maxPieceLength, Math.max(100_000, 10 * size))
  if (size < characters.size || size > seeds.length) {
    throw new VocabularySizeError(size, characters.size, seeds.length)
  }
  const encoder = new TextEncoder()
  const words: Unit[] = Array.from(units, ([text, count]) => ({ bytes: encoder.encode(text), count }))
  let pieces = seeds
  for (;;) {
    for (let round = 0; round < EM_ROUNDS; round++) {
      const lattice = new Lattice(pieces)
      pieces = maximise(pieces, lattice.expectedCounts(words), characters)
    }
    const wanted = Math.max(Math.floor(1.1 * size), size)
    if (pieces.length <= wanted) break
    pieces = prune(pieces, words, characters, Math.max(wanted, Math.floor(SHRINK * pieces.length)))
  }
  return finish(pieces, size, characters)
}

/** The characters that get pieces, with their counts: the most frequent ones up to the coverage. */
function coveredCharacters(units: Map<string, number>, coverage: number): Map<string, number> {
  const counts = new Map<string, number>()
  let total = 0
  for (const [text, count] of units) {
    for (const character of text) {
      counts.set(character, (counts.get(character) ?? 0) + count)
      total += count
    }
  }
  const covered = new Map<string, number>()
  let sum = 0
  for (const [character, count] of [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))) {
    if (sum >= coverage * total && character !== '▁') continue
    covered.set(character, count)
    sum += count
  }
  if (!covered.has('▁')) covered.set('▁', 1)
  return covered
}

/**
 * Substrings that occur at least twice, longer ones built on frequent shorter ones, the best `most` by count
 * times length, with log relative frequencies as first scores.
 */
function seedPieces(
  units: Map<string, number>,
  characters: Map<string, number>,
  maxLength: number,
  most: number,
): Piece[] {
  const texts = Array.from(units, ([text, count]) => ({ characters: [...text], count }))
  const found: { text: string; count: number; length: number }[] = []
  let shorter = new Set(characters.keys())
  for (let length = 2; length <= maxLength && shorter.size > 0; length++) {
    const counts = new Map<string, number>()
    for (const { characters: unit, count } of texts) {
      for (let at = 0; at + length <= unit.length; at++) {
        const head = unit.slice(at, at + length - 1).join('')
        if (!shorter.has(head) || !characters.has(unit[at + length - 1])) continue
        const text = head + unit[at + length - 1]
        counts.set(text, (counts.get(text) ?? 0) + count)
      }
    }
    shorter = new Set()
    for (const [text, count] of counts) {
      if (count < 2) continue
      shorter.add(text)
      found.push({ text, count, length })
    }
  }
  found.sort((a, b) => b.count * b.length - a.count * a.length || (a.text < b.text ? -1 : 1))
  const singles = Array.from(characters, ([text, count]) => ({ text, count, length: 1 }))
  const seeds = [...singles, ...found.slice(0, Math.max(0, most - singles.length))]
  const total = seeds.reduce((sum, { count, length }) => sum + count * length, 0)
  return seeds.map(({ text, count, length }) => ({ text, score: Math.log((count * length) / total) }))
}

/** Scores from expected counts; pieces that are hardly used go, characters stay. */
function maximise(pieces: Piece[], expected: Float64Array, characters: Map<string, number>): Piece[] {
  const kept: { text: string; count: number }[] = []
  let total = 0
  pieces.forEach(({ text }, i) => {
    const needed = characters.has(text)
    if (expected[i] < LEAST_EXPECTED && !needed) return
    const count = Math.max(expected[i], LEAST_EXPECTED)
    kept.push({ text, count })
    total += count
  })
  const whole = digamma(total)
  return kept.map(({ text, count }) => ({ text, score: digamma(count) - whole }))
}

/** Keeps the `most` pieces whose removal would cost most likelihood; characters always stay. */
function prune(pieces: Piece[], words: Unit[], characters: Map<string, number>, most: number): Piece[] {
  const lattice = new Lattice(pieces)
  const used = lattice.bestCounts(words)
  const total = used.reduce((sum, count) => sum + count, 0)
  const kept: Piece[] = []
  const losses: { piece: Piece; loss: number }[] = []
  pieces.forEach((piece, id) => {
    if (characters.has(piece.text)) {
      kept.push(piece)
      return
    }
    if (used[id] === 0) return
    const instead = lattice.withoutPiece(id)
    // The mass of the piece moves to its parts: log probabilities before and after.
    const sumAfter = total + used[id] * (instead.length - 1)
    let after = 0
    for (const part of instead) after += Math.log(used[part] + used[id]) - Math.log(sumAfter)
    const before = Math.log(used[id]) - Math.log(total)
    losses.push({ piece, loss: (used[id] / total) * (before - after) })
  })
  losses.sort((a, b) => b.loss - a.loss || (a.piece.text < b.piece.text ? -1 : 1))
  for (const { piece } of losses.slice(0, Math.max(0, most - kept.length))) kept.push(piece)
  return kept
}

function finish(pieces: Piece[], size: number, characters: Map<string, number>): Piece[] {
  const byScore = (a: Piece, b: Piece): number => b.score - a.score || (a.text < b.text ? -1 : 1)
  const needed = pieces.filter(({ text }) => characters.has(text))
  const others = pieces.filter(({ text }) => !characters.has(text)).sort(byScore)
  const chosen = [...needed, ...others.slice(0, size - needed.length)]
  return chosen.sort(byScore).map(({ text, score }) => ({ text, score: Math.fround(score) }))
}

/** All segmentations of units by the pieces of one round. */
export class Lattice {
  private readonly trie: PieceTrie
  private readonly scores: Float64Array
  private readonly keys: Uint8Array[]
  private readonly unknown: number
  private forward = new Float64Array(256)
  private backward = new Float64Array(256)
  private starts = new Int32Array(256)
  private ids = new Int32Array(256)
  // Edges of the unit at hand: start, end, piece (-1 for an unknown character).
  private edges = new Int32Array(3 * 4096)
  private edgeCount = 0

  constructor(pieces: Piece[]) {
    const encoder = new TextEncoder()
    this.keys = pieces.map(({ text }) => encoder.encode(text))
    this.trie = new PieceTrie(
      this.keys,
      pieces.map((_, id) => id),
    )
    this.scores = Float64Array.from(pieces, ({ score }) => score)
    this.unknown = this.scores.reduce((least, score) => Math.min(least, score), 0) - 10
  }

  /** Expected uses of every piece over all segmentations (forward and backward sums). */
  expectedCounts(words: Unit[]): Float64Array {
    const expected = new Float64Array(this.scores.length)
    for (const { bytes, count } of words) {
      const n = bytes.length
      this.build(bytes, -1)
      const { forward, backward, edges } = this
      forward.fill(Number.NEGATIVE_INFINITY, 0, n + 1)
      backward.fill(Number.NEGATIVE_INFINITY, 0, n + 1)
      forward[0] = 0
      backward[n] = 0
      for (let e = 0; e < this.edgeCount; e++) {
        const end = edges[3 * e + 1]
        forward[end] = logAdd(forward[end], forward[edges[3 * e]] + this.scoreOf(edges[3 * e + 2]))
      }
      for (let e = this.edgeCount - 1; e >= 0; e--) {
        const start = edges[3 * e]
        backward[start] = logAdd(backward[start], backward[edges[3 * e + 1]] + this.scoreOf(edges[3 * e + 2]))
      }
      for (let e = 0; e < this.edgeCount; e++) {
        const id = edges[3 * e + 2]
        if (id < 0) continue
        const log = forward[edges[3 * e]] + this.scores[id] + backward[edges[3 * e + 1]] - forward[n]
        expected[id] += count * Math.exp(log)
      }
    }
    return expected
  }

  /** Uses of every piece in the best segmentations. */
  bestCounts(words: Unit[]): Float64Array {
    const used = new Float64Array(this.scores.length)
    for (const { bytes, count } of words) {
      for (const id of this.best(bytes, -1)) used[id] += count
    }
    return used
  }

  /** The best segmentation of a piece into others. */
  withoutPiece(id: number): number[] {
    return this.best(this.keys[id], id)
  }

  private best(bytes: Uint8Array, without: number): number[] {
    this.build(bytes, without)
    const { forward, starts, ids, edges } = this
    const n = bytes.length
    forward.fill(Number.NEGATIVE_INFINITY, 0, n + 1)
    forward[0] = 0
    for (let e = 0; e < this.edgeCount; e++) {
      const start = edges[3 * e]
      const end = edges[3 * e + 1]
      const score = forward[start] + this.scoreOf(edges[3 * e + 2])
      if (score <= forward[end]) continue
      forward[end] = score
      starts[end] = start
      ids[end] = edges[3 * e + 2]
    }
    const path: number[] = []
    for (let end = n; end > 0; end = starts[end]) if (ids[end] >= 0) path.push(ids[end])
    return path
  }

  private scoreOf(id: number): number {
    return id < 0 ? this.unknown : this.scores[id]
  }

  /** Lists the edges by start. */
  private build(bytes: Uint8Array, without: number): void {
    const n = bytes.length
    if (this.forward.length <= n) {
      this.forward = new Float64Array(2 * n)
      this.backward = new Float64Array(2 * n)
      this.starts = new Int32Array(2 * n)
      this.ids = new Int32Array(2 * n)
    }
    this.edgeCount = 0
    for (let start = 0; start < n; ) {
      const next = start + characterLength(bytes[start])
      let single = false
      let node = this.trie.step(0, bytes[start])
      for (let end = start + 1; node >= 0; end++) {
        const id = this.trie.ids[node]
        if (id >= 0 && id !== without) {
          this.edge(start, end, id)
          if (end === next) single = true
        }
        if (end >= n) break
        node = this.trie.step(node, bytes[end])
      }
      if (!single) this.edge(start, next, -1)
      start = next
    }
  }

  private edge(start: number, end: number, id: number): void {
    const at = 3 * this.edgeCount++
    if (at + 3 > this.edges.length) {
      const larger = new Int32Array(2 * this.edges.length)
      larger.set(this.edges)
      this.edges = larger
    }
    this.edges[at] = start
    this.edges[at + 1] = end
    this.edges[at + 2] = id
  }
}

function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b
  const high = Math.max(a, b)
  return high + Math.log1p(Math.exp(Math.min(a, b) - high))
}

/** Derivative of log gamma, x > 0: recurrence up to 7, then the asymptotic series. */
export function digamma(x: number): number {
  let value = 0
  let y = x
  for (; y < 7; y++) value -= 1 / y
  y -= 0.5
  const inverse = 1 / y
  const square = inverse * inverse
  return (
    value +
    Math.log(y) +
    square / 24 -
    (7 * square * square) / 960 +
    (31 * square ** 3) / 8064 -
    (127 * square ** 4) / 30720
  )
}
