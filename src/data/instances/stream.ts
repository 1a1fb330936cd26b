/**
 * Pretraining instances in training order: endless, shuffled anew in every pass, a function of the seed alone,
 * and resumable from a small JSON cursor. A few shards are open at a time and the next instance comes from one
 * of them, drawn with probability proportional to what is left in it, so neighbours in the corpus are spread
 * and memory is bounded by the open shards. With dynamic masking a shard holds documents, and its instances are
 * drawn for (seed, pass, document) when it is opened.
 */
import { join } from 'node:path'
import { UserError } from '../../error.js'
import { Philox } from '../random.js'
import { DocumentShard, DocumentStore } from './document_shard.js'
import { InstanceMaker, type Pairs, STREAM } from './instances.js'
import { heldOutRule, type Manifest, readManifest, unpackBits } from './manifest.js'
import { type Instance, InstanceBuffer, InstanceShard, type Source } from './shard.js'
import { idBytesFor } from './shard_file.js'

export type { Instance } from './shard.js'

const OPEN_SHARDS = 8

export interface StreamOptions {
  seed: number
  split?: 'train' | 'heldout'
  /** Digest of the tokenizer in use; instances of another one are refused. */
  tokenizerDigest?: string
}

export interface StreamInfo {
  masking: 'static' | 'dynamic'
  pairs: Pairs
  /** S and the most predictions of an instance. */
  maxLength: number
  maxPredictions: number
  vocabularySize: number
  tokenizerDigest: string
  dupeFactor: number
  /** Of this split: documents, and in one pass instances, pieces, masked pieces (dynamic: as drawn once). */
  documents: number
  instances: number
  tokens: number
  predictions: number
  sopLabelSources: Record<Source, number>
}

/** Where the stream stands; JSON. */
export interface StreamState {
  seed: number
  split: 'train' | 'heldout'
  pass: number
  /** Instances given out in this pass. */
  drawn: number
  /** Shards of this pass opened so far, and the open ones with the instances given out of each. */
  opened: number
  open: { shard: number; at: number }[]
}

interface OpenShard {
  shard: number
  at: number
  data: InstanceShard
  /** Order of its instances; null for their own. */
  order: Uint32Array | null
}

export class InstanceStream {
  readonly info: StreamInfo
  private readonly split: 'train' | 'heldout'
  private readonly shards: number
  private readonly random: Philox
  private readonly store?: DocumentStore
  private pass = 0
  private drawn = 0
  private opened = 0
  private order: Uint32Array
  private open: OpenShard[] = []

  private constructor(
    private readonly dir: string,
    private readonly manifest: Manifest,
    private readonly seed: number,
    split: 'train' | 'heldout',
  ) {
    this.split = split
    const part = manifest[split]
    const { tokenizer, masking } = manifest
    this.info = {
      masking: split === 'train' ? masking : 'static',
      pairs: manifest.pairs,
      maxLength: manifest.maxLength,
      maxPredictions: manifest.maxPredictions,
      vocabularySize: tokenizer.size,
      tokenizerDigest: tokenizer.digest,
      dupeFactor: manifest.dupeFactor,
      documents: part.documents,
      instances: part.instances,
      tokens: part.tokens,
      predictions: part.predictions,
      sopLabelSources: part.sources,
    }
    if (this.info.masking === 'dynamic')
      this.store = new DocumentStore(dir, manifest.documents, tokenizer.digest)
    this.shards = this.info.masking === 'dynamic' ? manifest.documents.length : part.files.length
    if (part.instances === 0) throw new UserError(`${dir}: holds no ${split} instances`)
    this.random = new Philox(seed)
    this.order = this.shardOrder()
  }

  /** Opens a folder of instances at the beginning of pass 0. The held-out split keeps its order in every pass. */
  static async open(dir: string, options: StreamOptions): Promise<InstanceStream> {
    const manifest = readManifest(dir)
    const { digest } = manifest.tokenizer
    if (options.tokenizerDigest !== undefined && options.tokenizerDigest !== digest) {
      throw new UserError(
        `${dir}: made with tokenizer ${digest.slice(0, 12)}, but the one in use is ${options.tokenizerDigest.slice(0, 12)}`,
      )
    }
    return new InstanceStream(dir, manifest, options.seed, options.split ?? 'train')
  }

  /** The next instance. Reads a shard from time to time; never ends. */
  next(): Instance {
    for (;;) {
      this.fill()
      if (this.open.length > 0) break
      this.pass++
      this.drawn = 0
      this.opened = 0
      this.order = this.shardOrder()
    }
    let slot = 0
    if (this.split === 'train') {
      this.random.restart(STREAM.pick, this.pass, this.drawn)
      let left = this.random.integer(this.open.reduce((sum, { data, at }) => sum + data.count - at, 0))
      while (left >= this.open[slot].data.count - this.open[slot].at) {
        left -= this.open[slot].data.count - this.open[slot].at
        slot++
      }
    }
    const shard = this.open[slot]
    const instance = shard.data.instance(shard.order === null ? shard.at : shard.order[shard.at])
    shard.at++
    this.drawn++
    if (shard.at === shard.data.count) this.open.splice(slot, 1)
    return instance
  }

  state(): StreamState {
    const { seed, split, pass, drawn, opened } = this
    return { seed, split, pass, drawn, opened, open: this.open.map(({ shard, at }) => ({ shard, at })) }
  }

  /** Goes to where `state()` was taken; the stream must have been opened alike. */
  restore(state: object): void {
    const { seed, split, pass, drawn, opened, open } = state as StreamState
    if (seed !== this.seed || split !== this.split) {
      throw new UserError(
        `${this.dir}: the cursor is of seed ${seed} (${split}), the stream of ${this.seed} (${this.split})`,
      )
    }
    if (!Array.isArray(open) || open.some(({ shard }) => !(shard >= 0 && shard < this.shards))) {
      throw new UserError(
        `${this.dir}: the cursor names shards that are not there; the instances were made anew`,
      )
    }
    this.pass = pass
    this.drawn = drawn
    this.opened = opened
    this.order = this.shardOrder()
    this.open = open.map(({ shard, at }) => this.load(shard, at))
  }

  async close(): Promise<void> {
    this.open = []
    this.store?.close()
  }

  private fill(): void {
    const most = this.split === 'train' ? OPEN_SHARDS : 1
    while (this.open.length < most && this.opened < this.shards) {
      const shard = this.load(this.order[this.opened++], 0)
      if (shard.data.count > 0) this.open.push(shard)
    }
  }

  private load(shard: number, at: number): OpenShard {
    const { digest } = this.manifest.tokenizer
    const files = this.manifest[this.split].files
    const data =
      this.info.masking === 'static'
        ? InstanceShard.read(join(this.dir, files[shard].name), digest)
        : this.draw(shard)
    let order: Uint32Array | null = null
    if (this.split === 'train') {
      order = Uint32Array.from({ length: data.count }, (_, i) => i)
      this.random.restart(STREAM.shuffle, this.pass, shard)
      this.random.shuffle(order)
    }
    return { shard, at, data, order }
  }

  /** The instances of a document shard in this pass. */
  private draw(shard: number): InstanceShard {
    const { manifest, store } = this
    const { tokenizer } = manifest
    const documents = store as DocumentStore
    const isHeldOut = heldOutRule(manifest.seed, manifest.heldOut)
    const maker = new InstanceMaker({
      ...instanceSettings(manifest),
      seed: this.seed,
      documents,
      isHeldOut,
    })
    const out = new InstanceBuffer(idBytesFor(tokenizer.size))
    const data = new DocumentShard(documents.path(shard), tokenizer.digest)
    for (let i = 0; i < data.count; i++) {
      const index = documents.firsts[shard] + i
      if (!isHeldOut(index)) maker.make(data.document(i), index, this.pass, out)
    }
    return out.shard()
  }

  private shardOrder(): Uint32Array {
    const order = Uint32Array.from({ length: this.shards }, (_, i) => i)
    if (this.split === 'train') {
      this.random.restart(STREAM.order, this.pass)
      this.random.shuffle(order)
    }
    return order
  }
}

/** The settings of instance making that a manifest keeps. */
export function instanceSettings(manifest: Manifest) {
  const { tokenizer, maxLength, maxPredictions, maskProbability, shortProbability, pairs, singleSentence } =
    manifest
  return {
    maxLength,
    maxPredictions,
    probability: maskProbability,
    shortProbability,
    pairs,
    singleSentence,
    vocabularySize: tokenizer.size,
    special: tokenizer.special,
    startsWord: unpackBits(tokenizer.startsWord, tokenizer.size),
  }
}
