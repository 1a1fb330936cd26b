/**
 * A trie over the UTF-8 bytes of a vocabulary's pieces, as one open-addressed hash table keyed by
 * (node, byte): a step is one probe, memory is 8 bytes a slot. Node 0 is the root.
 */
export class PieceTrie {
  private readonly mask: number
  private readonly keys: Int32Array
  private readonly children: Int32Array
  /** Id of the piece that ends at a node, or -1. */
  readonly ids: Int32Array

  /** `pieces[i]` is the UTF-8 of piece `ids[i]`. */
  constructor(pieces: Uint8Array[], ids: number[]) {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    let slots = 1024
    while (slots < 2 * bytes) slots *= 2
    this.mask = slots - 1
    this.keys = new Int32Array(slots).fill(-1)
    this.children = new Int32Array(slots)
    const ends = new Int32Array(bytes + 1).fill(-1)
    let nodes = 1
    for (let p = 0; p < pieces.length; p++) {
      let node = 0
      for (const byte of pieces[p]) {
        const key = node * 256 + byte
        let slot = hash(key) & this.mask
        while (this.keys[slot] !== -1 && this.keys[slot] !== key) slot = (slot + 1) & this.mask
        if (this.keys[slot] === -1) {
          this.keys[slot] = key
          this.children[slot] = nodes++
        }
        node = this.children[slot]
      }
      ends[node] = ids[p]
    }
    this.ids = ends.slice(0, nodes)
  }

  /** The child of `node` along `byte`, or -1. */
  step(node: number, byte: number): number {
    const key = node * 256 + byte
    let slot = hash(key) & this.mask
    for (;;) {
      const found = this.keys[slot]
      if (found === key) return this.children[slot]
      if (found === -1) return -1
      slot = (slot + 1) & this.mask
    }
  }
}

function hash(key: number): number {
  const mixed = Math.imul(key, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}
