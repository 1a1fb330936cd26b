/** Fine-tuning of a tagger: it learns, keeps the best, scores every word, and ends in the same bits every time. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { importVocabulary } from '../../../src/data/tokenizer/vocabulary_import.js'
import { readSafetensors } from '../../../src/model/formats/safetensors.js'
import type { TokenClassificationModel } from '../../../src/model/token_classification.js'
import { entities } from '../../../src/tasks/entities.js'
import { relations } from '../../../src/tasks/relations.js'
import type { Step } from '../../../src/training/finetuning/loop.js'
import { openTask } from '../../../src/training/finetuning/model_node.js'
import type { FinetuneOptions, FinetuneRun, Part } from '../../../src/training/finetuning/setup.js'
import { setUpFinetuning } from '../../../src/training/finetuning/setup_node.js'
import { allclose } from '../../support/allclose.js'
import { noSharedData, sharedFile } from '../../support/shared_data.js'
import { skip } from '../../support/skip.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'
import { toyModel } from '../../support/toy_model.js'
import { savedScores, toyFolder, toyOptions, toyRun } from '../../support/toy_run.js'

const test = suite('fine-tuning of named entities')

const folder = toyFolder()
const lines = (path: string) => readFileSync(path, 'utf8').split('\n')
const bytesOf = (out: string) => readFileSync(join(out, 'model.safetensors'))
const newOut = () => join(temporaryFolder(), 'o')

/** The run that several tests look at. */
const learned = { out: newOut(), options: toyOptions(folder, { totalSteps: 200, evalEvery: 25 }) }
let result: Awaited<ReturnType<typeof toyRun>>

test('a rule of neighbouring words is learned from random weights', async () => {
  result = await toyRun(learned.options, learned)
  assert.ok(result.dev.f1 > 0.9, `dev F1 ${result.dev.f1}`)
  assert.ok(result.test.f1 > 0.9, `test F1 ${result.test.f1}`)
  assert.not(result.collapsed)
})

test('the weights kept are those of the best scoring of dev', () => {
  const log = lines(join(learned.out, 'log.jsonl')).flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const scored = log.filter((line) => 'dev' in line)
  assert.is(scored.length, 8)
  const best = scored.reduce((a, b) => (b.dev.f1 > a.dev.f1 ? b : a))
  assert.is(result.best_step, best.step)
  assert.is(result.dev.f1, best.dev.f1)
  assert.is(log.filter((line) => 'loss' in line).length, 200)
})

test('what is left in the folder: a model, the log, predictions, scores', () => {
  assert.equal(readdirSync(learned.out).sort(), [
    'config.json',
    'dev_predictions.tsv',
    'log.jsonl',
    'model.safetensors',
    'scores.json',
    'task.json',
    'test_predictions.tsv',
    'tokenizer.json',
    'units.json',
  ])
  const scores = JSON.parse(readFileSync(join(learned.out, 'scores.json'), 'utf8'))
  assert.equal(scores.test, JSON.parse(JSON.stringify(result.test)))
})

test('every word of the file has a prediction beside its own tag', () => {
  for (const [name, split] of [
    ['devel', 'dev'],
    ['test', 'test'],
  ]) {
    const gold = lines(join(folder, 'd', `${name}.tsv`))
    const rows = lines(join(learned.out, `${split}_predictions.tsv`))
    assert.is(rows.length, gold.length)
    rows.forEach((row, i) => {
      assert.is(row.split('\t').slice(0, 2).join('\t'), gold[i])
      if (row !== '') assert.match(row.split('\t')[2], /^[OBI]$/)
    })
  }
})

test('evaluation of the saved model gives the scores of the run, on one thread too', async () => {
  assert.equal(await savedScores(learned.out, join(folder, 'd', 'test.tsv')), result.test)
})

test('windows that cut sentences train and score every word', async () => {
  const out = newOut()
  const short = await toyRun(toyOptions(folder, { totalSteps: 4, maxLength: 8 }), { out })
  const words = lines(join(folder, 'd', 'test.tsv')).filter((line) => line !== '').length
  assert.is(short.test.words, words)
  assert.is(openTask(out).context.maxLength, 8)
})

test('the number of threads changes no bit, with dropout and accumulation', async () => {
  const options = toyOptions(folder, { dropout: 0.1, rows: 128 })
  const outs = await Promise.all(
    [1, 2, 3].map(async (threads) => {
      const out = newOut()
      await toyRun(options, { out, threads })
      return out
    }),
  )
  assert.ok(bytesOf(outs[0]).equals(bytesOf(outs[1])), '1 and 2 threads')
  assert.ok(bytesOf(outs[0]).equals(bytesOf(outs[2])), '1 and 3 threads')
})

test('another seed gives other weights', async () => {
  const outs = [newOut(), newOut()]
  for (const [i, out] of outs.entries()) await toyRun(toyOptions(folder, { seed: i, totalSteps: 3 }), { out })
  assert.not(bytesOf(outs[0]).equals(bytesOf(outs[1])))
})

test('a step in many micro-batches has the loss and gradient of a step in one', async () => {
  const steps = async (rows: number) => {
    const seen: Step[] = []
    const options = toyOptions(folder, { totalSteps: 4, rows, maxLength: 64 })
    await toyRun(options, {
      out: newOut(),
      change: (run) => ({
        ...run,
        model: { ...run.model, config: { ...run.config, dropout: 0, classifierDropout: 0 } },
      }),
      hooks: { onStep: (step) => void seen.push(step) },
    })
    return seen
  }
  const [one, many] = [await steps(2048), await steps(64)]
  assert.ok(many[3].draw > (4 * one[3].draw) / 2, `${many[3].draw} micro-batches`)
  for (const name of ['loss', 'gradNorm'] as const)
    allclose(
      many.map((step) => step[name]),
      one.map((step) => step[name]),
      { rtol: 1e-4, atol: 1e-6 },
    )
})

test('an interrupted run that is resumed ends in the same bits', async () => {
  const options = toyOptions(folder, { dropout: 0.1, rows: 128 })
  const whole = newOut()
  const expected = await toyRun(options, { out: whole })
  const out = newOut()
  for (const stopAt of [3, 8]) {
    let reached = 0
    const hooks = {
      onStep: ({ step }: Step) => {
        reached = step
      },
      // a step is queued behind the one that is heard of
      interrupted: () => reached >= stopAt - 1,
    }
    await toyRun(options, { out, resume: true, hooks }).then(
      () => assert.unreachable('was not interrupted'),
      (error) => assert.match(error.message, /--resume/),
    )
    assert.ok(existsSync(join(out, `checkpoint-${stopAt}`)))
  }
  const actual = await toyRun(options, { out, resume: true })
  assert.ok(bytesOf(out).equals(bytesOf(whole)))
  assert.is(actual.best_step, expected.best_step)
  assert.equal(actual.test, expected.test)
  assert.equal(readdirSync(out).sort(), readdirSync(whole).sort())
  const losses = (dir: string) =>
    lines(join(dir, 'log.jsonl')).map((line) => line.replace(/"tokens_per_second":\d+/, ''))
  assert.equal(losses(out), losses(whole))
})

test('a run that is stopped while it scores is resumed at that scoring, and ends in the same bits', async () => {
  const options = toyOptions(folder, { dropout: 0.1, totalSteps: 6, evalEvery: 3 })
  // more batches than one to a scoring
  const longer = (part: Part, run: FinetuneRun): Part => {
    const items = Array.from({ length: 8 }, () => part.split.items).flat()
    return { split: { ...part.split, items }, examples: run.task.examples(items, run.context, false) }
  }
  const change = (run: FinetuneRun) => ({ ...run, dev: longer(run.dev, run), test: longer(run.test, run) })
  const whole = newOut()
  const expected = await toyRun(options, { out: whole, change })
  const out = newOut()
  // dev after 3 steps, after 6, of the best weights, then test: a run that goes on begins with the one that was stopped
  for (const stopAt of [1, 2, 2, 2]) {
    let scorings = 0
    let before = Number.POSITIVE_INFINITY
    const hooks = {
      onScoring: (done: number) => {
        if (done <= before) scorings++
        before = done
      },
      interrupted: () => scorings >= stopAt,
    }
    await toyRun(options, { out, resume: true, change, hooks }).then(
      () => assert.unreachable('was not interrupted'),
      (error) => assert.match(error.message, /--resume/),
    )
    assert.is(scorings, stopAt)
  }
  const actual = await toyRun(options, { out, resume: true, change })
  assert.ok(bytesOf(out).equals(bytesOf(whole)))
  assert.equal(actual.test, expected.test)
})

test('a resumed run refuses other settings', async () => {
  const out = newOut()
  const hooks = { interrupted: () => true }
  await toyRun(toyOptions(folder), { out, hooks }).catch(() => undefined)
  const refused = async (more: object, says: RegExp) =>
    toyRun(toyOptions(folder, more), { out, resume: true }).then(
      () => assert.unreachable('was not refused'),
      (error) => assert.match(error.message, says),
    )
  await refused({ learningRate: 5e-4 }, /learning_rate 0.001, and now has 0.0005/)
  await refused({ batch: 8 }, /batch 16, and now has 8/)
})

test('a classifier of another task is left behind, the encoder is not', async () => {
  const out = newOut()
  const again: string[] = []
  const options = toyOptions(folder, { model: learned.out, totalSteps: 1, learningRate: 1e-9 })
  await toyRun(options, {
    out,
    change: (run) => {
      again.push(...run.ignored)
      return run
    },
  })
  assert.equal(again.sort(), ['classifier.bias', 'classifier.weight'])
  const [before, after] = [learned.out, out].map(
    (dir) => readSafetensors(join(dir, 'model.safetensors')).tensors,
  )
  const word = 'albert.embeddings.word_embeddings.weight'
  const values = (tensors: typeof before, name: string) => tensors.get(name)?.float32() as Float32Array
  allclose(values(after, word), values(before, word), { rtol: 0, atol: 1e-6 })
  assert.not.equal([...values(after, 'classifier.weight')], [...values(before, 'classifier.weight')])
})

test('heads of pretraining are left behind by name, the encoder is taken', async () => {
  const files = folderWith(await toyModel('p'))
  const run = setUpFinetuning(entities, toyOptions(folder, { model: join(files, 'p') }))
  assert.equal([...run.ignored].sort(), [
    'albert.pooler.bias',
    'albert.pooler.weight',
    'predictions.LayerNorm.bias',
    'predictions.LayerNorm.weight',
    'predictions.bias',
    'predictions.dense.bias',
    'predictions.dense.weight',
    'sop_classifier.classifier.bias',
    'sop_classifier.classifier.weight',
  ])
  const stored = readSafetensors(join(files, 'p', 'model.safetensors')).tensors
  for (const { name, offset, size } of run.parameters.segments) {
    if (name.startsWith('classifier.')) continue
    const expected = stored.get(name)?.float32() as Float32Array
    allclose(run.initial.subarray(offset, offset + size), expected, { rtol: 0, atol: 0 })
  }
})

const spiece = sharedFile('vocab', 'albert', 'spiece.model')
const disease = sharedFile('ner', 'NCBI-disease')
const real = 'of a released data set every word is scored'
if (spiece === undefined || disease === undefined) skip(test, real, noSharedData)
else
  test(real, async () => {
    const vocabulary = join(temporaryFolder(), 'v')
    importVocabulary(spiece, vocabulary)
    // short windows, so that many sentences are cut
    const options = toyOptions(folder, { data: disease, tokenizer: vocabulary, totalSteps: 1, maxLength: 32 })
    const { dev, test: tested } = await toyRun(options, { out: newOut() })
    // words, sentences and mentions as counted by others, see the data's README
    assert.equal([dev.words, dev.sentences, dev.gold], [23969, 923, 787])
    assert.equal([tested.words, tested.sentences, tested.gold], [24497, 940, 960])
  })

test('what is not said follows from the size of the model', () => {
  const folder = toyFolder()
  const unsaid = { totalSteps: undefined, learningRate: undefined }
  const of = (preset: string, more: Partial<FinetuneOptions> = {}) => {
    const { schedule, config, perEpoch } = setUpFinetuning(
      entities,
      toyOptions(folder, { ...unsaid, preset, ...more }),
    )
    return { rate: schedule.peak, total: schedule.total, perEpoch, dropout: config.dropout }
  }
  const nano = of('nano')
  assert.equal(nano, {
    rate: 1e-3,
    total: Math.max(400, 10 * nano.perEpoch),
    perEpoch: nano.perEpoch,
    dropout: 0,
  })
  const mini = of('mini')
  assert.equal(mini, {
    rate: 2e-4,
    total: Math.max(400, 5 * mini.perEpoch),
    perEpoch: mini.perEpoch,
    dropout: 0.1,
  })
  const { dropout, rate } = of('mini', { dropout: 0, learningRate: 1e-4 })
  assert.equal({ dropout, rate }, { dropout: 0, rate: 1e-4 })
  // classes of sequences: a small model is trained more slowly, others are not
  const pairs = 'a @GENE$\tyes\nno @GENE$\tno\n'
  const data = folderWith({ 'train.tsv': pairs, 'dev.tsv': pairs, 'test.tsv': pairs })
  const rateOf = (preset: string) =>
    setUpFinetuning(relations, toyOptions(folder, { ...unsaid, preset, data })).schedule.peak
  assert.equal(['nano', 'mini', 'base'].map(rateOf), [1e-3, 5e-5, 1e-5])
})

test('a run that ends with nothing but O is said to have collapsed', async () => {
  const rare = toyFolder({ train: 60, devel: 20, test: 20 })
  const options = toyOptions(rare, { totalSteps: 1, learningRate: 1e-9 })
  const bests: boolean[] = []
  const collapsed = await toyRun(options, {
    out: newOut(),
    hooks: { onEvaluation: ({ best }) => void bests.push(best) },
    // a bias that no single step can overcome
    change: (run) => {
      run.initial[
        (run.model as TokenClassificationModel).classifier.bias.offset + run.data.labels.indexOf('O')
      ] = 100
      return run
    },
  })
  assert.ok(collapsed.collapsed)
  assert.equal(bests, [false], 'an F1 of 0 is not the best so far')
  assert.is(collapsed.test.predicted, 0)
})

test('a loss that is not finite ends the run with the step', async () => {
  const options = toyOptions(folder, { learningRate: 1e30, clip: 0, warmup: 0 })
  await toyRun(options, { out: newOut() }).then(
    () => assert.unreachable('went on'),
    (error) => {
      assert.match(error.message, /^step \d+: the (loss|gradient norm) is \S+ at learning rate/)
      assert.is(error.exitCode, 1)
    },
  )
})

test.run()
