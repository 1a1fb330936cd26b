/**
 * Where pieces stand in their text: for ids[i] the stretch [starts[i], ends[i]) of UTF-16 units that it was made from.
 *
 * Normalisation rewrites characters (NFKD, lower case, marks dropped), so every token is cut into the smallest parts that
 * normalise by themselves, and what a part became points back at the whole of it: a letter with its marks, or two characters
 * that are read as one. Pieces are then laid along the normalised characters. A piece that is part of what one character
 * became points at the character; one that stands for white space alone is empty.
 */
import { METASPACE, type VocabularyFiles } from './tokenizer_json.js'

export interface PieceOffsets {
  readonly ids: Int32Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators that Python counts as white space.
const TOKEN = /[^\t-\r\x1c-\x20]+/g
/** A character with the marks on it. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gu
const KEPT = 1 << 16
const LONE_SURROGATE = /\p{Surrogate}/gu

/** Lays pieces along texts, in one vocabulary. */
export class PieceAligner {
  /** Parts of tokens and what characters with their marks become, both kept while they are few enough. */
  private readonly tokens = new Map<string, Part[]>()
  private readonly clusters = new Map<string, string>()

  constructor(private readonly files: VocabularyFiles) {}

  /** Offsets of the ids of a text. */
  align(text: string, ids: Int32Array): PieceOffsets {
    const { files } = this
    const line = this.line(text)
    const starts = new Int32Array(ids.length)
    const ends = new Int32Array(ids.length)
    let at = 0
    for (let i = 0; i < ids.length; i++) {
      const next = pieceEnd(line, at, ids, i, files)
      starts[i] = at < line.starts.length ? line.starts[at] : text.length
      ends[i] = next > at ? line.ends[next - 1] : starts[i]
      at = next
    }
    return { ids, starts, ends }
  }

  private line(text: string): Line {
    const parts: string[] = []
    const starts: number[] = []
    const ends: number[] = []
    const last: boolean[] = []
    for (const match of text.matchAll(TOKEN)) {
      for (const part of this.parts(match[0])) {
        parts.push(part.text)
        for (let i = 0; i < part.text.length; i++) {
          starts.push(match.index + part.start)
          ends.push(match.index + part.end)
          last.push(part.last.includes(i))
        }
      }
    }
    return { text: parts.join(''), starts, ends, last }
  }

  private parts(token: string): Part[] {
    let parts = this.tokens.get(token)
    if (parts === undefined) {
      parts = this.divide(token)
      keep(this.tokens, token, parts)
    }
    return parts
  }

  /** A token in the smallest parts that normalise by themselves to what the token does. */
  private divide(raw: string): Part[] {
    // encoding to UTF-8 makes the same of them
    const token = raw.replace(LONE_SURROGATE, '\ufffd')
    const words = this.words(token)
    const whole = words.join('')
    const lasts: number[] = []
    let length = 0
    for (const word of words) {
      length += word.length
      lasts.push(length - 1)
    }
    const clusters = token.match(CLUSTER) ?? []
    const own = clusters.map((cluster) => this.cluster(cluster))
    const local = own.join('') === whole
    const parts: Part[] = []
    let from = 0
    let at = 0
    let end = 0
    clusters.forEach((cluster, i) => {
      end += cluster.length
      const text = local ? own[i] : this.joined(token.slice(from, end))
      if (!local && end < token.length && text + this.joined(token.slice(end)) !== whole.slice(at)) return
      const last = lasts.filter((unit) => unit >= at && unit < at + text.length).map((unit) => unit - at)
      parts.push({ text, start: from, end, last })
      at += text.length
      from = end
    })
    return parts
  }

  private cluster(cluster: string): string {
    let text = this.clusters.get(cluster)
    if (text === undefined) {
      text = this.joined(cluster)
      keep(this.clusters, cluster, text)
    }
    return text
  }

  private joined(token: string): string {
    return this.words(token).join('')
  }

  /** The words of a token after normalisation, without what stands for spaces. */
  private words(token: string): string[] {
    const { kind, normalizer } = this.files
    const words = normalizer.words(token)
    return kind === 'wordpiece' ? words : words.map((word) => word.replaceAll(METASPACE, ''))
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= KEPT) map.clear()
  map.set(key, value)
}

/** A text as segmentation sees it, without spaces. */
interface Line {
  readonly text: string
  /** Where unit i comes from. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** Whether unit i is the last of a word. */
  readonly last: readonly boolean[]
}

/** A stretch of a token and what it becomes. */
interface Part {
  readonly text: string
  readonly start: number
  readonly end: number
  /** Units of `text` that a word ends with. */
  readonly last: readonly number[]
}

/** Where piece i, which begins at unit `at`, ends. */
function pieceEnd(line: Line, at: number, ids: Int32Array, i: number, files: VocabularyFiles): number {
  const { special } = files
  if (ids[i] !== special.unk) {
    const surface = surfaceOf(files.pieces[ids[i]], files)
    if (line.text.startsWith(surface, at)) return at + surface.length
  }
  const wordEnd = endOfWord(line, at)
  const next = i + 1 < ids.length ? files.pieces[ids[i + 1]] : METASPACE
  if (files.kind === 'wordpiece' || next.startsWith(METASPACE) || ids[i + 1] === special.unk) return wordEnd
  // a run of unknown characters ends where the next piece begins
  const surface = surfaceOf(next, files)
  for (let end = at + 1; end < wordEnd; end++) if (line.text.startsWith(surface, end)) return end
  return wordEnd
}

/** The characters that a piece stands for. */
function surfaceOf(piece: string, { kind, wordpiece }: VocabularyFiles): string {
  if (kind === 'unigram') return piece.replaceAll(METASPACE, '')
  const { prefix } = wordpiece
  return piece.startsWith(prefix) && piece.length > prefix.length ? piece.slice(prefix.length) : piece
}

function endOfWord({ text, last }: Line, at: number): number {
  let end = at
  while (end < text.length && !last[end]) end++
  return Math.min(text.length, end + 1)
}
