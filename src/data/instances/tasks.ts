/**
 * The two kinds of work in making instances, each on one block of the corpus and independent of all others:
 * tokenising it into a document shard, and drawing the instances of one pass over such a shard. Run by the
 * command's own thread or by worker threads, with the same result.
 */
import { join } from 'node:path'
import { type CorpusBlock, readBlock } from '../corpus/corpus_blocks.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { loadTokenizer } from '../tokenizer/tokenizer_node.js'
import { DocumentBuffer, type DocumentFile, DocumentShard, DocumentStore } from './document_shard.js'
import { InstanceMaker, type Pairs, type SingleSentence } from './instances.js'
import { heldOutRule } from './manifest.js'
import { InstanceBuffer, type InstanceCounts } from './shard.js'
import { idBytesFor } from './shard_file.js'

/** What every task needs; sent to a worker once. */
export interface TaskContext {
  tokenizerDir: string
  /** Where shards are written. */
  dir: string
  seed: number
  maxLength: number
  maxPredictions: number
  probability: number
  shortProbability: number
  pairs: Pairs
  singleSentence: SingleSentence
}

export type Task =
  | { kind: 'tokenise'; block: CorpusBlock; name: string }
  | {
      kind: 'instances'
      files: DocumentFile[]
      shard: number
      pass: number
      heldOut: { share: number; document: number | null }
      /** Which documents are taken. */
      split: 'train' | 'heldout'
      /** File to write, or null to count only. */
      name: string | null
    }

export type TaskResult =
  | { kind: 'tokenise'; documents: number; sentences: number; tokens: number }
  | { kind: 'instances'; documents: number; skipped: number; counts: InstanceCounts }

/** Runs tasks; the tokenizer and open files are kept between them. */
export class TaskRunner {
  private readonly tokenizer: Tokenizer
  private store?: DocumentStore
  private storeFiles = 0

  constructor(
    private readonly context: TaskContext,
    tokenizer?: Tokenizer,
  ) {
    this.tokenizer = tokenizer ?? loadTokenizer(context.tokenizerDir)
  }

  run(task: Task): TaskResult {
    return task.kind === 'tokenise' ? this.tokenise(task) : this.instances(task)
  }

  close(): void {
    this.store?.close()
  }

  private tokenise({ block, name }: Task & { kind: 'tokenise' }): TaskResult {
    const bytes = readBlock(block)
    const out = new DocumentBuffer()
    for (let from = 0; from < bytes.length; ) {
      let to = bytes.indexOf(10, from)
      if (to < 0) to = bytes.length
      if (isBlank(bytes, from, to)) out.endDocument()
      else {
        this.tokenizer.encodeBytes(bytes, from, to, out.ids)
        out.endSentence()
      }
      from = to + 1
    }
    out.endDocument()
    if (out.counts.documents > 0) out.write(join(this.context.dir, name), this.tokenizer)
    return { kind: 'tokenise', ...out.counts }
  }

  private instances({ files, shard, pass, heldOut, split, name }: Task & { kind: 'instances' }): TaskResult {
    const { tokenizer, context } = this
    if (this.store === undefined || this.storeFiles !== files.length) {
      this.store?.close()
      this.store = new DocumentStore(context.dir, files, tokenizer.digest)
      this.storeFiles = files.length
    }
    const { store } = this
    const isHeldOut = heldOutRule(context.seed, heldOut)
    const maker = new InstanceMaker({
      seed: context.seed,
      maxLength: context.maxLength,
      maxPredictions: context.maxPredictions,
      probability: context.probability,
      shortProbability: context.shortProbability,
      pairs: context.pairs,
      singleSentence: context.singleSentence,
      vocabularySize: tokenizer.size,
      special: tokenizer.special,
      startsWord: tokenizer.startsWord,
      documents: store,
      isHeldOut: split === 'train' ? isHeldOut : undefined,
    })
    const out = new InstanceBuffer(idBytesFor(tokenizer.size))
    const data = new DocumentShard(store.path(shard), tokenizer.digest)
    let documents = 0
    for (let i = 0; i < data.count; i++) {
      const index = store.firsts[shard] + i
      if (isHeldOut(index) !== (split === 'heldout')) continue
      maker.make(data.document(i), index, pass, out)
      documents++
    }
    if (name !== null && out.counts.instances > 0) {
      out.write(join(context.dir, name), tokenizer.digest, context.maxLength)
    }
    return { kind: 'instances', documents, skipped: maker.skipped, counts: out.counts }
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 32 && bytes[i] !== 13 && bytes[i] !== 9) return false
  return true
}
