/** A folder with all that a report can show, with harmless names or with hostile ones in every place that takes a text. */
import { HOSTILE, HOSTILE_FOLDER, HOSTILE_SVG } from './hostile.js'
import {
  benchmarkFolder,
  type Files,
  finetuningRun,
  pretrainingRun,
  taggedPredictions,
  underFolder,
} from './report_case.js'
import { folderWith } from './temporary.js'

/** `text(i)` is the text of place i. */
function files(text: (place: number) => string, folder: string, picture: string): Files {
  const set = (place: number, task: string, metric: string) => ({
    name: `${place} ${text(place)}`,
    task,
    metric,
  })
  const benchmark = benchmarkFolder({
    models: [`1 ${text(0)}`, `2 ${text(1)}`],
    sets: [
      set(2, 'entities', 'f1'),
      { ...set(3, 'relations', 'f1'), note: text(4) },
      set(5, 'similarity', 'pearson'),
    ],
    seeds: [1, 2],
    more: { left: 1, failures: [{ set: text(6), model: text(7), seed: 3, error: text(8) }] },
  })
  const words = text(0).replace(/\s/g, '_')
  const sentence = `${words} and ${text(1).replace(/\s/g, '_')} of ${text(2).replace(/\s/g, '_')}`
  const labels = [0, 1, 2].map((i) => `${i}${text(i)}`)
  const shared = { metric: 'f1', value: 0.5, seed: 1 }
  const table = [
    ['sentence', 'gold', 'predicted'],
    [text(2).replace(/\s/g, ' '), labels[0], labels[1]],
  ]
  const kernel = {
    name: text(3),
    calls: 1,
    ms: 1,
    share: 100,
    gflops: 1,
    gbps: 1,
    percent_of_peak: 1,
    roof: text(4),
  }
  const profile = {
    device: text(5),
    precision: text(6),
    model: text(7),
    rows: 1,
    steps: 1,
    step_ms: 1,
    kernels: [kernel],
  }
  return {
    ...underFolder('benchmark', benchmark),
    ...underFolder(`e${folder}`, pretrainingRun(30, 40)),
    ...underFolder(
      `a${folder}`,
      finetuningRun({
        ...shared,
        task: text(4),
        labels,
        predictions: {
          extension: 'tsv',
          text: `${table.map((cells) => cells.map(oneLine).join('\t')).join('\n')}\n`,
        },
        test: {
          labels,
          confusion: [
            [5, 1, 0],
            [0, 5, 2],
            [1, 1, 5],
          ],
          classes: Object.fromEntries(
            labels.map((label) => [label, { precision: 0.5, recall: 0.5, f1: 0.5 }]),
          ),
          [text(5)]: 0.25,
        },
      }),
    ),
    ...underFolder(
      `b${folder}`,
      finetuningRun({ ...shared, task: 'entities', predictions: taggedPredictions(1, [sentence]) }),
    ),
    ...underFolder(
      `c${folder}`,
      finetuningRun({ ...shared, task: 'entities', predictions: taggedPredictions(0, [sentence]) }),
    ),
    ...underFolder(`d${folder}`, finetuningRun({ ...shared, task: text(6), stopped: true })),
    'profile/profile.json': JSON.stringify(profile),
    'profile/roofline.svg': picture,
  }
}

function oneLine(text: string): string {
  return text.replace(/[\t\n\r]/g, ' ')
}

export function harmlessFolder(): string {
  return folderWith(
    files(
      (place) => `name ${place}`,
      'run',
      '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="9"/>',
    ),
  )
}

export function hostileFolder(): string {
  return folderWith(
    files((place) => `${place}${HOSTILE[place % HOSTILE.length]}`, HOSTILE_FOLDER, HOSTILE_SVG),
  )
}
