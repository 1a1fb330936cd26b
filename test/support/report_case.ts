/**
 * Small made-up folders for tests of reports: runs of pretraining and fine-tuning, and a benchmark of several tasks, in the
 * forms that the commands write. Numbers come from a seeded generator; names can be chosen, hostile ones too.
 */
import { join } from 'node:path'

export type Files = Record<string, string>

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

/** A generator of numbers in [0, 1): enough to look like noise. */
export function noise(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

export function underFolder(folder: string, files: Files): Files {
  return Object.fromEntries(Object.entries(files).map(([file, text]) => [join(folder, file), text]))
}

export function pretrainingRun(steps: number, total: number, seed = 1): Files {
  const random = noise(seed)
  const log = Array.from({ length: steps }, (_, i) => {
    const mlm = 2 + 5 * Math.exp((-3 * i) / total) + 0.3 * random()
    const shared = { lr: 1e-3 * (1 - i / total), grad_norm: 1 + random(), tokens_per_second: 10000 }
    const line = {
      step: i + 1,
      loss: mlm + 0.5,
      mlm_loss: mlm,
      mlm_accuracy: (i / total) * 0.5,
      sop_loss: 0.5,
      sop_accuracy: 0.6 + 0.2 * random(),
      ...shared,
    }
    const heldout = { loss: mlm + 0.6, mlm: mlm + 0.1, sop: 0.5, mlm_accuracy: 0.4, sop_accuracy: 0.7 }
    return (i + 1) % 20 === 0 ? [line, { step: i + 1, heldout }] : [line]
  }).flat()
  const state = {
    format: 'bioalbert-checkpoint',
    version: 1,
    kind: 'pretrain',
    step: steps,
    settings: { preset: 'nano', schedule: { peak: 1e-3, warmup: 10, total }, batch: 16, seed },
  }
  return { 'log.jsonl': lines(log), [`checkpoint-${steps}/state.json`]: json(state) }
}

export interface FinetuningCase {
  readonly task: string
  readonly metric: string
  readonly value: number
  readonly seed: number
  readonly test?: Readonly<Record<string, unknown>>
  readonly labels?: readonly string[]
  readonly predictions?: { readonly extension: string; readonly text: string }
  /** A run that was stopped has no scores. */
  readonly stopped?: boolean
}

export function finetuningRun(of: FinetuningCase): Files {
  const { task, metric, value, seed, test, labels = [], predictions, stopped } = of
  const random = noise(seed)
  const log = Array.from({ length: 60 }, (_, i) => {
    const line = {
      step: i + 1,
      loss: Math.exp(-i / 15) + 0.1 * random(),
      lr: 1e-4 * (1 - i / 60),
      grad_norm: 1,
      tokens_per_second: 5000,
    }
    const dev = { [metric]: value * (1 - Math.exp(-(i + 1) / 15)) - 0.02 * random() }
    return (i + 1) % 10 === 0 ? [line, { step: i + 1, dev }] : [line]
  }).flat()
  const settings = {
    model: 'some/model',
    learning_rate: 1e-4,
    total_steps: 60,
    batch: 32,
    seed,
    vocabulary: 'b3a2'.repeat(16),
  }
  const files: Files = {
    'log.jsonl': lines(log),
    'task.json': json({ task, form: 'usual', max_length: 128 }),
  }
  if (stopped)
    return {
      ...files,
      'checkpoint-40/state.json': json({ kind: 'finetune', step: 40, settings }),
    }
  if (predictions) files[`test_predictions.${predictions.extension}`] = predictions.text
  files['scores.json'] = json({
    ...{ task, metric, best_step: 50, steps: 60, collapsed: null },
    ...{
      dev: { [metric]: value + 0.01 },
      test: { [metric]: value, ...test },
      labels,
      form: 'usual',
      facts: {},
    },
    ...{ out: 'somewhere', seconds: 75.5, tokens_per_second: 5000, settings },
  })
  return files
}

const SENTENCES = [
  'Familial ovarian cancer was found in 25 patients with BRCA1 mutations .',
  'The effect of cisplatin on nephrotoxicity was stronger than expected .',
  'Neither aspirin nor ibuprofen explained the result .',
  'Interest in hereditary breast cancer has grown in recent years .',
]
const GOLD: readonly (readonly [start: number, end: number, type: string])[][] = [
  [
    [0, 3, 'Disease'],
    [9, 10, 'Gene'],
  ],
  [
    [3, 4, 'Chemical'],
    [5, 6, 'Disease'],
  ],
  [
    [1, 2, 'Chemical'],
    [3, 4, 'Chemical'],
  ],
  [[2, 5, 'Disease']],
]

/** Predictions of entities; the larger `errors`, the more sentences have some. */
export function taggedPredictions(errors: number, sentences: readonly string[] = SENTENCES) {
  const text = sentences.map((sentence, s) => {
    const words = sentence.split(' ')
    const gold = words.map(() => 'O')
    for (const [start, end, type] of GOLD[s] ?? [])
      for (let w = start; w < end; w++) gold[w] = `${w === start ? 'B' : 'I'}-${type}`
    const predicted = [...gold]
    if (s < errors) {
      const at = predicted.findIndex((tag) => tag !== 'O')
      predicted[at] = 'O'
      if (predicted[at + 1]?.startsWith('I')) predicted[at + 1] = `B${predicted[at + 1].slice(1)}`
      predicted[words.length - 2] = 'B-Chemical'
    }
    return `${words.map((word, w) => `${word}\t${gold[w]}\t${predicted[w]}\n`).join('')}\n`
  })
  return { extension: 'tsv', text: text.join('') }
}

export interface BenchmarkCase {
  readonly models: readonly string[]
  readonly sets: readonly {
    readonly name: string
    readonly task: string
    readonly metric: string
    readonly note?: string
  }[]
  readonly seeds: readonly number[]
  readonly more?: Readonly<Record<string, unknown>>
}

/** benchmark.json and its runs. */
export function benchmarkFolder({ models, sets, seeds, more }: BenchmarkCase): Files {
  const random = noise(models.length + 10 * sets.length)
  const files: Files = {}
  const runs: object[] = []
  const scores: object[] = []
  for (const [k, set] of sets.entries())
    for (const [m, model] of models.entries()) {
      const values = seeds.map(() => 0.6 + 0.06 * (models.length - m) + 0.03 * random() + 0.01 * k)
      for (const [i, seed] of seeds.entries()) {
        const dir = `runs/${set.name.replace(/[^\w.+-]+/g, '-')}/model-${m}/seed-${seed}`
        const of = {
          task: set.task,
          metric: set.metric,
          value: values[i],
          seed: seed + m,
          ...details(set.task, m),
        }
        Object.assign(files, underFolder(dir, finetuningRun(of)))
        runs.push({ set: set.name, model, seed, dir, dev: {}, test: {}, seconds: 75 })
      }
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      const sd = seeds.length > 1 ? Math.abs(values[0] - values[1]) / Math.SQRT2 : null
      const others = { accuracy: mean + 0.05, examples: 940 }
      scores.push({
        set: set.name,
        model,
        metric: set.metric,
        values,
        mean,
        sd,
        interval: [mean - 0.02, mean + 0.02],
        others,
      })
    }
  const differences = sets.map(({ name, metric }, i) => ({
    ...{ set: name, metric, a: models[0], b: models[1] ?? models[0] },
    ...{ mean: 0.03 - 0.02 * i, interval: [0.01 - 0.02 * i, 0.05 - 0.02 * i] },
  }))
  const published = sets.flatMap(({ name, metric }) => [
    {
      set: name,
      model: 'BioBERT v1.1',
      metric,
      value: 0.74,
      kind: 'entity-level',
      source: 'Lee et al. 2020, table 6',
    },
    {
      set: name,
      model: 'BioALBERT large',
      metric,
      value: 0.9718,
      kind: 'paper-style',
      source: 'Naseem et al. 2020, table V',
    },
  ])
  const tasks = Object.fromEntries(sets.map(({ task }) => [task, 0.7]))
  files['benchmark.json'] = json({
    ...{ format: 'bioalbert benchmark', version: 1, bioalbert: '0.1.0' },
    command: ['bioalbert', 'benchmark', '--model', ...models, '--out', 'B'],
    models: models.map((name) => ({ name, dir: `runs/${name}`, parameters: 11683584 })),
    sets: sets.map((set) => ({ ...set, unit: 'sentences', train: 5424, dev: 923, test: 940 })),
    ...{ runs, scores, differences, published },
    averages: models.map((model) => ({
      model,
      tasks,
      blurb: 0.71,
      blurb_note: 'two of its sets are missing.',
    })),
    ...more,
  })
  return files
}

function details(task: string, model: number): Partial<FinetuningCase> {
  if (task === 'entities')
    return {
      labels: ['O', 'B', 'I'],
      predictions: taggedPredictions(1 + model),
      test: { types: types(model) },
    }
  if (task !== 'relations') return {}
  const labels = ['effect', 'mechanism', 'advise', 'false']
  const confusion = labels.map((_, i) => labels.map((__, k) => (i === k ? 80 + i : 5 + model + k)))
  const rows = Array.from({ length: 6 }, (_, i) => {
    const gold = labels[i % 4]
    return [
      `d${i}`,
      `The use of @DRUG$ with @DRUG$ is case ${i} .`,
      gold,
      i < 1 + model ? 'false' : gold,
      '0.9',
    ]
  })
  const table = [['index', 'sentence', 'gold', 'predicted', 'p(false)'], ...rows]
  const text = `${table.map((cells) => cells.join('\t')).join('\n')}\n`
  return { labels, test: { labels, confusion }, predictions: { extension: 'tsv', text } }
}

function types(model: number) {
  const of = (f1: number) => ({ gold: 10, predicted: 9, correct: 8, precision: f1, recall: f1, f1 })
  return { Chemical: of(0.8 - 0.1 * model), Disease: of(0.7), Gene: of(0.9) }
}
