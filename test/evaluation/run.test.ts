/** Runs one after another: their order, what is skipped, resumed and refused, what a killed evaluation leaves. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../src/error.js'
import { remarksOf, sectionsOf } from '../../src/evaluation/format.js'
import { pinPlan, plannedIn } from '../../src/evaluation/pin.js'
import { type BenchmarkSet, planRuns, runFolder } from '../../src/evaluation/plan.js'
import type { BenchmarkRecord } from '../../src/evaluation/record.js'
import { type EvaluationHooks, runEvaluation } from '../../src/evaluation/run.js'
import type { Tally } from '../../src/tasks/task.js'
import { temporaryFolder } from '../support/temporary.js'
import { ToyInterruption, ToyRunner, toyModel, toySet, writeRun } from '../support/toy_evaluation.js'

const test = suite('evaluation: runs')

const sets = [toySet('MedNLI'), toySet('ShARe/CLEFE')]
const models = [toyModel('one'), toyModel('two')]
const units: Tally[] = [
  [1, 1],
  [0, 1],
  [1, 1],
  [1, 1],
]

interface Choices {
  sets?: BenchmarkSet[]
  models?: ReturnType<typeof toyModel>[]
  seeds?: number[]
  options?: Record<string, string | number | boolean>
}

function evaluate(out: string, runner: ToyRunner, choices: Choices = {}, hooks: EvaluationHooks = {}) {
  const { sets: s = sets, models: m = models, seeds = [7, 8], options = { clip: 1 } } = choices
  const wanted = planRuns(s, m, seeds, 2)
  const runs = pinPlan(out, { options, models: m, sets: s, runs: wanted })
  const rateOf = () => (sum: Tally) => sum[0] / sum[1]
  return runEvaluation(
    { out, runs, wanted, version: '1.2.3', command: ['benchmark'], rateOf, seed: 1, samples: 50 },
    runner,
    hooks,
  )
}

function written(out: string): BenchmarkRecord {
  return JSON.parse(readFileSync(join(out, 'benchmark.json'), 'utf8')) as BenchmarkRecord
}

async function refusal(act: () => unknown): Promise<string> {
  try {
    await act()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

test('every model is on every set with the first seed before the second seed begins', async () => {
  const out = temporaryFolder()
  const runner = new ToyRunner(() => units)
  const record = await evaluate(out, runner)
  assert.equal(runner.ran, [
    'runs/MedNLI/one/seed-7',
    'runs/MedNLI/two/seed-7',
    'runs/ShARe-CLEFE/one/seed-7',
    'runs/ShARe-CLEFE/two/seed-7',
    'runs/MedNLI/one/seed-8',
    'runs/MedNLI/two/seed-8',
    'runs/ShARe-CLEFE/one/seed-8',
    'runs/ShARe-CLEFE/two/seed-8',
  ])
  assert.equal(written(out), record)
  assert.is(record.left, 0)
  assert.equal(
    record.scores.map(({ set, model, mean }) => [set, model, mean]),
    [
      ['MedNLI', 'one', 0.75],
      ['MedNLI', 'two', 0.75],
      ['ShARe/CLEFE', 'one', 0.75],
      ['ShARe/CLEFE', 'two', 0.75],
    ],
  )
  assert.ok(record.runs.every((run) => !('units' in run)))
})

test('folds come inside a seed, as many as are asked for', () => {
  const runs = planRuns([toySet('GAD'), sets[0]], [models[0]], [1], 2)
  assert.equal(
    runs.map(({ dir, fold }) => [dir, fold]),
    [
      ['runs/GAD/one/seed-1-fold-1', 1],
      ['runs/GAD/one/seed-1-fold-2', 2],
      ['runs/MedNLI/one/seed-1', undefined],
    ],
  )
  assert.is(planRuns([toySet('GAD')], [models[0]], [1], 'all').length, 10)
  assert.is(runFolder('a b', 'm', 3), 'runs/a-b/m/seed-3')
})

test('an evaluation that died in its third run goes on with that one, and ends in the same summary', async () => {
  const straight = await evaluate(temporaryFolder(), new ToyRunner(() => units))
  const out = temporaryFolder()
  const dying = new ToyRunner(
    () => units,
    (_, nth) => {
      if (nth === 3) throw new Error('power failed')
    },
  )
  assert.is(await refusal(() => evaluate(out, dying)), 'power failed')
  const between = written(out)
  assert.is(between.runs.length, 2)
  assert.is(between.left, 6)
  assert.match(remarksOf(between).join('\n'), /6 runs are left/)
  const second = new ToyRunner(() => units)
  assert.equal(await evaluate(out, second), straight)
  assert.equal(second.ran[0], 'runs/ShARe-CLEFE/one/seed-7')
  assert.is(second.ran.length, 6)
  const third = new ToyRunner(() => units)
  assert.equal(await evaluate(out, third), straight)
  assert.equal(third.ran, [])
})

test('a person’s interruption ends all runs, a run’s own failure only that one', async () => {
  const out = temporaryFolder()
  const stopped = new ToyRunner(
    () => units,
    (_, nth) => {
      if (nth === 2) throw new ToyInterruption('stopped')
    },
  )
  assert.is(await refusal(() => evaluate(out, stopped)), 'stopped')
  assert.is(stopped.ran.length, 2)
  const failures: string[] = []
  const failing = new ToyRunner(
    () => units,
    (run) => {
      if (run.set.name === 'MedNLI' && run.model.name === 'two') throw new UserError('the loss is NaN')
    },
  )
  const record = await evaluate(out, failing, {}, { onFailure: ({ dir }) => failures.push(dir) })
  assert.equal(failures, ['runs/MedNLI/two/seed-7', 'runs/MedNLI/two/seed-8'])
  assert.is(record.runs.length, 6)
  assert.is(record.left, 2)
  assert.equal(record.failures[0], {
    ...{ set: 'MedNLI', model: 'two', seed: 7, dir: 'runs/MedNLI/two/seed-7' },
    error: 'the loss is NaN',
  })
  // tried again the next time
  assert.equal((await evaluate(out, new ToyRunner(() => units))).failures, [])
})

test('models, sets and seeds may be added, and those of before stay in the summary', async () => {
  const out = temporaryFolder()
  await evaluate(out, new ToyRunner(() => units), { sets: [sets[0]], models: [models[0]], seeds: [7] })
  const more = new ToyRunner(() => units)
  const record = await evaluate(out, more, { sets: [sets[1]], models: [models[1]], seeds: [8] })
  assert.equal(more.ran, ['runs/ShARe-CLEFE/two/seed-8'])
  assert.equal(
    record.models.map(({ name }) => name),
    ['one', 'two'],
  )
  assert.equal(
    record.sets.map(({ name }) => name),
    ['MedNLI', 'ShARe/CLEFE'],
  )
  assert.is(record.runs.length, 2)
})

test('other options, other weights under a name, other data: each is refused with its name and both values', async () => {
  const out = temporaryFolder()
  const nothing = new ToyRunner(() => units)
  await evaluate(out, nothing, { options: { clip: 1, epochs: 3 } })
  const options = { clip: 1, epochs: 3 }
  const say = (choices: Choices) => refusal(() => evaluate(out, nothing, { options, ...choices }))
  assert.match(
    await say({ options: { clip: 2, batch: 16 } }),
    /other options \(--batch was not given, now 16; --clip was 1, now 2; --epochs was 3, now not given\)/,
  )
  assert.match(
    await say({ models: [toyModel('one', 'other')] }),
    /weights .* of model one in .* have changed/,
  )
  const moved = { ...toyModel('one', 'other'), dir: '/elsewhere' }
  assert.match(await say({ models: [moved] }), /model one was \/models\/one, now \/elsewhere/)
  assert.match(
    await say({ sets: [{ ...sets[0], train: 9 }] }),
    /MedNLI had 8 \/ 2 \/ 4 items, now 9 \/ 2 \/ 4/,
  )
  assert.match(await say({ sets: [{ ...sets[0], form: 'odd' }] }), /was read as usual, now as odd/)
  assert.is(written(out).runs.length, 8)
})

test('a look at a plan writes nothing, and a folder of something else is refused', async () => {
  const out = join(temporaryFolder(), 'new')
  const runs = planRuns(sets, models, [1], 1)
  assert.is(plannedIn(out, { options: {}, models, sets, runs }).length, 4)
  assert.not.ok(existsSync(out))
  const other = temporaryFolder()
  writeFileSync(join(other, 'thesis.tex'), '')
  assert.match(await refusal(() => evaluate(other, new ToyRunner(() => units))), /not empty/)
})

test('damaged files are named: plan.json, scores.json, units.json', async () => {
  const out = temporaryFolder()
  await evaluate(out, new ToyRunner(() => units))
  const again = () => refusal(() => evaluate(out, new ToyRunner(() => units)))
  const dir = join(out, 'runs/MedNLI/one/seed-7')
  writeFileSync(join(dir, 'units.json'), '{"test": [[1, "x"]]}')
  assert.match(await again(), /seed-7\/units\.json: found test\.0\.1: .*expected tallies of the units/)
  writeRun(dir, units)
  writeFileSync(join(dir, 'scores.json'), '{"metric": ')
  assert.match(await again(), /seed-7\/scores\.json: found .*expected scores of a fine-tuning run/)
  writeRun(dir, units)
  writeFileSync(join(out, 'plan.json'), '{"format": "x"}')
  assert.match(await again(), /plan\.json: found .*expected the plan of an evaluation/)
})

test('scores that are not those of their units are a defect, and said to be one', async () => {
  const out = temporaryFolder()
  writeRun(join(out, 'runs/MedNLI/one/seed-7'), units, { accuracy: 0.5 })
  const wanted = planRuns([sets[0]], [models[0]], [7], 1)
  const rateOf = () => (sum: Tally) => sum[0] / sum[1]
  const evaluation = { out, runs: wanted, wanted, version: '1', command: [], rateOf, seed: 1 }
  assert.match(
    await refusal(() => runEvaluation(evaluation, new ToyRunner(() => units))),
    /runs\/MedNLI\/one\/seed-7: accuracy is 0.5, that of its units 0.75/,
  )
})

test('tables and remarks: small sets say how little they tell, published scores keep their kinds apart', async () => {
  const small = [toySet('BIOSSES'), toySet('NCBI-disease'), toySet('EU-ADR')]
  const record = await evaluate(temporaryFolder(), new ToyRunner(() => units), { sets: small })
  const titles = sectionsOf(record).map(({ title }) => title)
  assert.is(titles.length, 4)
  assert.match(titles[0], /mean over 2 seeds/)
  const [scores, differences, averages, published] = sectionsOf(record)
  assert.match(scores.rows[0].at(-1) ?? '', /^75\.00 ± 0\.00 \[\d+\.\d\d, \d+\.\d\d\]$/)
  assert.match(differences.rows[0].at(-1) ?? '', /may be chance/)
  assert.equal(averages.rows[0], ['one', '75.00 (1)', '75.00 (1)', '75.00 (1)', '-'])
  const ncbi = published.rows.filter(([set]) => set === 'NCBI-disease')
  assert.equal(
    ncbi.map(([, model, value, kind]) => [model, value, kind]),
    [
      ['BioBERT v1.1', '88.30', 'entity-level'],
      ['BioLinkBERT base', '88.18', 'entity-level'],
      ['PubMedBERT (BLURB)', '87.82', 'entity-level'],
      ['BioALBERT 1.1 large (PubMed)', '97.18', 'paper-style'],
    ],
  )
  const remarks = remarksOf(record).join('\n')
  assert.match(remarks, /BIOSSES is small: 14 to 20 test pairs/)
  assert.match(remarks, /EU-ADR is small: 355 sentences/)
  assert.match(remarks, /no BLURB score/)
})

test.run()
