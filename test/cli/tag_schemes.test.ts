/** Data in any tag scheme through finetune and evaluate: the same run as in IOB2, which is what is written. */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { toyFolder } from '../support/toy_run.js'

const test = suite('tag schemes on the command line')

const folder = toyFolder({ train: 120, devel: 40, test: 50 }, 'Sign')
const names = ['train', 'devel', 'test'].map((name) => `${name}.tsv`)
const read = (path: string) => readFileSync(join(folder, path), 'utf8')

/** The toy sentences, whose entities have one word (B) or two (B, I) and never touch, in another scheme. */
function rewrite(to: string, first: string, second: string, single: string): void {
  cpSync(join(folder, 'd'), join(folder, to), { recursive: true })
  for (const name of names)
    writeFileSync(
      join(folder, to, name),
      read(`d/${name}`).replace(/\tB-Sign\n(\S+)\tI-Sign|\tB-Sign/g, (_, word?: string) =>
        word === undefined ? `\t${single}-Sign` : `\t${first}-Sign\n${word}\t${second}-Sign`,
      ),
    )
}
rewrite('iobes', 'B', 'E', 'S')
rewrite('bilou', 'B', 'L', 'U')
rewrite('ioe', 'I', 'E', 'E')
rewrite('io', 'I', 'I', 'I')

function bioalbert(line: string): { stdout: string; stderr: string } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, ...line.split(' ')], {
    cwd: folder,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  return { stdout, stderr }
}
const finetune = (data: string, ...more: string[]) =>
  bioalbert(
    [
      `finetune ner --preset nano --data ${data} --tokenizer v --out o-${data}`,
      '--batch 16 --learning-rate 1e-3 --total-steps 80 --eval-every 40',
      ...more,
    ].join(' '),
  )
const last = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) as string)
const expected = last(finetune('d', '--json').stdout)

test('data in IOB2 are said to be', () => {
  assert.is(expected.facts.scheme, 'IOB2')
  assert.ok(expected.test.f1 > 0.3, `F1 ${expected.test.f1}`)
})

for (const [data, scheme] of [
  ['iobes', 'IOBES'],
  ['bilou', 'BILOU'],
  ['ioe', 'IOE2'],
  ['io', 'IO'],
])
  test(`finetune and evaluate on ${scheme} are those on IOB2, and write IOB2`, () => {
    const { stdout, stderr } = finetune(data, '--json')
    assert.match(stderr, new RegExp(`tags are in ${scheme}, read and written as IOB2`))
    const result = last(stdout)
    assert.is(result.facts.scheme, scheme)
    assert.equal(result.test, expected.test)
    for (const file of ['model.safetensors', 'test_predictions.tsv', 'dev_predictions.tsv'])
      assert.is(read(`o-${data}/${file}`), read(`o-d/${file}`), file)
    const again = last(
      bioalbert(`evaluate ner --data ${data}/test.tsv --model o-d --out p-${data} --json`).stdout,
    )
    assert.is(again.facts.scheme, scheme)
    assert.equal(again.test, expected.test)
    assert.is(read(`p-${data}`), read('o-d/test_predictions.tsv'))
  })

test('people are told the scheme, and that predictions are in IOB2', () => {
  const { stdout } = bioalbert('evaluate ner --data bilou/test.tsv --model o-d --out p')
  assert.match(stdout, /bilou\/test\.tsv: tags are in BILOU, read and written as IOB2/)
  assert.match(read('p'), /^\S+\t[OBI]\S*\t[OBI]/)
})

test('a file without entities is of no scheme', () => {
  writeFileSync(join(folder, 'none.tsv'), 'the\tO\npatient\tO\n')
  const run = 'evaluate ner --data none.tsv --model o-d'
  assert.is(last(bioalbert(`${run} --json`).stdout).facts.scheme, null)
  assert.match(bioalbert(run).stdout, /none\.tsv: tags are O alone/)
})

test('scores of an earlier version, whose keys had spaces, are shown again', () => {
  const path = join(folder, 'o-io', 'scores.json')
  writeFileSync(path, read('o-io/scores.json').replaceAll('"paper_style"', '"paper style (inferred)"'))
  assert.equal(last(finetune('io', '--resume', '--json').stdout).test, expected.test)
  assert.match(finetune('io', '--resume').stdout, /token accuracy, paper style \(inferred\)/)
})

test.run()
