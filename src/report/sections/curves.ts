/** Curves: loss and what else was logged in pretraining; loss and dev score in fine-tuning, models of a benchmark set by set. */
import { curve, type Line, legend, MOST_LINES } from '../curves.js'
import { type Html, html, name } from '../html.js'
import type { Benchmark, Run } from '../model.js'
import { metricName } from './runs.js'
import type { Section } from './section.js'

/** Keys of the log, in the order of what is preferred where several could be one curve. */
interface Panel {
  readonly title: string
  readonly keys: readonly string[]
  readonly heldOut: readonly string[]
  /** Fractions, drawn in percent. */
  readonly share?: boolean
}

const PRETRAINING: readonly Panel[] = [
  { title: 'loss', keys: ['loss'], heldOut: ['heldout.loss'] },
  {
    title: 'masked language modelling, loss',
    keys: ['mlm_loss', 'mlm'],
    heldOut: ['heldout.mlm_loss', 'heldout.mlm'],
  },
  { title: 'sentence pairs, loss', keys: ['sop_loss', 'sop'], heldOut: ['heldout.sop_loss', 'heldout.sop'] },
  {
    title: 'masked language modelling, accuracy in %',
    keys: ['mlm_accuracy'],
    heldOut: ['heldout.mlm_accuracy'],
    share: true,
  },
  {
    title: 'sentence pairs, accuracy in %',
    keys: ['sop_accuracy'],
    heldOut: ['heldout.sop_accuracy'],
    share: true,
  },
  { title: 'learning rate', keys: ['lr'], heldOut: [] },
]

/** Scores by which a run without scores.json may be drawn. */
const METRICS = ['f1', 'micro_f1', 'pearson', 'mrr', 'accuracy']

/** Lines of the runs that have the same place in the legend. */
interface Labelled {
  readonly label: string
  readonly runs: readonly Run[]
}

export async function curvesSection(
  runs: readonly Run[],
  benchmarks: readonly Benchmark[],
): Promise<Section | undefined> {
  const logged = runs.filter(({ log }) => log !== undefined)
  const alone = logged.filter(({ place }) => place === undefined)
  const each = (some: readonly Run[]): Labelled[] => some.map((run) => ({ label: run.name, runs: [run] }))
  const blocks: (Html | undefined)[] = []
  for (const some of chunks(each(alone.filter(({ kind }) => kind === 'pretraining'))))
    blocks.push(await block(html`Pretraining`, some, PRETRAINING))
  const tuned = alone.filter(({ kind }) => kind === 'fine-tuning')
  for (const task of new Set(tuned.map((run) => run.task)))
    for (const some of chunks(each(tuned.filter((run) => run.task === task))))
      blocks.push(await block(html`Fine-tuning: ${name(task ?? 'no task named')}`, some, finetuning(some)))
  const placed = logged.filter(({ place }) => place !== undefined)
  for (const set of new Set(placed.map(({ place }) => place!.set)))
    for (const some of chunks(byModel(placed, set, benchmarks)))
      blocks.push(await block(html`${name(set)}: each seed`, some, finetuning(some)))
  const body = blocks.filter((one) => one !== undefined)
  if (body.length === 0) return undefined
  const lead = html`<p class="lead">Lines are what was measured in training, averaged where steps are many; dots are held-out data or the dev set.</p>`
  return { id: 'curves', title: 'Curves', body: html`${lead}${body}` }
}

/** Models in the order of their benchmark, those of unfinished ones behind; of several folds the first. */
function byModel(placed: readonly Run[], set: string, benchmarks: readonly Benchmark[]): Labelled[] {
  const order = benchmarks.flatMap(({ models }) => models.map((model) => model.name))
  const here = placed.filter(({ place }) => place!.set === set && (place!.fold ?? 1) === 1)
  const models = new Set([...order, ...here.map(({ place }) => place!.model)])
  return [...models]
    .map((label) => ({ label, runs: here.filter(({ place }) => place!.model === label) }))
    .filter((labelled) => labelled.runs.length > 0)
}

function chunks(all: readonly Labelled[]): Labelled[][] {
  return Array.from({ length: Math.ceil(all.length / MOST_LINES) }, (_, i) =>
    all.slice(i * MOST_LINES, (i + 1) * MOST_LINES),
  )
}

function finetuning(labelled: readonly Labelled[]): Panel[] {
  const runs = labelled.flatMap((one) => one.runs)
  const keys = new Set(runs.flatMap(({ log }) => [...log!.series.keys()]))
  const metrics = [...new Set([...runs.flatMap(({ metric }) => metric ?? []), ...METRICS])]
  const found = metrics.find((metric) => keys.has(`dev.${metric}`))
  return [
    { title: 'training loss', keys: ['loss'], heldOut: [] },
    ...(found === undefined
      ? []
      : [{ title: `dev ${metricName(found)} in %`, keys: [], heldOut: [`dev.${found}`], share: true }]),
    { title: 'learning rate', keys: ['lr'], heldOut: [] },
  ]
}

async function block(
  title: Html,
  labelled: readonly Labelled[],
  panels: readonly Panel[],
): Promise<Html | undefined> {
  const figures: Html[] = []
  for (const panel of panels) {
    const figure = await curve(panel.title, linesOf(labelled, panel))
    if (figure) figures.push(figure)
  }
  if (figures.length === 0) return undefined
  return html`<h3>${title}</h3>
${legend(labelled.map(({ label }) => label))}<div class="panels">${figures}</div>\n`
}

function linesOf(labelled: readonly Labelled[], { keys, heldOut, share }: Panel): Line[] {
  return labelled.flatMap(({ label, runs }, index) =>
    runs.flatMap((run): Line[] => {
      const points = (names: readonly string[]) => {
        const key = names.find((one) => run.log!.series.has(one))
        const found = key === undefined ? [] : run.log!.series.get(key)!
        return share ? found.map(({ step, value }) => ({ step, value: 100 * value })) : found
      }
      return [
        { index, label, points: points(keys) },
        { index, label, points: points(heldOut), dotted: true },
      ]
    }),
  )
}
