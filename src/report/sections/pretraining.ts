/**
 * What pretraining is worth: the test scores of a benchmark's checkpoints over the steps after which they were taken, a picture a
 * data set, a line a pretraining run (figures 2 and 3 of Naseem et al. 2022). Checkpoints are named RUN@STEP (`benchmark --checkpoints`).
 */
import { curve, type Line, legend, MOST_LINES } from '../curves.js'
import { type Html, html, shorten } from '../html.js'
import type { Benchmark, BenchmarkSet } from '../model.js'
import { metricName } from './runs.js'
import type { Section } from './section.js'

/** A model without its step: the run that it is of. */
function runOf(model: string): string {
  return model.replace(/@\d+$/, '')
}

export async function pretrainingSection(benchmark: Benchmark, index: number): Promise<Section | undefined> {
  const checkpoints = benchmark.models.filter(({ step }) => step !== undefined)
  const runs = [...new Set(checkpoints.map(({ name }) => runOf(name)))].slice(0, MOST_LINES)
  const figures: Html[] = []
  for (const set of benchmark.sets) {
    const figure = await curve(`${set.name}: ${metricName(set.metric)} in %`, linesOf(benchmark, set, runs))
    if (figure) figures.push(figure)
  }
  if (figures.length === 0) return undefined
  const lead = html`<p class="lead">Test scores, mean over seeds, by the pretraining steps of the checkpoint that was fine-tuned.</p>`
  return {
    id: `pretraining-${index}`,
    title: `Scores along pretraining: ${shorten(benchmark.name, 80)}`,
    body: html`${lead}${legend(runs)}<div class="panels">${figures}</div>\n`,
  }
}

/** Runs with two checkpoints or more that have a score on the set. */
function linesOf({ models, scores }: Benchmark, set: BenchmarkSet, runs: readonly string[]): Line[] {
  return runs.flatMap((label, index): Line[] => {
    const points = models.flatMap(({ name, step }) => {
      if (step === undefined || runOf(name) !== label) return []
      const mean = scores.find((score) => score.set === set.name && score.model === name)?.mean
      return typeof mean === 'number' ? [{ step, value: 100 * mean }] : []
    })
    points.sort((a, b) => a.step - b.step)
    return points.length < 2 ? [] : [{ index, label, points, dotted: true }]
  })
}
