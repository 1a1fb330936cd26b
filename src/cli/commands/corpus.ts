/** `corpus`: text files to one sentence a line, a blank line between documents. */
import { Command } from 'commander'
import { writeCorpus } from '../../data/corpus/corpus.js'
import { nonNegativeInteger, positiveInteger } from '../options.js'
import { count, printResult } from '../output.js'
import { progress } from '../progress.js'

interface Options {
  out: string
  minCharacters: number
  maxWords: number
  fill?: boolean
  json?: boolean
  quiet?: boolean
}

export function corpusCommand(): Command {
  return new Command('corpus')
    .summary('text files to one sentence a line')
    .description('Splits text into one sentence a line, with a blank line between documents.')
    .argument('<file...>', 'plain text: a line is a paragraph, a blank line ends a document')
    .requiredOption('--out <file>', 'file to write')
    .option('--min-characters <n>', 'leave out lines shorter than this', nonNegativeInteger, 20)
    .option('--max-words <n>', 'divide sentences longer than this', positiveInteger, 512)
    .option('--fill', 'fill every line up to the most words from the sentences that follow')
    .option('--quiet', 'no progress on standard error')
    .option('--json', 'print one JSON object as the last line of standard output')
    .action((files: string[], options: Options) => {
      const { out, minCharacters, maxWords, fill, json, quiet } = options
      const bar = progress({ label: 'corpus', unit: 'documents', quiet })
      try {
        const counts = writeCorpus(
          { files, out, minCharacters, maxWords, fillWords: fill },
          ({ documents }) => bar.update(documents),
        )
        bar.stop()
        const { documents, sentences, words, short, long } = counts
        printResult(
          json,
          { out, ...counts },
          `${out}: ${count(documents)} documents, ${count(sentences)} sentences, ${count(words)} words; ` +
            `${count(short)} lines were too short, ${count(long)} sentences too long for one line`,
        )
      } finally {
        bar.stop()
      }
    })
}
