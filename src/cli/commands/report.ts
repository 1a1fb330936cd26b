/** `report`: one page of HTML from the folders of runs, benchmarks and profiles. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { UsageError } from '../../error.js'
import { writeFileAtomic } from '../../files.js'
import { packageRoot } from '../../paths.js'
import { reportPage } from '../../report/page.js'
import { readFolders } from '../../report/read/folders.js'
import { addShared, nonNegativeInteger } from '../options.js'
import { bytes, printResult } from '../output.js'

interface Options {
  out?: string
  title?: string
  examples: number
  json?: boolean
}

export function reportCommand(): Command {
  const command = new Command('report')
    .description(
      'One HTML file from the folders of runs (pretrain, finetune) and benchmarks, finished or not, or of folders that hold ' +
        'them: curves, scores with intervals, confusion, predictions side by side, profiles. A folder may also hold what ' +
        '`profile --json` printed, as profile.json, and its --roofline, as roofline.svg.',
    )
    .argument('<dir...>', 'folders')
    .option('--out <file>', 'the page (default: report.html in the first folder)')
    .option('--title <text>', 'its heading (default: the names of the folders)')
    .option('--examples <n>', 'sentences or items to show of each test set, at most', nonNegativeInteger, 12)
  return addShared(command, 'json').action(run)
}

async function run(dirs: string[], options: Options): Promise<void> {
  const { title, examples, json } = options
  const report = readFolders(dirs)
  const out = options.out ?? join(dirs[0], 'report.html')
  refuseOut(out)
  const page = await reportPage(report, {
    title: title ?? `Report on ${dirs.map((dir) => basename(resolve(dir))).join(', ')}`,
    examples,
    command: ['bioalbert', ...process.argv.slice(2)],
    versions: [
      ['bioalbert', version()],
      ['Node.js', process.versions.node],
    ],
  })
  writeFileAtomic(out, page)
  const { runs, benchmarks, profiles } = report
  const unfinished = runs.filter((one) => one.finished === false).length
  const size = Buffer.byteLength(page)
  printResult(
    json,
    {
      out,
      bytes: size,
      runs: runs.length,
      unfinished,
      benchmarks: benchmarks.length,
      profiles: profiles.length,
    },
    `${out}: ${runs.length} runs${unfinished > 0 ? ` (${unfinished} not finished)` : ''}, ${benchmarks.length} benchmarks, ` +
      `${profiles.length} profiles; ${bytes(size)}`,
  )
}

/** A page takes the place of an earlier one, and of nothing else. */
function refuseOut(out: string): void {
  if (!/\.html?$/i.test(out)) throw new UsageError(`${out}: a page is a file whose name ends in .html`)
  const folder = dirname(resolve(out))
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`${out}: ${dirname(out)} is no folder`)
  if (existsSync(out) && statSync(out).isDirectory()) throw new UsageError(`${out}: is a folder, want a file`)
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version
}
