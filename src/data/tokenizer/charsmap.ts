/**
 * SentencePiece's precompiled character map: a double-array trie from UTF-8 prefixes to replacements, the
 * longest prefix wins, anything else is copied.
 * Layout: u32 trie bytes | trie of u32 units (Darts-clone) | replacements, each closed by a zero byte.
 * Source: sentencepiece/src/normalizer.cc, Darts-clone by Susumu Yata.
 */
import { InputError } from '../../error.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class CharsMap {
  private readonly units: Uint32Array
  private readonly replacements: Uint8Array
  /** Whether printable ASCII is copied unchanged, so that ASCII text can skip the map. */
  readonly keepsAscii: boolean

  constructor(blob: Uint8Array, file: string) {
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength)
    const trieBytes = blob.length >= 4 ? view.getUint32(0, true) : 0
    if (blob.length < 5 || trieBytes % 4 !== 0 || trieBytes === 0 || 4 + trieBytes >= blob.length) {
      throw new InputError({
        file,
        found: `a character map of ${blob.length} bytes with a trie of ${trieBytes}`,
        expected: 'a SentencePiece precompiled character map',
      })
    }
    this.units = new Uint32Array(trieBytes / 4)
    for (let i = 0; i < this.units.length; i++) this.units[i] = view.getUint32(4 + 4 * i, true)
    this.replacements = blob.subarray(4 + trieBytes)
    this.keepsAscii = this.copiesAscii()
  }

  /** Longest prefix of bytes[at..] in the map: [its length, offset of its replacement], or [0, 0]. */
  private longest(bytes: Uint8Array, at: number): [number, number] {
    const { units } = this
    let node = offsetOf(units[0])
    let length = 0
    let value = 0
    for (let i = at; i < bytes.length; i++) {
      node ^= bytes[i]
      const unit = units[node]
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== bytes[i]) break
      node ^= offsetOf(unit)
      if (unit & 0x100) {
        length = i + 1 - at
        value = units[node] & 0x7fffffff
      }
    }
    return [length, value]
  }

  private replacement(offset: number): Uint8Array {
    return this.replacements.subarray(offset, this.replacements.indexOf(0, offset))
  }

  /** The text with every mapped prefix replaced. */
  apply(text: string): string {
    const bytes = encoder.encode(text)
    const out: number[] = []
    for (let at = 0; at < bytes.length; ) {
      const [length, offset] = this.longest(bytes, at)
      if (length > 0) {
        for (const byte of this.replacement(offset)) out.push(byte)
        at += length
      } else {
        const next = at + characterLength(bytes[at])
        while (at < next) out.push(bytes[at++])
      }
    }
    return decoder.decode(Uint8Array.from(out))
  }

  private copiesAscii(): boolean {
    const pair = new Uint8Array(2)
    for (let a = 0x21; a < 0x7f; a++) {
      for (let b = 0x21; b < 0x7f; b++) {
        pair[0] = a
        pair[1] = b
        const [length, offset] = this.longest(pair, 0)
        if (length === 2) return false
        if (length === 1) {
          const to = this.replacement(offset)
          if (to.length !== 1 || to[0] !== a) return false
        }
      }
    }
    return true
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}

/** Bytes of the UTF-8 character that starts with `lead`. */
export function characterLength(lead: number): number {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}
