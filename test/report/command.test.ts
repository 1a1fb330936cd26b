/** `report` on the command line: what it writes, what it says, what it refuses. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { badInput } from '../support/bad_input.js'
import { commandLine } from '../support/paths.js'
import { finetuningRun, pretrainingRun, underFolder } from '../support/report_case.js'
import { folderWith } from '../support/temporary.js'

const test = suite('command report')

const files = {
  ...underFolder('pre', pretrainingRun(20, 40)),
  ...underFolder('fine', finetuningRun({ task: 'entities', metric: 'f1', value: 0.8, seed: 1 })),
}

function report(cwd: string, ...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, 'report', ...argv], {
    cwd,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  return stdout
}

test('a page is written into the first folder and takes the place of an earlier one; --json tells what is in it', () => {
  const folder = folderWith(files)
  const stdout = report(folder, 'pre', 'fine', '--json')
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
  const html = readFileSync(join(folder, 'pre', 'report.html'), 'utf8')
  assert.equal(result, {
    out: join('pre', 'report.html'),
    bytes: Buffer.byteLength(html),
    ...{ runs: 2, unfinished: 1, benchmarks: 0, profiles: 0 },
  })
  assert.match(html, '<title>Report on pre, fine</title>')
  assert.match(html, 'bioalbert report pre fine --json')
  writeFileSync(join(folder, 'pre', 'report.html'), 'earlier')
  assert.match(
    report(folder, 'pre', 'fine'),
    /^pre\/report\.html: 2 runs \(1 not finished\), 0 benchmarks, 0 profiles; /,
  )
  assert.match(readFileSync(join(folder, 'pre', 'report.html'), 'utf8'), '</html>')
})

test('title and place can be chosen, and the number of sentences', () => {
  const folder = folderWith(files)
  report(folder, '.', '--out', 'page.html', '--title', 'a < b', '--examples', '0')
  assert.match(readFileSync(join(folder, 'page.html'), 'utf8'), '<h1>a &lt; b</h1>')
  assert.equal(readdirSync(folder).sort(), ['fine', 'page.html', 'pre'])
})

badInput(test, [
  { name: 'no folder', argv: ['report'], status: 2, says: /missing required argument 'dir'/ },
  {
    name: 'a folder that is not there',
    argv: ['report', 'nowhere', '--json'],
    status: 1,
    says: /nowhere: cannot be read: no such file/,
  },
  {
    name: 'a folder that holds nothing',
    argv: ['report', '.'],
    files: { 'a.txt': '' },
    status: 1,
    says: /found no run, benchmark or profile/,
  },
  {
    name: 'a page that is none by its name',
    argv: ['report', 'pre', '--out', 'pre/log.jsonl'],
    files,
    status: 2,
    says: /log\.jsonl: a page is a file whose name ends in \.html/,
  },
  {
    name: 'a place that is not there',
    argv: ['report', 'pre', '--out', 'x/y.html'],
    files,
    status: 2,
    says: /x\/y\.html: x is no folder/,
  },
  {
    name: 'a place that is a folder',
    argv: ['report', 'pre', '--out', 'a.html'],
    files: { ...files, 'a.html/b': '' },
    status: 2,
    says: /a\.html: is a folder/,
  },
  {
    name: 'a number of sentences that is none',
    argv: ['report', 'pre', '--examples', 'all'],
    files,
    status: 2,
    says: /--examples/,
  },
  {
    name: 'scores that are none',
    argv: ['report', 'fine'],
    files: { ...files, 'fine/scores.json': '{"task": 3}' },
    status: 1,
    says: /scores\.json: found at task: .*expected the scores of a fine-tuning run/,
  },
  {
    name: 'predictions of another form',
    argv: ['report', 'fine', '--json'],
    files: { ...files, 'fine/test_predictions.tsv': 'a b\n' },
    status: 1,
    says: /test_predictions\.tsv:1: found "a b", expected a word/,
  },
])

test.run()
