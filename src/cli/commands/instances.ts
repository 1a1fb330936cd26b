/** `instances`: MLM + SOP pretraining instances from a corpus, in shards. */
import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { type BuildProgress, buildInstances } from '../../data/instance_build.js'
import { SINGLE_SENTENCE } from '../../data/instances.js'
import type { Manifest, ManifestPart } from '../../data/manifest.js'

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
  singleSentence: (typeof SINGLE_SENTENCE)[number]
  json?: boolean
}

export function instancesCommand(): Command {
  return new Command('instances')
    .description('make MLM + SOP pretraining instances in shards')
    .requiredOption('--corpus <file...>', 'one sentence a line, a blank line between documents (see: corpus)')
    .requiredOption('--tokenizer <dir>', 'vocabulary folder (see: vocab)')
    .requiredOption('--out <dir>', 'folder to make')
    .option('--seq-length <n>', 'most pieces of an instance, special ones included', Number, 512)
    .option(
      '--max-predictions <n>',
      'most masked pieces of an instance (20 in the papers, 15% would be 77)',
      Number,
      20,
    )
    .option(
      '--dupe-factor <n>',
      'copies of every document with masks of their own (static masking)',
      Number,
      10,
    )
    .addOption(
      new Option('--masking <when>', 'write masks to disk, or draw them when instances are read')
        .choices(['static', 'dynamic'])
        .default('static'),
    )
    .option('--seed <n>', 'seed of every draw', Number, 12345)
    .option('--workers <n>', 'threads; the result does not depend on it', Number, availableParallelism())
    .option('--short-seq-prob <p>', 'probability of a shorter target length', Number, 0.1)
    .option('--mask-prob <p>', 'share of pieces to mask', Number, 0.15)
    .option('--heldout <share>', 'share of documents held out for evaluation, 0 for none', Number, 0.01)
    .addOption(
      new Option('--single-sentence <what>', 'what a chunk of one sentence becomes')
        .choices(SINGLE_SENTENCE)
        .default('random_document'),
    )
    .option('--json', 'print one JSON object as the last line')
    .action(run)
}

async function run(options: Options): Promise<void> {
  const started = performance.now()
  const manifest = await buildInstances(
    {
      corpus: options.corpus,
      tokenizerDir: options.tokenizer,
      out: options.out,
      maxLength: options.seqLength,
      maxPredictions: options.maxPredictions,
      dupeFactor: options.dupeFactor,
      masking: options.masking,
      seed: options.seed,
      workers: options.workers,
      shortProbability: options.shortSeqProb,
      maskProbability: options.maskProb,
      heldOut: options.heldout,
      singleSentence: options.singleSentence,
    },
    reporter(),
  )
  const seconds = (performance.now() - started) / 1000
  report(manifest, seconds)
  if (options.json) {
    const { train, heldout, corpus, masking } = manifest
    const summary = ({ files, ...counts }: ManifestPart) => ({ ...counts, shards: files.length })
    console.log(
      JSON.stringify({
        out: options.out,
        masking,
        corpus,
        train: summary(train),
        heldout: summary(heldout),
        seconds,
      }),
    )
  }
}

function report(manifest: Manifest, seconds: number): void {
  const { corpus, train, heldout } = manifest
  const line = (
    name: string,
    { documents, instances, tokens, predictions, sources, skipped }: ManifestPart,
  ) => {
    const labels = Object.entries(sources).map(([source, count]) => `${source} ${count}`)
    if (skipped > 0) labels.push(`skipped ${skipped}`)
    console.error(
      `${name}: ${documents} documents, ${instances} instances, ${tokens} tokens, ${predictions} masked; ` +
        `SOP labels: ${labels.join(', ')}`,
    )
  }
  console.error(
    `corpus: ${corpus.documents} documents, ${corpus.sentences} sentences, ${corpus.tokens} tokens; ${seconds.toFixed(1)} s`,
  )
  line(manifest.masking === 'dynamic' ? 'train (as drawn once)' : 'train', train)
  if (heldout.instances > 0) line('held out', heldout)
}

/** Progress on stderr: one changing line on a terminal, a line now and then elsewhere. */
function reporter(): (progress: BuildProgress) => void {
  let last = 0
  let stageStart = performance.now()
  let stage = ''
  return (progress) => {
    const now = performance.now()
    if (progress.stage !== stage) {
      stage = progress.stage
      stageStart = now
    }
    const terminal = process.stderr.isTTY
    const finished = progress.done === progress.total
    if (!finished && now - last < (terminal ? 200 : 5000)) return
    last = now
    const rate = progress.tokens / Math.max(1e-3, (now - stageStart) / 1000)
    const percent = ((100 * progress.done) / progress.total).toFixed(0).padStart(3)
    const text = `${stage} ${percent}%  ${progress.tokens} tokens  ${(rate / 1e6).toFixed(2)} M tokens/s`
    process.stderr.write(terminal ? `\r\x1b[K${text}${finished ? '\n' : ''}` : `${text}\n`)
  }
}
