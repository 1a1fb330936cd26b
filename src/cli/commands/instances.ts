/** `instances`: pretraining instances (MLM + SOP, or MLM + NSP) from a corpus, in shards. */
import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { buildInstances } from '../../data/instances/build.js'
import { PAIRS, type Pairs, SINGLE_SENTENCE } from '../../data/instances/instances.js'
import type { Manifest, ManifestPart } from '../../data/instances/manifest.js'
import { integerWithin, nonNegativeNumber, positiveInteger, probability, seed } from '../options.js'
import { count, printResult } from '../output.js'
import { type Progress, progress } from '../progress.js'

interface Options {
  corpus: string[]
  tokenizer: string
  out: string
  seqLength: number
  maxPredictions: number
  dupeFactor: number
  masking: 'static' | 'dynamic'
  seed: number
  workers: number
  shortSeqProb: number
  maskProb: number
  heldout: number
  pairs: Pairs
  singleSentence: (typeof SINGLE_SENTENCE)[number]
  json?: boolean
  quiet?: boolean
}

export function instancesCommand(): Command {
  return new Command('instances')
    .description('make pretraining instances in shards: MLM + SOP, or MLM + NSP')
    .requiredOption('--corpus <file...>', 'one sentence a line, a blank line between documents (see: corpus)')
    .requiredOption('--tokenizer <dir>', 'vocabulary folder (see: vocab)')
    .requiredOption('--out <dir>', 'folder to make')
    .option(
      '--seq-length <n>',
      'most pieces of an instance, special ones included',
      integerWithin(8, 65535),
      512,
    )
    .option(
      '--max-predictions <n>',
      'most masked pieces of an instance (20 in the papers, 15% would be 77)',
      positiveInteger,
      20,
    )
    .option(
      '--dupe-factor <n>',
      'copies of every document with masks of their own (static masking)',
      positiveInteger,
      40,
    )
    .addOption(
      new Option('--masking <when>', 'write masks to disk, or draw them when instances are read')
        .choices(['static', 'dynamic'])
        .default('static'),
    )
    .option('--seed <n>', 'seed of every draw', seed, 12345)
    .option(
      '--workers <n>',
      'threads; the result does not depend on it',
      integerWithin(1, 256),
      availableParallelism(),
    )
    .option('--short-seq-prob <p>', 'probability of a shorter target length', probability, 0.1)
    .option('--mask-prob <p>', 'share of pieces to mask', probability, 0.15)
    .option(
      '--heldout <share>',
      'share of documents held out for evaluation, 0 for none',
      nonNegativeNumber,
      0.01,
    )
    .addOption(
      new Option('--pairs <what>', 'sentence order, as ALBERT, or next sentence, as BERT')
        .choices(PAIRS)
        .default('sop'),
    )
    .addOption(
      new Option('--single-sentence <what>', 'what a chunk of one sentence becomes')
        .choices(SINGLE_SENTENCE)
        .default('random_document'),
    )
    .option('--quiet', 'no progress on standard error')
    .option('--json', 'print one JSON object as the last line of standard output')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { out, json, quiet } = options
  const started = performance.now()
  let stage = ''
  let bar: Progress | undefined
  try {
    const manifest = await buildInstances(
      {
        corpus: options.corpus,
        tokenizerDir: options.tokenizer,
        out,
        maxLength: options.seqLength,
        maxPredictions: options.maxPredictions,
        dupeFactor: options.dupeFactor,
        masking: options.masking,
        seed: options.seed,
        workers: options.workers,
        shortProbability: options.shortSeqProb,
        maskProbability: options.maskProb,
        heldOut: options.heldout,
        pairs: options.pairs,
        singleSentence: options.singleSentence,
      },
      (state) => {
        if (state.stage !== stage) {
          stage = state.stage
          bar?.stop()
          bar = progress({
            label: stage,
            unit: stage === 'tokenise' ? 'bytes' : 'shards',
            total: state.total,
            quiet,
          })
        }
        bar?.update(state.done, `${(state.tokens / 1e6).toFixed(1)} M tokens`)
      },
    )
    bar?.stop()
    const { train, heldout, corpus, masking, pairs } = manifest
    const summary = ({ files, ...counts }: ManifestPart) => ({ ...counts, shards: files.length })
    const seconds = (performance.now() - started) / 1000
    const result = { out, masking, pairs, corpus, train: summary(train), heldout: summary(heldout), seconds }
    printResult(json, result, () => describe(manifest, seconds))
  } finally {
    bar?.stop()
  }
}

/** Counts of a folder of instances for a person, sources of the pairs' labels included. */
function describe(manifest: Manifest, seconds: number): string {
  const { corpus, train, heldout, masking, pairs } = manifest
  const line = (name: string, part: ManifestPart): string => {
    const { documents, instances, tokens, predictions, sources, skipped } = part
    const labels = Object.entries(sources).map(([source, times]) => `${source} ${count(times)}`)
    if (skipped > 0) labels.push(`skipped ${count(skipped)}`)
    return (
      `${name}: ${count(documents)} documents, ${count(instances)} instances, ${count(tokens)} tokens, ` +
      `${count(predictions)} masked; ${pairs.toUpperCase()} labels: ${labels.join(', ')}`
    )
  }
  return [
    `corpus: ${count(corpus.documents)} documents, ${count(corpus.sentences)} sentences, ` +
      `${count(corpus.tokens)} tokens; ${seconds.toFixed(1)} s`,
    line(masking === 'dynamic' ? 'train, as drawn once' : 'train', train),
    ...(heldout.instances > 0 ? [line('held out', heldout)] : []),
  ].join('\n')
}
