/**
 * `demo`, what `npm start` runs: the whole way on invented text. Every step is a command of this program, shown as one
 * would type it and run in a process of its own.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { UserError } from '../../error.js'
import { addShared } from '../options.js'
import { duration, printResult, table } from '../output.js'

interface Options {
  out: string
  short?: boolean
  seed: number
  json?: boolean
}

type Result = Record<string, unknown>

/** How much of everything. */
interface Size {
  documents: number
  pretrainSteps: number
  finetuneSteps: number
}

const FULL: Size = { documents: 2000, pretrainSteps: 5000, finetuneSteps: 400 }
const SHORT: Size = { documents: 300, pretrainSteps: 200, finetuneSteps: 150 }

const main = fileURLToPath(new URL('../main.js', import.meta.url))

/** Shows and runs one command; its last line of standard output, as JSON, is the result. */
function runStep(why: string, argv: string[], json: boolean): Promise<Result> {
  process.stderr.write(`\n# ${why}\n$ bioalbert ${argv.join(' ')}\n`)
  const child = spawn(process.execPath, [main, ...argv, ...(json ? ['--json'] : [])], {
    stdio: ['ignore', json ? 'pipe' : 'inherit', 'inherit'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code !== 0) reject(new UserError(`${argv[0]} ended with ${signal ?? `status ${code}`}`))
      else resolve(json ? (JSON.parse(output.trimEnd().split('\n').at(-1)!) as Result) : {})
    })
  })
}

/** Empties the folder of an earlier demo; refuses one that is not. */
function clear(out: string): void {
  if (!existsSync(out)) return
  if (!existsSync(join(out, 'data', 'examples.txt')))
    throw new UserError(`${out} exists and is not the folder of an earlier demo; name another with --out`)
  rmSync(out, { recursive: true })
}

const percent = (value: unknown) => (100 * Number(value)).toFixed(1)

/** The scores of both models; those of the short form come with a warning. */
export function scoresText(pretrained: Result, random: Result, isShort: boolean): string {
  const row = (name: string, { precision, recall, f1 }: Result) => [
    name,
    percent(precision),
    percent(recall),
    percent(f1),
  ]
  const scores = table(
    ['entities of the test set', 'precision', 'recall', 'F1'],
    [row('pretrained', pretrained), row('random weights', random)],
  )
  const warning =
    'The short form shows that every step runs. It trains too little for these scores, 0.0 among them, to mean anything:\n' +
    'without --short they show what pretraining is worth.'
  return isShort ? `${scores}\n${warning}` : scores
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .summary('run the whole of it on a small synthetic corpus')
    .description(
      'Invents a corpus with labelled sentences, trains a vocabulary, pretrains a small ALBERT, fine-tunes it and ' +
        'one with random weights to find diseases, scores both, and labels three sentences.',
    )
    .option('--out <folder>', 'folder to work in; that of an earlier demo is emptied', join('runs', 'demo'))
    .option('--short', 'a few steps of everything, to see that it works; too few for scores to mean anything')
  return addShared(command, 'seed', 'json').action(async (options: Options) => {
    const { out, seed, json } = options
    const size = options.short ? SHORT : FULL
    const started = performance.now()
    clear(out)
    const at = (...parts: string[]) => join(out, ...parts)
    const seeded = ['--seed', String(seed)]

    const step = (why: string, ...argv: string[]) => runStep(why, argv, true)
    await step(
      'invent abstracts, and sentences with labelled diseases',
      'synthesize',
      '--out',
      at('data'),
      '--documents',
      String(size.documents),
      ...seeded,
    )
    await step(
      'learn a vocabulary',
      'vocab',
      'train',
      at('data', 'corpus.txt'),
      '--size',
      '1000',
      '--out',
      at('vocab'),
    )
    await step('one sentence a line', 'corpus', at('data', 'corpus.txt'), '--out', at('sentences.txt'))
    await step(
      'pairs of segments with masked words',
      'instances',
      '--corpus',
      at('sentences.txt'),
      '--tokenizer',
      at('vocab'),
      '--out',
      at('instances'),
      // short sequences and many updates: what breaks the plateau of masked language modelling soonest
      '--seq-length',
      '48',
      '--max-predictions',
      '8',
      '--short-seq-prob',
      '0',
      ...seeded,
    )
    const pretrained = await step(
      'pretrain',
      'pretrain',
      '--preset',
      'nano',
      '--instances',
      at('instances'),
      '--tokenizer',
      at('vocab'),
      '--out',
      at('pretrained'),
      '--total-steps',
      String(size.pretrainSteps),
      ...seeded,
    )
    const finetune = [
      'finetune',
      'entities',
      '--preset',
      'nano',
      '--data',
      at('data', 'ner'),
      '--total-steps',
      String(size.finetuneSteps),
      ...seeded,
    ]
    const after = await step(
      'fine-tune the pretrained model to find diseases',
      ...finetune,
      '--model',
      at('pretrained'),
      '--out',
      at('diseases'),
    )
    const without = await step(
      'the same from random weights',
      ...finetune,
      '--tokenizer',
      at('vocab'),
      '--out',
      at('diseases-random'),
    )
    await runStep(
      'label sentences',
      ['predict', '--model', at('diseases'), at('data', 'examples.txt')],
      false,
    )

    const scores = scoresText(after.test as Result, without.test as Result, options.short ?? false)
    const seconds = (performance.now() - started) / 1000
    const words = readFileSync(at('data', 'ner', 'test.tsv'), 'utf8')
      .split('\n')
      .filter((l) => l !== '').length
    printResult(
      json,
      {
        out,
        short: options.short ?? false,
        seconds,
        words,
        pretrain: pretrained,
        pretrained: after.test,
        random: without.test,
      },
      `\n${scores}\n${words} words scored; everything is in ${out}; ${duration(seconds)}`,
    )
  })
}
