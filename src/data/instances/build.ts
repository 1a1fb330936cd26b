/**
 * From a corpus to a folder of pretraining instances: tokenise every block, draw the held-out documents, draw
 * the instances, write the description. The corpus is streamed block by block; the folder appears whole or not
 * at all; the result is a function of corpus, tokenizer, options and seed, for any number of workers.
 */
import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { UsageError, UserError } from '../../error.js'
import { folderAtomic, refuseExisting, writeSynced } from '../../files.js'
import { blockBytesFor, corpusBlocks, corpusSizes } from '../corpus/corpus_blocks.js'
import { loadTokenizer } from '../tokenizer/tokenizer_node.js'
import type { DocumentFile } from './document_shard.js'
import { PAIRS, type Pairs, SINGLE_SENTENCE, type SingleSentence } from './instances.js'
import { drawHeldOut, MANIFEST, type Manifest, type ManifestPart, packBits } from './manifest.js'
import { InstancePool } from './pool.js'
import { addCounts, noCounts } from './shard.js'
import type { Task, TaskContext, TaskResult } from './tasks.js'

export interface BuildOptions {
  corpus: string[]
  tokenizerDir: string
  out: string
  /** S, 8 to 65535. Default 512. */
  maxLength?: number
  /** Default 20. */
  maxPredictions?: number
  /** Copies with masks of their own (static). Default 40, as in the original. */
  dupeFactor?: number
  /** Masks on disk, or drawn when instances are read. Default static. */
  masking?: 'static' | 'dynamic'
  seed?: number
  workers?: number
  shortProbability?: number
  maskProbability?: number
  /** Share of documents that are held out, at least one where it is above 0. Default 0.01. */
  heldOut?: number
  /** Sentence order (ALBERT) or next sentence (BERT). Default sop. */
  pairs?: Pairs
  singleSentence?: SingleSentence
  /** For tests: size of a block in bytes. */
  blockBytes?: number
}

export interface BuildProgress {
  stage: 'tokenise' | 'instances'
  /** Bytes or tasks. */
  done: number
  total: number
  tokens: number
}

type Tokenised = TaskResult & { kind: 'tokenise' }
type Drawn = TaskResult & { kind: 'instances' }

function checked(options: BuildOptions) {
  const settings = {
    maxLength: 512,
    maxPredictions: 20,
    dupeFactor: 40,
    masking: 'static' as const,
    seed: 12345,
    workers: 1,
    shortProbability: 0.1,
    maskProbability: 0.15,
    heldOut: 0.01,
    pairs: 'sop' as const,
    singleSentence: 'random_document' as const,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  } as Required<Omit<BuildOptions, 'blockBytes'>> & { blockBytes?: number }
  const whole = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new UsageError(`${name}: found ${value}, want a whole number from ${least} to ${most}`)
    }
  }
  const share = (name: string, value: number): void => {
    if (!(value >= 0 && value < 1))
      throw new UsageError(`${name}: found ${value}, want at least 0 and below 1`)
  }
  whole('sequence length', settings.maxLength, 8, 65535)
  whole('predictions', settings.maxPredictions, 1, settings.maxLength - 3)
  whole('dupe factor', settings.dupeFactor, 1, 1000)
  whole('seed', settings.seed, 0, Number.MAX_SAFE_INTEGER)
  whole('workers', settings.workers, 1, 256)
  share('short sequence probability', settings.shortProbability)
  share('mask probability', settings.maskProbability)
  share('held-out share', settings.heldOut)
  if (!SINGLE_SENTENCE.includes(settings.singleSentence)) {
    throw new UsageError(
      `single sentence: found ${settings.singleSentence}, want ${SINGLE_SENTENCE.join(', ')}`,
    )
  }
  if (!PAIRS.includes(settings.pairs))
    throw new UsageError(`pairs: found ${settings.pairs}, want ${PAIRS.join(', ')}`)
  if (settings.pairs === 'nsp' && settings.singleSentence === 'resplit')
    throw new UsageError(
      'single sentence: found resplit, which is for sop, want random_document or skip with nsp',
    )
  if (settings.masking !== 'static' && settings.masking !== 'dynamic') {
    throw new UsageError(`masking: found ${settings.masking}, want static or dynamic`)
  }
  return settings
}

/** Makes the folder of instances and answers its description. */
export async function buildInstances(
  options: BuildOptions,
  progress: (progress: BuildProgress) => void = () => {},
): Promise<Manifest> {
  const settings = checked(options)
  const { corpus, out, seed, masking } = settings
  refuseExisting(out)
  const tokenizer = loadTokenizer(settings.tokenizerDir)
  const sizes = corpusSizes(corpus)
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const blocks = corpusBlocks(corpus, sizes, settings.blockBytes ?? blockBytesFor(bytes))

  return folderAtomic(out, async (dir) => {
    const context: TaskContext = {
      tokenizerDir: settings.tokenizerDir,
      dir,
      seed,
      maxLength: settings.maxLength,
      maxPredictions: settings.maxPredictions,
      probability: settings.maskProbability,
      shortProbability: settings.shortProbability,
      pairs: settings.pairs,
      singleSentence: settings.singleSentence,
    }
    const pool = new InstancePool(context, Math.min(settings.workers, blocks.length), tokenizer)
    try {
      let done = 0
      let tokens = 0
      const names = blocks.map((_, i) => `documents-${number(i)}.docs`)
      const tokenise = blocks.map((block, i): Task => ({ kind: 'tokenise', block, name: names[i] }))
      const tokenised = (await pool.map(tokenise, (result, i) => {
        done += blocks[i].end - blocks[i].start
        tokens += (result as Tokenised).tokens
        progress({ stage: 'tokenise', done, total: bytes, tokens })
      })) as Tokenised[]
      const files: DocumentFile[] = []
      tokenised.forEach(({ documents }, i) => {
        if (documents > 0) files.push({ name: names[i], documents })
      })
      const total = (key: 'documents' | 'sentences' | 'tokens') =>
        tokenised.reduce((sum, result) => sum + result[key], 0)
      const documents = total('documents')
      if (documents === 0) throw new UserError(`${corpus.join(', ')}: no text in it`)
      const heldOut = drawHeldOut(seed, settings.heldOut, documents)

      const passes = masking === 'static' ? settings.dupeFactor : 1
      const tasks: (Task & { kind: 'instances' })[] = []
      const plan = (split: 'train' | 'heldout', pass: number): void => {
        files.forEach((_, shard) => {
          const stem =
            split === 'train' ? `train-${number(pass, 3)}-${number(shard)}` : `heldout-${number(shard)}`
          const name = split === 'train' && masking === 'dynamic' ? null : `${stem}.inst`
          tasks.push({ kind: 'instances', files, shard, pass, heldOut, split, name })
        })
      }
      for (let pass = 0; pass < passes; pass++) plan('train', pass)
      if (settings.heldOut > 0) plan('heldout', 0)
      let finished = 0
      tokens = 0
      const drawn = (await pool.map(tasks, (result) => {
        tokens += (result as Drawn).counts.tokens
        progress({ stage: 'instances', done: ++finished, total: tasks.length, tokens })
      })) as Drawn[]
      const part = (split: 'train' | 'heldout'): ManifestPart => {
        const sum = { documents: 0, ...noCounts(), skipped: 0, files: [] as ManifestPart['files'] }
        drawn.forEach((result, i) => {
          if (tasks[i].split !== split) return
          if (tasks[i].pass === 0) sum.documents += result.documents
          addCounts(sum, result.counts)
          sum.skipped += result.skipped
          const { name } = tasks[i]
          if (name !== null && result.counts.instances > 0) {
            sum.files.push({ name, instances: result.counts.instances })
          }
        })
        return sum
      }
      const train = part('train')
      if (train.instances === 0) {
        throw new UserError(
          `${corpus.join(', ')}: ${documents} document(s) leave no instance to train on; want more text, or a held-out share of 0`,
        )
      }
      if (masking === 'static') for (const { name } of files) rmSync(join(dir, name))
      const manifest: Manifest = {
        format: 'bioalbert-instances',
        version: 1,
        masking,
        seed,
        maxLength: settings.maxLength,
        maxPredictions: settings.maxPredictions,
        maskProbability: settings.maskProbability,
        shortProbability: settings.shortProbability,
        pairs: settings.pairs,
        singleSentence: settings.singleSentence,
        dupeFactor: passes,
        tokenizer: {
          digest: tokenizer.digest,
          size: tokenizer.size,
          special: tokenizer.special,
          startsWord: packBits(tokenizer.startsWord),
        },
        corpus: {
          files: corpus.map((file) => basename(file)),
          bytes,
          documents,
          sentences: total('sentences'),
          tokens: total('tokens'),
        },
        heldOut,
        train,
        heldout: part('heldout'),
        documents: masking === 'dynamic' ? files : [],
      }
      writeSynced(join(dir, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`)
      return manifest
    } finally {
      await pool.close()
    }
  })
}

function number(value: number, digits = 5): string {
  return String(value).padStart(digits, '0')
}
