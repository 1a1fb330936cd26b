/** What the page's worker answers, on WebGPU in Node: the same entities, losses and bits as the command line's. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device } from '../../src/device/device.js'
import { UsageError } from '../../src/error.js'
import { entities } from '../../src/tasks/entities.js'
import { finetune } from '../../src/training/finetuning/finetune.js'
import { evaluateLines, loadTask } from '../../src/training/finetuning/model.js'
import { openTask } from '../../src/training/finetuning/model_node.js'
import { setUpFinetuning } from '../../src/training/finetuning/setup_node.js'
import type { OpenDevice } from '../../src/web/device.js'
import type { Progress, Requests } from '../../src/web/protocol.js'
import { skip } from '../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../support/swiftshader.js'
import { taskModel } from '../support/task_model.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'
import { toySentences, tsv } from '../support/toy_ner.js'
import { type Failed, WebClient } from '../support/web_client.js'

await withSwiftshader()
const test = suite('web worker')

const TEXT =
  'The patient had severe fever and cough. Patients treated with zinc had no fever.\n\n' +
  `${'The patients had cough and was treated with q10 and zinc and '.repeat(12)}severe cough.\n  q10 was fever.`
const LABELS = ['O', 'B-Disease', 'I-Disease', 'B-Chemical', 'I-Chemical']

/** Most words are entities in them, so that a model of twenty steps finds some. */
const sentences = (seed: number, count: number) =>
  tsv(
    toySentences(seed, count).map(({ words, tags }) => ({
      words,
      tags: tags.map((tag) => (tag === 'O' ? 'B' : 'O')),
    })),
  )
const filesOf = (dir: string) =>
  readdirSync(dir).map((name) => new File([new Uint8Array(readFileSync(join(dir, name)))], name))

/** What `predict` finds, of every line. */
async function predicted(dir: string, text: string, device: Device) {
  const folder = openTask(dir)
  const predictor = await loadTask(folder, device)
  const lines = text.split('\n')
  const items = lines.map((line, i) => entities.parse(line, { file: 'text', line: i + 1 }))
  const answers = await evaluateLines(predictor, folder.task, items, folder.context)
  const printer = entities.printer({ format: 'jsonl', colour: false, entity: 'ENTITY' })
  predictor.free()
  return lines.map((line, i) => JSON.parse(printer(line, items[i] as never, answers[i] as never)))
}

/** The entities of an annotation as `predict` writes them: by line, offsets in characters of the line, four digits. */
function asPredicted(text: string, { entities: found }: Requests['annotate']['result']) {
  let begin = 0
  return text.split('\n').map((line) => {
    const end = begin + line.length
    const own = found.filter((one) => one.start >= begin && one.end <= end)
    const from = begin
    begin = end + 1
    return {
      text: line,
      entities: own.map(({ start, end, type, confidence }) => ({
        start: start - from,
        end: end - from,
        type,
        text: text.slice(start, end),
        score: Number(confidence.toFixed(4)),
      })),
    }
  })
}

async function failure(promise: Promise<unknown>): Promise<Failed> {
  return promise.then(
    () => assert.unreachable() as never,
    (error) => error,
  )
}

let compiling: Parameters<OpenDevice>[0] = () => undefined
const opened = await openWebgpuForTest({ compiling: (done, total) => compiling(done, total) })

test('without a device that is said, and nothing else fails', async () => {
  const client = new WebClient(async () => {
    throw new UsageError('the webgpu device is not available: there is no adapter')
  })
  assert.equal(await client.ask('open', {}), {
    available: false,
    detail: 'the webgpu device is not available: there is no adapter',
  })
  const told = await failure(client.ask('annotate', { text: 'fever' }))
  assert.is(told.message, 'no model has been loaded yet')
  assert.ok(told.user)
})

if ('reason' in opened) skip(test, 'the worker computes', opened.reason)
else {
  const { device } = opened
  const client = new WebClient(async (told) => {
    compiling = told
    return device
  })
  const dir = await taskModel('entities', { labels: LABELS, maxLength: 32 })
  const base = {
    train: new File([sentences(1, 20)], 'train.tsv'),
    dev: new File([sentences(2, 5)], 'dev.tsv'),
    settings: { epochs: 4, learningRate: 3e-3, batch: 5, seed: 5 },
    from: 'model' as const,
  }
  let made: Requests['download']['result']['files']

  test('files that are no model are told by name', async () => {
    const some = filesOf(dir).filter(({ name }) => name !== 'model.safetensors')
    const told = await failure(client.ask('load', { files: some }))
    assert.match(told.message, /model\.safetensors: found no such file among .*config\.json/)
    assert.ok(told.user)
    const twice = await failure(client.ask('load', { files: [...filesOf(dir), ...filesOf(dir)] }))
    assert.match(twice.message, /is there twice/)
  })

  test('a model folder is loaded, with other files among its own', async () => {
    const heard: Progress[] = []
    const files = [...filesOf(dir), new File(['x'], 'README.md')]
    const facts = await client.ask('load', { files }, (one) => heard.push(one))
    assert.equal(facts.labels, LABELS)
    assert.is(facts.task, 'entities')
    assert.is(facts.maxLength, 32)
    assert.ok(facts.parameters > 10_000 && facts.layers > 0 && facts.hiddenSize > 0)
    const compiled = heard.filter(({ kind }) => kind === 'compiling')
    const total = compiled.length - 1
    assert.ok(total > 5, `${total} kernels`)
    assert.equal(
      compiled,
      Array.from({ length: total + 1 }, (_, done) => ({ kind: 'compiling', done, total })),
    )
  })

  test('entities and confidence are those of predict, over windows and lines', async () => {
    const found = await client.ask('annotate', { text: TEXT })
    const wanted = await predicted(dir, TEXT, device)
    assert.ok(found.entities.length > 3, `${found.entities.length} entities`)
    assert.ok(found.pieces > 100)
    assert.equal(asPredicted(TEXT, found), wanted)
  })

  test('a text that is with a model when another takes its place is answered', async () => {
    const [found] = await Promise.all([
      client.ask('annotate', { text: TEXT.repeat(2) }),
      client.ask('load', { files: filesOf(dir) }),
    ])
    assert.ok(found.entities.length > 3)
  })

  test('the newest text wins over those that wait', async () => {
    const asked = ['the fever', 'the cough', 'a severe cough'].map((text) => client.ask('annotate', { text }))
    const ends = await Promise.allSettled(asked)
    assert.equal(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.is((ends[1] as PromiseRejectedResult).reason.message, 'superseded')
  })

  test('a text of several batches tells how far it is, and ends where a newer one comes', async () => {
    const long = 'the patient had severe fever and cough .\n'.repeat(1500)
    const heard: Progress[] = []
    await client.ask('annotate', { text: long }, (one) => heard.push(one))
    const labelled = heard.flatMap((one) => (one.kind === 'labelled' ? [one] : []))
    assert.ok(labelled.length >= 3, `${labelled.length} times`)
    assert.ok(
      labelled.every(
        ({ done, total }, i) => total === 1500 && done > (labelled[i - 1]?.done ?? 0) && done < total,
      ),
    )
    const older = client.ask('annotate', { text: long })
    older.catch(() => undefined)
    const { pieces } = await client.ask('annotate', { text: 'the fever' })
    assert.ok(pieces < 20)
    await older.then(
      () => assert.unreachable('was read to its end'),
      ({ message }) => assert.is(message, 'superseded'),
    )
  })

  test('a run that is held and let go on ends in the bits of an undisturbed finetune on the same device', async () => {
    const heard: Progress[] = []
    const result = await client.ask('finetune', base, (one) => {
      heard.push(one)
      if (one.kind === 'step' && one.step === 7) void client.ask('control', { action: 'pause' })
      if (one.kind === 'paused')
        void client
          .ask('annotate', { text: 'the fever' })
          .then(() => new Promise((resolve) => setTimeout(resolve, 200)))
          .then(() => client.ask('control', { action: 'resume' }))
    })
    const kinds = heard.map(({ kind }) => kind)
    const paused = kinds.indexOf('paused')
    assert.ok(paused > 0)
    assert.is(kinds[paused + 1], 'resumed')
    const around = [heard[paused - 1], heard[paused + 2]]
    assert.equal(
      around.map((one) => 'step' in one && one.step),
      [7, 8],
    )
    assert.is(result.steps, 20)
    assert.not(result.interrupted)
    const folder = folderWith({
      'd/train.tsv': await base.train.text(),
      'd/devel.tsv': await base.dev.text(),
      'd/test.tsv': sentences(3, 5),
    })
    const losses: number[] = []
    const options = {
      ...base.settings,
      ...{ data: join(folder, 'd'), model: dir, weightDecay: 0.01, clip: 1, recompute: false },
    }
    const run = setUpFinetuning(entities, options)
    const out = join(temporaryFolder(), 'o')
    const scores = await finetune(run, device, out, false, { onStep: ({ loss }) => losses.push(loss) })
    assert.is(losses.length, 20)
    assert.equal(
      heard.flatMap((one) => (one.kind === 'step' ? [one.loss] : [])),
      losses,
    )
    assert.is(result.dev.f1, scores.dev.f1)
    assert.ok(kinds.includes('dev'))
    made = (await client.ask('download', {})).files
    for (const { name, bytes } of made)
      assert.ok(Buffer.from(bytes).equals(readFileSync(join(out, name))), name)
  })

  test('what is downloaded is a model of the command line, and finds the same', async () => {
    const folder = folderWith(
      Object.fromEntries(made.map(({ name, bytes }) => [name, new Uint8Array(bytes)])),
    )
    assert.equal(made.map(({ name }) => name).sort(), [
      'config.json',
      'model.safetensors',
      'task.json',
      'tokenizer.json',
    ])
    const found = await client.ask('annotate', { text: TEXT })
    assert.ok(found.entities.length > 3, `${found.entities.length} entities`)
    assert.equal(asPredicted(TEXT, found), await predicted(folder, TEXT, device))
  })

  test('a run that is stopped before its first scoring ends with a model all the same', async () => {
    const stopped = new WebClient(async () => device)
    await stopped.ask('load', { files: filesOf(dir) })
    const heard: Progress[] = []
    const { train } = base
    const result = await stopped.ask(
      'finetune',
      { ...base, train, dev: undefined, from: 'random' },
      (one) => {
        heard.push(one)
        if (one.kind === 'step' && one.step === 1) void stopped.ask('control', { action: 'stop' })
      },
    )
    assert.ok(result.interrupted)
    assert.ok(result.steps < 5)
    assert.equal(result.model.labels, ['O', 'B', 'I'])
    assert.is((await stopped.ask('download', {})).files.length, 4)
    const none = await failure(stopped.ask('control', { action: 'pause' }))
    assert.match(none.message, /nothing is under way/)
  })

  test('a mistake in a file is told with its line, and settings with their name', async () => {
    const train = new File(['fever\tB\ncough\n'], 'mine.tsv')
    const told = await failure(client.ask('finetune', { ...base, train }))
    assert.match(told.message, /^mine\.tsv:2: found "cough", one column/)
    const settings = { ...base.settings, epochs: 0 }
    const zero = await failure(client.ask('finetune', { ...base, settings }))
    assert.match(zero.message, /^epochs: found 0/)
  })
}

test.run()
