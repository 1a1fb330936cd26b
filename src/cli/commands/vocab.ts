/** `vocab import` and `vocab train`: a vocabulary folder from someone else's file, or from text. */
import { statSync } from 'node:fs'
import { Command } from 'commander'
import { loadTokenizer } from '../../data/tokenizer/tokenizer_node.js'
import { importVocabulary } from '../../data/tokenizer/vocabulary_import.js'
import { trainVocabulary } from '../../data/tokenizer/vocabulary_train.js'
import { UserError } from '../../error.js'
import { refuseExisting } from '../../files.js'
import { positiveInteger, positiveNumber } from '../options.js'
import { count, printResult, warn } from '../output.js'
import { progress } from '../progress.js'

interface ImportFlags {
  out: string
  digitComma: boolean
  cased?: boolean
  json?: boolean
}

interface TrainFlags {
  out: string
  size: number
  cased?: boolean
  characterCoverage: number
  json?: boolean
  quiet?: boolean
}

export function vocabCommand(): Command {
  const command = new Command('vocab')
    .summary('import a vocabulary, or train one')
    .description(
      'Makes a vocabulary folder: tokenizer.json and tokenizer_config.json, as Hugging Face reads them.',
    )
  command
    .command('import')
    .summary('take over a spiece.model (ALBERT) or a vocab.txt (BERT)')
    .description('Takes over a SentencePiece unigram model (spiece.model) or a WordPiece list (vocab.txt).')
    .argument('<file>', 'spiece.model or vocab.txt')
    .requiredOption('--out <dir>', 'folder to write')
    .option('--no-digit-comma', "leave out ALBERT's rule that sets a comma after a digit apart")
    .option('--cased', 'keep upper case (default: lower case, but for a vocab.txt with capital letters)')
    .option('--json', 'print one JSON object as the last line of standard output')
    .action(runImport)
  command
    .command('train')
    .summary('train a unigram vocabulary on text')
    .description('Trains a unigram vocabulary on text, normalised like ALBERT.')
    .argument('<file...>', 'text in UTF-8')
    .requiredOption('--out <dir>', 'folder to write')
    .option('--size <n>', 'pieces in all, the five special ones included', positiveInteger, 8000)
    .option('--cased', 'keep upper case')
    .option(
      '--character-coverage <share>',
      'share of characters with a piece of their own',
      positiveNumber,
      0.9995,
    )
    .option('--quiet', 'no progress on standard error')
    .option('--json', 'print one JSON object as the last line of standard output')
    .action(runTrain)
  return command
}

function runImport(file: string, { out, digitComma, cased, json }: ImportFlags): void {
  refuseExisting(out)
  const lowercase = cased ? false : undefined
  const { kind, pieces } = importVocabulary(file, out, { digitComma, lowercase })
  const { digest } = loadTokenizer(out)
  printResult(json, { out, kind, pieces, digest }, `${out}: ${kind}, ${count(pieces)} pieces`)
}

function runTrain(files: string[], { out, size, cased, characterCoverage, json, quiet }: TrainFlags): void {
  let total = 0
  for (const file of files) {
    const status = statSync(file, { throwIfNoEntry: false })
    if (status === undefined) throw new UserError(`${file}: no such file`)
    total += status.size
  }
  const bar = progress({ label: 'reading', unit: 'bytes', total, quiet })
  try {
    const result = trainVocabulary({ files, out, size, lowercase: !cased, characterCoverage }, (bytes) =>
      bar.update(bytes),
    )
    bar.stop()
    const { digest } = loadTokenizer(out)
    if (result.pieces < size) warn(`the text has no use for more than ${count(result.pieces)} pieces`)
    printResult(
      json,
      { out, kind: 'unigram', ...result, digest },
      `${out}: unigram, ${count(result.pieces)} pieces`,
    )
  } finally {
    bar.stop()
  }
}
