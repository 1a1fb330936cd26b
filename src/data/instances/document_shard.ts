/**
 * Tokenised documents on disk: the store from which instances are drawn, one shard per block of the corpus.
 * Payload: first sentence of each document u32 [documents + 1] | first token of each sentence u32
 * [sentences + 1] | token ids. One document can be read by itself (for sentences of a random document), so
 * memory does not grow with the corpus.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { IdBuffer, type Tokenizer } from '../tokenizer/tokenizer.js'
import { brokenRecord, HEADER_BYTES, idBytesFor, readHeader, readShard, writeShard } from './shard_file.js'

export type Ids = Uint16Array | Uint32Array

/** One document: sentence i is tokens[starts[i] .. starts[i + 1]). */
export interface TokenDocument {
  tokens: Ids
  /** [sentences + 1] offsets into `tokens`. */
  starts: Uint32Array
}

/** Collects tokenised documents; empty sentences and documents leave no trace. */
export class DocumentBuffer {
  readonly ids = new IdBuffer()
  private readonly documents: number[] = [0]
  private readonly sentences: number[] = [0]

  get counts(): { documents: number; sentences: number; tokens: number } {
    return {
      documents: this.documents.length - 1,
      sentences: this.sentences.length - 1,
      tokens: this.ids.length,
    }
  }

  /** Ends the sentence whose ids were appended to `ids`. */
  endSentence(): void {
    if (this.ids.length > this.sentences[this.sentences.length - 1]) this.sentences.push(this.ids.length)
  }

  endDocument(): void {
    const sentences = this.sentences.length - 1
    if (sentences > this.documents[this.documents.length - 1]) this.documents.push(sentences)
  }

  write(path: string, tokenizer: Tokenizer): void {
    const { documents, sentences, tokens } = this.counts
    const idBytes = idBytesFor(tokenizer.size)
    const used = this.ids.data.subarray(0, tokens)
    const ids: Ids = idBytes === 2 ? Uint16Array.from(used) : Uint32Array.from(used)
    writeShard(
      path,
      'BALBDOCS',
      tokenizer.digest,
      idBytes,
      [documents, sentences, tokens],
      [bytesOf(Uint32Array.from(this.documents)), bytesOf(Uint32Array.from(this.sentences)), bytesOf(ids)],
    )
  }
}

export function bytesOf(array: Uint32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

/** A whole document shard in memory. */
export class DocumentShard {
  private readonly documents: Uint32Array
  private readonly sentences: Uint32Array
  private readonly tokens: Ids

  constructor(path: string, digest: string) {
    const { header, payload } = readShard(path, 'BALBDOCS', digest)
    const [documents, sentences, tokens] = header.counts
    const tokensAt = 4 * (documents + sentences + 2)
    if (payload.length !== tokensAt + tokens * header.idBytes) {
      throw brokenRecord(
        path,
        0,
        `a payload of ${payload.length} bytes`,
        `${tokensAt + tokens * header.idBytes}`,
      )
    }
    this.documents = new Uint32Array(payload.buffer, 0, documents + 1)
    this.sentences = new Uint32Array(payload.buffer, 4 * (documents + 1), sentences + 1)
    this.tokens =
      header.idBytes === 2
        ? new Uint16Array(payload.buffer, tokensAt, tokens)
        : new Uint32Array(payload.buffer, tokensAt, tokens)
  }

  get count(): number {
    return this.documents.length - 1
  }

  document(index: number): TokenDocument {
    const from = this.documents[index]
    const to = this.documents[index + 1]
    const first = this.sentences[from]
    return {
      tokens: this.tokens.subarray(first, this.sentences[to]),
      starts: this.sentences.slice(from, to + 1).map((start) => start - first),
    }
  }
}

export interface DocumentFile {
  name: string
  documents: number
}

const OPEN_FILES = 32

/** All document shards of a folder, read one document at a time. */
export class DocumentStore {
  /** Number of documents. */
  readonly count: number
  /** [files + 1] number of the first document of each shard. */
  readonly firsts: Float64Array
  private readonly open = new Map<
    number,
    { file: number; counts: [number, number, number]; idBytes: 2 | 4 }
  >()

  constructor(
    private readonly dir: string,
    private readonly files: DocumentFile[],
    private readonly digest: string,
  ) {
    this.firsts = new Float64Array(files.length + 1)
    files.forEach(({ documents }, i) => {
      this.firsts[i + 1] = this.firsts[i] + documents
    })
    this.count = this.firsts[files.length]
  }

  path(shard: number): string {
    return join(this.dir, this.files[shard].name)
  }

  /** Document `index` of the whole corpus. */
  document(index: number): TokenDocument {
    let low = 0
    let high = this.files.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.firsts[middle] <= index) low = middle
      else high = middle - 1
    }
    const { file, counts, idBytes } = this.handle(low)
    const read = (at: number, bytes: number): ArrayBuffer => {
      const part = new Uint8Array(bytes)
      const length = readSync(file, part, 0, bytes, HEADER_BYTES + at)
      if (length < bytes) {
        throw brokenRecord(this.path(low), at + length, 'the end of the file', `${bytes} bytes`)
      }
      return part.buffer as ArrayBuffer
    }
    const [from, to] = new Uint32Array(read(4 * (index - this.firsts[low]), 8))
    const sentencesAt = 4 * (counts[0] + 1)
    const sentences = new Uint32Array(read(sentencesAt + 4 * from, 4 * (to - from + 1)))
    const first = sentences[0]
    const tokensAt = sentencesAt + 4 * (counts[1] + 1) + idBytes * first
    const bytes = read(tokensAt, idBytes * (sentences[to - from] - first))
    return {
      tokens: idBytes === 2 ? new Uint16Array(bytes) : new Uint32Array(bytes),
      starts: sentences.map((start) => start - first),
    }
  }

  close(): void {
    for (const { file } of this.open.values()) closeSync(file)
    this.open.clear()
  }

  private handle(shard: number) {
    let handle = this.open.get(shard)
    if (handle === undefined) {
      if (this.open.size >= OPEN_FILES) {
        const [oldest] = this.open.keys()
        closeSync(this.open.get(oldest)!.file)
        this.open.delete(oldest)
      }
      const { counts, idBytes } = readHeader(this.path(shard), 'BALBDOCS', this.digest)
      handle = { file: openSync(this.path(shard), 'r'), counts, idBytes }
      this.open.set(shard, handle)
    }
    return handle
  }
}
