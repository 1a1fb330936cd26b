/**
 * WordPiece segmentation (BERT): the longest piece first, continuations written with a prefix (`##`); a word
 * with a stretch that no piece covers, or longer than the limit, is one unknown piece.
 * Source: google-research/bert tokenization.py.
 */
import { characterLength } from './charsmap.js'
import { PieceTrie } from './piece_trie.js'

export class WordPiece {
  private readonly heads: PieceTrie
  private readonly tails: PieceTrie

  constructor(
    pieces: string[],
    readonly unknownId: number,
    prefix: string,
    private readonly maxCharacters: number,
  ) {
    const encoder = new TextEncoder()
    const heads: [Uint8Array[], number[]] = [[], []]
    const tails: [Uint8Array[], number[]] = [[], []]
    pieces.forEach((piece, id) => {
      const tail = piece.startsWith(prefix) && piece.length > prefix.length
      const [keys, ids] = tail ? tails : heads
      keys.push(encoder.encode(tail ? piece.slice(prefix.length) : piece))
      ids.push(id)
    })
    this.heads = new PieceTrie(...heads)
    this.tails = new PieceTrie(...tails)
  }

  /** Appends the ids of the word bytes[0..length) to `out`. */
  segment(bytes: Uint8Array, length: number, out: number[]): void {
    const from = out.length
    let characters = 0
    for (let i = 0; i < length; i += characterLength(bytes[i])) characters++
    let start = 0
    while (start < length && characters <= this.maxCharacters) {
      const trie = start === 0 ? this.heads : this.tails
      let id = -1
      let end = start
      let node = 0
      for (let i = start; i < length; i++) {
        node = trie.step(node, bytes[i])
        if (node === -1) break
        if (trie.ids[node] !== -1) {
          id = trie.ids[node]
          end = i + 1
        }
      }
      if (id === -1) break
      out.push(id)
      start = end
    }
    if (start < length) {
      out.length = from
      out.push(this.unknownId)
    }
  }
}
