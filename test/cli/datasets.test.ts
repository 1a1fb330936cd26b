/** `datasets`: the list, and a folder checked against it. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { noSharedData, sharedData } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { folderWith } from '../support/temporary.js'
import { toyFiles } from '../support/toy_ner.js'

const test = suite('datasets')

interface Listed {
  name: string
  check?: { state: string; folder: string | null; differs: string[]; release: string | null }
}

function datasets(...argv: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, 'datasets', ...argv], {
    encoding: 'utf8',
  })
  const json = argv.includes('--json') ? JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') : {}
  return { stdout, stderr, status, json: json as { sets: Listed[]; found: number; differ: number } }
}

test('without a folder it lists every set with its task, its counts and what it takes to get it', () => {
  const { stdout, status } = datasets()
  assert.is(status, 0)
  assert.match(stdout, /^NCBI-disease +entities +5,424 \/ 923 \/ 940 +sentences/m)
  assert.match(stdout, /^MedNLI +inference .*wants credentialed access at PhysioNet/m)
  assert.match(stdout, /BIOSSES is small/)
  assert.is(datasets('--json').json.sets.length, 23)
})

test('a set that differs is said; it ends in status 1 with --strict only', () => {
  const files = toyFiles({ train: 3, devel: 2, test: 2 })
  const root = folderWith(
    Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path.replace(/^d\//, 'ner/BC2GM/'), text]),
    ),
  )
  const { status, json } = datasets('--data', root, '--json')
  assert.is(status, 0)
  assert.equal([json.found, json.differ], [1, 1])
  const check = json.sets.find(({ name }) => name === 'BC2GM')?.check
  assert.is(check?.state, 'differs')
  assert.equal(check?.differs, [
    'train has 3, 12,574 as released (BioBERT)',
    'dev has 2, 2,519 as released (BioBERT)',
    'test has 2, 5,038 as released (BioBERT)',
  ])
  const strict = datasets('--data', root, '--strict')
  assert.is(strict.status, 1)
  assert.match(strict.stdout, /BC2GM: test has 2, 5,038 as released/)
  assert.match(strict.stdout, /1 of 23 data sets are below .*; 1 differ/)
})

test('a file that cannot be read as its task is named with its line', () => {
  const root = folderWith({ 'HoC/train.tsv': 'nonsense\n', 'HoC/dev.tsv': '', 'HoC/test.tsv': '' })
  const { json } = datasets('--data', root, '--json')
  const check = json.sets.find(({ name }) => name === 'HoC')?.check
  assert.is(check?.state, 'unreadable')
  assert.match(check?.differs[0] ?? '', /HoC\/train\.tsv/)
})

test('a folder that is not there is refused', () => {
  const { status, stderr } = datasets('--data', '/nowhere/at/all')
  assert.is(status, 1)
  assert.match(stderr, /\/nowhere\/at\/all: found no folder/)
})

const name = 'the public sets are as released, every one of them'
if (sharedData === undefined) skip(test, name, noSharedData)
else
  test(name, () => {
    const { status, json } = datasets('--data', sharedData as string, '--strict', '--json', '--quiet')
    assert.is(status, 0)
    const there = json.sets.filter(({ check }) => check?.state !== 'missing')
    assert.ok(there.length >= 13, there.map(({ name }) => name).join())
    for (const { name, check } of there) assert.is(check?.state, 'as released', name)
  })

test.run()
