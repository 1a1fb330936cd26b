/** Where the system reports 0 free bytes, as in a jail without /proc, nothing is refused for it, and it is said. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { pretrainingData } from '../support/pretraining_case.js'
import { toyFolder } from '../support/toy_run.js'

const test = suite('unknown memory')

const { folder } = await pretrainingData({ documents: 40 })
const ner = toyFolder({ train: 8, devel: 4, test: 4 })

/** Runs a command in a process that is told of this many free bytes. */
function run(line: string, cwd: string, free = 0): { status: number | null; stdout: string; stderr: string } {
  const told = `data:text/javascript,process.availableMemory = () => ${free}`
  const argv = ['--import', told, commandLine, ...line.split(' ')]
  return spawnSync(process.execPath, argv, { cwd, encoding: 'utf8' })
}
const said = /^bioalbert: warning: how much memory is free cannot be known here .* was not checked$/m

const pretrain = 'pretrain --preset nano --instances i --tokenizer v --total-steps 1 --quiet'
const cases: [name: string, line: string, cwd: string][] = [
  ['pretrain', `${pretrain} --out p`, folder],
  [
    'finetune',
    'finetune ner --preset nano --data d --tokenizer v --total-steps 1 --max-length 32 --quiet --out o',
    ner,
  ],
  ['profile', 'profile predict --preset nano --vocabulary 100 --rows 32 --length 32 --steps 1', ner],
  ['bench', 'bench runtime --models bioalbert-base --rows 16 --length 16 --steps 1 --quiet', ner],
]
for (const [name, line, cwd] of cases)
  test(`${name} runs and says so`, () => {
    const { status, stderr } = run(line, cwd)
    assert.is(status, 0, stderr)
    assert.match(stderr, said)
  })

test('known memory is not spoken of, and too little of it refuses the run', () => {
  const { status, stderr } = run(`${pretrain} --out q`, folder, 2 ** 40)
  assert.is(status, 0, stderr)
  assert.not.match(stderr, /memory/)
  const refused = run(`${pretrain} --out r`, folder, 1)
  assert.is(refused.status, 1)
  assert.match(refused.stderr, /not enough memory/)
})

test('plan tells the need, and neither that it fits nor that it does not', () => {
  const text = run('plan --preset nano', ner)
  assert.is(text.status, 0, text.stderr)
  assert.match(text.stdout, /cannot be known here \(0 bytes are reported\)/)
  assert.not.match(text.stdout, /fit/)
  const json = JSON.parse(run('plan --preset nano --json', ner).stdout)
  assert.equal([json.available_bytes, json.fits], [null, null])
})

test.run()
