/** `corpus`: files and folders of text in any format to one sentence a line, a blank line between documents. */
import { Command, Option } from 'commander'
import { writeCorpus } from '../../data/corpus/corpus.js'
import type { CorpusReport } from '../../data/corpus/corpus_report.js'
import { formats } from '../../data/corpus/formats/index.js'
import { nonNegativeInteger, positiveInteger } from '../options.js'
import { count, note, printResult, table, warn, wrapped } from '../output.js'
import { progress } from '../progress.js'

interface Options {
  out: string
  format?: string
  labels: boolean
  strict?: boolean
  workers?: number
  minCharacters: number
  maxWords: number
  fill?: boolean
  json?: boolean
  quiet?: boolean
}

export function corpusCommand(): Command {
  return new Command('corpus')
    .summary('text of many formats to one sentence a line')
    .description('Writes text as one sentence a line, with a blank line between documents.')
    .argument('<path...>', 'files and folders, plain, .gz, .tar or .tar.gz; each file is told by its content')
    .requiredOption('--out <file>', 'file to write; the report goes to FILE.report.json')
    .option('--format <name>', 'format of all files, in place of what they look like')
    .addOption(
      new Option('--keep-labels', 'keep the labels of structured abstracts (default)').conflicts('labels'),
    )
    .option('--no-labels', 'leave out the labels of structured abstracts')
    .option('--strict', 'stop at the first record that is broken, in place of counting it')
    .option('--workers <n>', 'worker threads (default: one for each core)', positiveInteger)
    .option('--min-characters <n>', 'leave out lines shorter than this', nonNegativeInteger, 20)
    .option('--max-words <n>', 'divide sentences longer than this', positiveInteger, 512)
    .option('--fill', 'fill every line up to the most words from the sentences that follow')
    .option('--quiet', 'no progress on standard error')
    .option('--json', 'print one JSON object as the last line of standard output')
    .addHelpText('after', help())
    .action(run)
}

function help(): string {
  const width = Math.max(...formats.map(({ name }) => name.length))
  const lines = formats.flatMap(({ name, summary }) => {
    const [first, ...rest] = wrapped(summary, width + 4)
    return [`  ${name.padEnd(width)}  ${first.trimStart()}`, ...rest]
  })
  const notes = wrapped(
    'In folders and archives, plain text is taken from .txt files only. Of several records with one id the one with the highest ' +
      'version counts, the last among equals, so that update files come after the baseline. Finished parts lie in FILE.parts ' +
      'until the corpus is whole: after a kill the same command goes on.',
    0,
  )
  return `\nFormats:\n${lines.join('\n')}\n\n${notes.join('\n')}`
}

async function run(inputs: string[], options: Options): Promise<void> {
  const { out, format, labels, strict, workers, minCharacters, maxWords, fill, json, quiet } = options
  const controller = new AbortController()
  const { signal } = controller
  const onInterrupt = () => {
    // a second one does not wait for anything
    if (signal.aborted) process.exit(130)
    controller.abort()
  }
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt)
  let bar: ReturnType<typeof progress> | undefined
  try {
    const report = await writeCorpus({
      ...{ inputs, out, format, labels, strict, workers, minCharacters, maxWords, fillWords: fill, signal },
      progress(bytes, total) {
        const [done, all] = [Math.floor(bytes / 1e6), Math.ceil(total / 1e6)]
        bar ??= progress({ label: 'corpus', unit: 'MB', total: all, done, quiet })
        bar.update(done)
      },
    })
    bar?.stop()
    warnOfDefects(report)
    printResult(json, { ...report }, () => describe(report))
  } catch (error) {
    bar?.stop()
    if (!signal.aborted) throw error
    process.exitCode = 130
    note(`interrupted; the same command goes on with ${out}.parts`)
    if (json) printResult(json, { interrupted: true, out }, '')
  } finally {
    bar?.stop()
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt)
  }
}

function warnOfDefects({ defects, dropped }: CorpusReport): void {
  for (const { file, byte, detail } of defects) warn(`${file}: byte ${byte}: ${detail}`)
  const all = (dropped.broken ?? 0) + (dropped.too_large ?? 0)
  if (all > defects.length)
    warn(`and ${count(all - defects.length)} more records that are broken or too large`)
}

/** More sources than these are shown by format. */
const MOST_ROWS = 20

function describe(report: CorpusReport): string {
  const { out, documents, sentences, words, short, long, sources, otherFiles, parts, reusedParts } = report
  const rows = sources.length > MOST_ROWS ? byFormat(report) : sources
  const shown = table(
    ['source', 'format', 'documents', 'left out', 'sentences', 'words', 'why'],
    rows.map(({ file, format, lines, dropped }) => [
      file,
      format,
      count(lines.documents),
      count(Object.values(dropped).reduce((a, b) => a + b, 0)),
      count(lines.sentences),
      count(lines.words),
      reasons(dropped),
    ]),
  )
  const notes = [
    `${out}: ${count(documents)} documents, ${count(sentences)} sentences, ${count(words)} words; ` +
      `${count(short)} lines were too short, ${count(long)} sentences too long for one line`,
    ...(otherFiles > 0 ? [`${count(otherFiles)} other files were passed over`] : []),
    ...(reusedParts > 0 ? [`${count(reusedParts)} of ${count(parts)} parts were there before`] : []),
    `report: ${out}.report.json`,
  ]
  return [shown, '', ...notes].join('\n')
}

function byFormat({ sources }: CorpusReport): CorpusReport['sources'] {
  const sums = new Map<string, CorpusReport['sources'][number] & { files: number }>()
  for (const { format, lines, dropped } of sources) {
    const sum = sums.get(format)
    if (sum === undefined) {
      sums.set(format, { file: '', format, lines: { ...lines }, dropped: { ...dropped }, files: 1 })
      continue
    }
    sum.files++
    sum.lines.documents += lines.documents
    sum.lines.sentences += lines.sentences
    sum.lines.words += lines.words
    for (const [reason, more] of Object.entries(dropped))
      sum.dropped[reason] = (sum.dropped[reason] ?? 0) + more
  }
  return [...sums.values()].map((sum) => ({ ...sum, file: `${count(sum.files)} sources` }))
}

function reasons(dropped: Readonly<Record<string, number>>): string {
  return Object.entries(dropped)
    .map(([reason, times]) => `${reason.replaceAll('_', ' ')} ${count(times)}`)
    .join(', ')
}
