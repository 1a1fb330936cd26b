/** `synthesize`: a synthetic corpus with labelled sentences, for trying the other commands without any data. */
import { join } from 'node:path'
import { Command } from 'commander'
import { generateCorpus, generateExamples, generateNer } from '../../data/corpus/synthetic.js'
import { folderAtomic, makeFolder, writeSynced } from '../../files.js'
import { addShared, positiveInteger } from '../options.js'
import { count, printResult } from '../output.js'

interface Options {
  out: string
  documents: number
  train: number
  devel: number
  test: number
  seed: number
  json?: boolean
}

export function synthesizeCommand(): Command {
  const command = new Command('synthesize')
    .summary('write a synthetic corpus with labelled entities')
    .description(
      'Writes invented abstracts (corpus.txt), sentences in which diseases are labelled (ner/train.tsv, ' +
        'ner/devel.tsv, ner/test.tsv) and a few unlabelled ones (examples.txt) to a new folder.',
    )
    .requiredOption('--out <folder>', 'folder to write, new or empty')
    .option('--documents <n>', 'abstracts of the corpus', positiveInteger, 2000)
    .option('--train <n>', 'labelled sentences to train on', positiveInteger, 150)
    .option('--devel <n>', 'labelled sentences to choose by', positiveInteger, 150)
    .option('--test <n>', 'labelled sentences to score', positiveInteger, 400)
  return addShared(command, 'seed', 'json').action(async (options: Options) => {
    const { out, documents, train, devel, test, seed, json } = options
    await folderAtomic(out, async (folder) => {
      makeFolder(join(folder, 'ner'))
      writeSynced(join(folder, 'corpus.txt'), generateCorpus(seed, documents))
      writeSynced(join(folder, 'ner', 'train.tsv'), generateNer(seed, train, 'train'))
      writeSynced(join(folder, 'ner', 'devel.tsv'), generateNer(seed, devel, 'devel'))
      writeSynced(join(folder, 'ner', 'test.tsv'), generateNer(seed, test, 'test'))
      const examples = generateExamples(seed, 3).map(({ text }) => `${text}\n`)
      writeSynced(join(folder, 'examples.txt'), examples.join(''))
    })
    printResult(
      json,
      { out, documents, train, devel, test, seed },
      `${out}: ${count(documents)} abstracts, ${count(train)} + ${count(devel)} + ${count(test)} labelled ` +
        'sentences (train + devel + test)',
    )
  })
}
