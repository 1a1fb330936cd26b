/** What folders hold: runs finished and not, benchmarks, and every fault with its file and line. */
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readFolders } from '../../src/report/read/folders.js'
import { readPredictions } from '../../src/report/read/predictions.js'
import { disagreements, readTestSets, worthReading } from '../../src/report/test_sets.js'
import {
  benchmarkFolder,
  finetuningRun,
  pretrainingRun,
  taggedPredictions,
  underFolder,
} from '../support/report_case.js'
import { folderWith } from '../support/temporary.js'

const test = suite('folders of reports')

function complaint(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return assert.unreachable('nothing was refused') as never
}

const entities = { task: 'entities', metric: 'f1', value: 0.8, seed: 1, predictions: taggedPredictions(1) }

test('runs are told apart, and those that have not ended are said to be so', () => {
  const folder = folderWith({
    ...underFolder('done', finetuningRun(entities)),
    ...underFolder('stopped', finetuningRun({ ...entities, stopped: true })),
    ...underFolder('pre', pretrainingRun(40, 40)),
    ...underFolder('half', pretrainingRun(20, 40)),
    'early/checkpoint-0/state.json': '{"kind": "finetune", "step": 0, "settings": {"total_steps": 9}}',
    'unknown/log.jsonl': '{"step": 1, "loss": 2, "mlm_loss": 1}\n',
    'other/readme.txt': 'nothing',
  })
  const { runs } = readFolders([folder])
  assert.equal(
    runs.map(({ name, kind, finished, step, totalSteps }) => [name, kind, finished, step, totalSteps]),
    [
      ['done', 'fine-tuning', true, 60, 60],
      ['early', 'fine-tuning', false, 0, 9],
      ['half', 'pretraining', false, 20, 40],
      ['pre', 'pretraining', true, 40, 40],
      ['stopped', 'fine-tuning', false, 60, 60],
      ['unknown', 'pretraining', undefined, 1, undefined],
    ],
  )
  const [done, early] = runs
  assert.equal([done.test?.f1, done.metric, done.bestStep, done.seconds], [0.8, 'f1', 50, 75.5])
  assert.is(early.log, undefined)
  assert.is(done.log?.series.get('dev.f1')?.length, 6)
})

test('a log that was cut in its last line is read without it; any other bad line is named', () => {
  const run = (log: string) => folderWith({ 'run/log.jsonl': log })
  const [cut] = readFolders([run('{"step": 1, "loss": 3}\n{"step": 2, "lo')]).runs
  assert.is(cut.step, 1)
  for (const line of ['{"step": 2, "lo', '{"loss": 2}', '[1]', 'null', '{"step": "2"}']) {
    const folder = run(`{"step": 1, "loss": 3}\n${line}\n{"step": 3}\n`)
    assert.match(
      complaint(() => readFolders([folder])),
      /log\.jsonl:2: found .*, expected a line of a training log/,
    )
  }
})

test('a folder that holds nothing, or is none, is refused', () => {
  const empty = folderWith({ 'a/b/readme.txt': 'x' })
  assert.match(
    complaint(() => readFolders([empty])),
    /: found no run, benchmark or profile, expected .*benchmark\.json/,
  )
  assert.match(
    complaint(() => readFolders([join(empty, 'nowhere')])),
    /nowhere: cannot be read: no such file or folder/,
  )
  assert.match(
    complaint(() => readFolders([join(empty, 'a/b/readme.txt')])),
    /readme\.txt: cannot be read: is not a folder/,
  )
  const good = folderWith(pretrainingRun(5, 5))
  assert.match(
    complaint(() => readFolders([good, empty])),
    new RegExp(empty),
  )
})

test('links are not followed, and a folder named twice is read once', () => {
  const folder = folderWith(underFolder('run', pretrainingRun(5, 5)))
  symlinkSync(join(folder, 'run'), join(folder, 'link'))
  mkdirSync(join(folder, 'inner'))
  symlinkSync(folder, join(folder, 'inner', 'circle'))
  assert.is(readFolders([folder, `${folder}/`]).runs.length, 1)
})

test('folders of the same name are told apart by their paths', () => {
  const folder = folderWith({
    ...underFolder('p/run', pretrainingRun(3, 3)),
    ...underFolder('q/run', pretrainingRun(3, 3)),
  })
  const names = readFolders([join(folder, 'p/run'), join(folder, 'q/run')]).runs.map(({ name }) => name)
  assert.equal(names, [join(folder, 'p/run'), join(folder, 'q/run')])
})

const sets = [
  { name: 'NCBI-disease', task: 'entities', metric: 'f1' },
  { name: 'DDI 2013', task: 'relations', metric: 'f1' },
]

test('runs of a benchmark have their set, model, seed and fold, whatever their folders are called', () => {
  const folder = folderWith(benchmarkFolder({ models: ['our model', 'other'], sets, seeds: [7, 8] }))
  const { runs, benchmarks } = readFolders([folder])
  assert.is(benchmarks.length, 1)
  const places = runs.map(({ place }) => `${place?.set}|${place?.model}|${place?.seed}`).sort()
  assert.equal(
    places,
    ['DDI 2013', 'NCBI-disease'].flatMap((set) =>
      ['other|7', 'other|8', 'our model|7', 'our model|8'].map((rest) => `${set}|${rest}`),
    ),
  )
  assert.ok(runs.every(({ place }) => place?.benchmark === folder))
  const killed = folderWith(underFolder('runs/GAD/base/seed-3-fold-2', finetuningRun(entities)))
  assert.equal(readFolders([killed]).runs[0].place, {
    set: 'GAD',
    model: 'base',
    seed: 3,
    fold: 2,
    benchmark: undefined,
  })
})

test('a benchmark of another form is refused with the place of the fault', () => {
  const good = benchmarkFolder({ models: ['a'], sets, seeds: [1] })
  const value = JSON.parse(good['benchmark.json']) as Record<string, unknown>
  const refusal = (change: object) => {
    const folder = folderWith({ 'benchmark.json': JSON.stringify({ ...value, ...change }) })
    return complaint(() => readFolders([folder]))
  }
  assert.match(
    refusal({ version: 2 }),
    /benchmark\.json: found at version: .*, expected the result of a benchmark, version 1/,
  )
  assert.match(refusal({ models: [{ name: 3, dir: '' }] }), /found at models\.0\.name/)
  assert.match(refusal({ published: [{ kind: 'best' }] }), /found at published\.0\./)
  const broken = folderWith({ 'benchmark.json': '{"format": ' })
  assert.match(
    complaint(() => readFolders([broken])),
    /benchmark\.json: found no JSON/,
  )
})

test('predictions of every form are read; a line that does not fit is named', () => {
  const read = (file: string, text: string) => readPredictions(join(folderWith({ [file]: text }), file))
  assert.equal(read('t.tsv', 'a\tO\tB-X\nb\tI\tO\n\nc\tO\tO\n'), {
    kind: 'tags',
    sentences: [
      { words: ['a', 'b'], gold: ['O', 'I'], predicted: ['B-X', 'O'] },
      { words: ['c'], gold: ['O'], predicted: ['O'] },
    ],
  })
  const table = 'index\tsentence\tgold\tpredicted\tp(x)\n4\tsome text\tx\ty\t0.2\n'
  const items = [
    {
      texts: [
        { name: 'index', text: '4' },
        { name: 'sentence', text: 'some text' },
      ],
      gold: 'x',
      predicted: 'y',
    },
  ]
  assert.equal(read('t.tsv', table), { kind: 'items', items })
  assert.equal(read('t.jsonl', '{"index": 4, "sentence": "some text", "gold": ["x"], "predicted": "y"}\n'), {
    kind: 'items',
    items,
  })
  assert.equal(read('t.json', '{"q1": "an answer", "n_best": {"q1": {}}}'), {
    kind: 'items',
    items: [{ texts: [{ name: 'question', text: 'q1' }], gold: undefined, predicted: 'an answer' }],
  })
  assert.equal(
    read('t.json', '{"questions": [{"id": "1", "body": "Why?", "exact_answer": [["a"], ["b"]]}]}'),
    {
      kind: 'items',
      items: [{ texts: [{ name: 'question', text: 'Why?' }], gold: undefined, predicted: 'a, b' }],
    },
  )
  assert.match(
    complaint(() => read('t.tsv', 'a\tO\tO\nb\tO\n')),
    /t\.tsv:2: found "b\\tO", expected a word, its tag/,
  )
  assert.match(
    complaint(() => read('t.tsv', 'a\tO\tQ\n')),
    /t\.tsv:1: found/,
  )
  assert.match(
    complaint(() => read('t.tsv', 'gold\tpredicted\na\tb\tc\n')),
    /t\.tsv:2: found 3 columns, expected the 2/,
  )
  assert.match(
    complaint(() => read('t.jsonl', '{"gold": 1}\n')),
    /t\.jsonl:1: found/,
  )
})

test('predictions on one test set come together, differences are counted word by word', () => {
  const run = (errors: number) => finetuningRun({ ...entities, predictions: taggedPredictions(errors) })
  const other = { extension: 'tsv', text: 'a\tO\tO\n\n' }
  const folder = folderWith({
    ...underFolder('a', run(1)),
    ...underFolder('b', run(3)),
    ...underFolder('c', finetuningRun({ ...entities, predictions: other })),
  })
  const found = readTestSets(readFolders([folder]).runs)
  assert.equal(
    found.map(({ models }) => models),
    [['a', 'b'], ['c']],
  )
  const [set] = found
  // sentences 2 and 3 of four have errors in b alone: a missed entity of one word and an invented one each
  assert.equal(disagreements(set), [{ a: 0, b: 1, all: 42, differ: 4, aRight: 4, bRight: 0, neither: 0 }])
  assert.equal(worthReading(set, 3), [1, 2, 0])
  assert.equal(worthReading(set, 100).length, 4)
})

test('of numbers the nearer one is better, and the farthest apart are read first', () => {
  const table = (answers: readonly string[]) => ({
    extension: 'tsv',
    text: `index\tgold\tpredicted\n${answers.map((answer, i) => `${i}\t${i}\t${answer}\n`).join('')}`,
  })
  const run = (...answers: string[]) =>
    finetuningRun({ task: 'similarity', metric: 'pearson', value: 0.5, seed: 1, predictions: table(answers) })
  const folder = folderWith({
    ...underFolder('a', run('0.5', '1.5', '2.1', '3.0')),
    ...underFolder('b', run('0.25', '3.5', '2.2', '3.0')),
  })
  const [set] = readTestSets(readFolders([folder]).runs)
  assert.equal(disagreements(set), [{ a: 0, b: 1, all: 4, differ: 3, aRight: 2, bRight: 1, neither: 0 }])
  assert.equal(worthReading(set, 4), [1, 0, 2, 3])
})

test.run()
