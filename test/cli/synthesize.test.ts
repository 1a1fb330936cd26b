import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readNer } from '../../src/tasks/entities/reader_node.js'
import { commandLine } from '../support/paths.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'

const test = suite('synthesize command')

const run = (...argv: string[]) =>
  spawnSync(process.execPath, [commandLine, 'synthesize', ...argv], { encoding: 'utf8' })

test('writes corpus, labelled splits and examples of the wanted sizes', () => {
  const out = `${temporaryFolder()}/data`
  const sizes = ['--documents', '7', '--train', '5', '--devel', '4', '--test', '6']
  const { status, stdout, stderr } = run('--out', out, ...sizes, '--seed', '9', '--json')
  assert.is(status, 0, stderr)
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  assert.equal(result, { out, documents: 7, train: 5, devel: 4, test: 6, seed: 9 })
  assert.equal(readdirSync(out).sort(), ['corpus.txt', 'examples.txt', 'ner'])
  assert.is(readFileSync(`${out}/corpus.txt`, 'utf8').trimEnd().split('\n\n').length, 7)
  assert.is(readNer(`${out}/ner/train.tsv`).sentences.length, 5)
  assert.is(readNer(`${out}/ner/devel.tsv`).sentences.length, 4)
  assert.is(readNer(`${out}/ner/test.tsv`).sentences.length, 6)
})

test('a folder with something in it is left alone', () => {
  const out = folderWith({ mine: 'kept' })
  const { status, stderr } = run('--out', out)
  assert.is(status, 2)
  assert.match(stderr, /not empty/)
  assert.equal(readdirSync(out), ['mine'])
})

test('sizes that are none are refused and nothing is written', () => {
  const out = `${temporaryFolder()}/data`
  const { status, stderr } = run('--out', out, '--train', '0')
  assert.is(status, 2)
  assert.match(stderr, /whole number of 1 or more/)
  assert.not(existsSync(out))
})

test.run()
