/**
 * Curves over the steps of runs, drawn by vega-lite in the style of the project's pictures, small enough for a phone, several
 * beside each other. A run has a colour and a dash; what is measured beside training (held out, dev) is drawn with dots.
 */
import { pictureSvg, SERIES } from '../profile/picture.js'
import { Html, html, name, shorten } from './html.js'
import type { Point } from './model.js'
import { short } from './numbers.js'

/** Lines that can be told apart in one picture. */
export const MOST_LINES = SERIES.length

const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
]
const WIDTH = 340
const HEIGHT = 220
/** Numbers without the zeros that end them. */
const LABEL = "replace(format(datum.value, '.6f'), /\\.?0+$/, '')"
/** Points of a line; more would not be seen. */
const MOST_POINTS = 120

export interface Line {
  /** Which of the legend's. */
  readonly index: number
  readonly label: string
  readonly points: readonly Point[]
  /** Measured now and then, not at every step. */
  readonly dotted?: boolean
}

/** A picture with its caption; undefined where no line has a point. */
export async function curve(title: string, lines: readonly Line[]): Promise<Html | undefined> {
  const drawn = lines.filter(({ points }) => points.length > 0)
  if (drawn.length === 0) return undefined
  const values = drawn.flatMap(({ index, points, dotted }, line) =>
    thin(points).map(({ step, value }) => ({
      step,
      value,
      index: String(index),
      line,
      dotted: dotted ?? false,
    })),
  )
  const shared = {
    x: {
      field: 'step',
      type: 'quantitative',
      title: 'step',
      axis: { tickCount: 5, grid: false },
      scale: { nice: false },
    },
    y: {
      field: 'value',
      type: 'quantitative',
      title: null,
      axis: { tickCount: 5, labelExpr: LABEL },
      scale: { zero: false },
    },
    color: { field: 'index', type: 'nominal', legend: null, scale: scaleOf(SERIES.map(([light]) => light)) },
    detail: { field: 'line', type: 'nominal' },
  }
  // what is measured in training steps back behind what is not
  const both = drawn.some(({ dotted }) => dotted) && drawn.some(({ dotted }) => !dotted)
  const spec = {
    width: WIDTH,
    height: HEIGHT,
    autosize: { type: 'fit', contains: 'padding' },
    data: { values },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.75, strokeJoin: 'round', aria: false },
        encoding: {
          ...shared,
          opacity: { condition: { test: both ? 'datum.dotted' : 'true', value: 1 }, value: 0.4 },
          strokeDash: { field: 'index', type: 'nominal', legend: null, scale: scaleOf(DASHES) },
        },
      },
      {
        transform: [{ filter: 'datum.dotted' }],
        mark: { type: 'circle', size: 28, opacity: 1, aria: false },
        encoding: shared,
      },
    ],
  }
  const about = `${title}: ${drawn.map(describe).join('; ')}`
  return html`<figure><figcaption>${title}</figcaption>
${await picture(spec as Parameters<typeof pictureSvg>[0], about)}</figure>\n`
}

/** The drawing as a part of a page, whose style sheet has its dark colours; `about` is what it is without eyes. */
async function picture(spec: Parameters<typeof pictureSvg>[0], about: string): Promise<Html> {
  const svg = await pictureSvg(spec, '')
  const opened = html`<svg role="img" aria-label="${about}" `.text
  return new Html(
    svg.replace(/<title><\/title>\n<style>[^<]*<\/style>\n/, '').replace(/^<svg /, () => opened),
  )
}

function scaleOf<T>(range: readonly T[]) {
  return { domain: range.map((_, i) => String(i)), range }
}

function describe({ label, points, dotted }: Line): string {
  const [first, last] = [points[0], points[points.length - 1]]
  const values = points.map(({ value }) => value)
  const extremes = `between ${short(Math.min(...thinValues(values, Math.min)))} and ${short(Math.max(...thinValues(values, Math.max)))}`
  return `${shorten(label, 80)}${dotted ? ' (measured now and then)' : ''} from ${short(first.value)} at step ${first.step} to ${short(last.value)} at step ${last.step}, ${extremes}`
}

/** Keeps the arguments of a call few: logs may have millions of lines. */
function thinValues(values: readonly number[], best: (...of: number[]) => number): number[] {
  const chunks: number[] = []
  for (let i = 0; i < values.length; i += 1000) chunks.push(best(...values.slice(i, i + 1000)))
  return chunks
}

/** Means of neighbours, so that a long log is drawn by a few points. */
export function thin(points: readonly Point[], most = MOST_POINTS): Point[] {
  if (points.length <= most) return [...points]
  return Array.from({ length: most }, (_, i) => {
    const bin = points.slice(
      Math.floor((i * points.length) / most),
      Math.floor(((i + 1) * points.length) / most),
    )
    const mean = (get: (point: Point) => number) =>
      bin.reduce((sum, point) => sum + get(point), 0) / bin.length
    return { step: mean(({ step }) => step), value: mean(({ value }) => value) }
  })
}

/** Names beside a piece of their lines. */
export function legend(names: readonly string[]): Html {
  return html`<ul class="legend">${names.map((text, i) => html`<li>${key(i)}${name(text)}</li>`)}</ul>\n`
}

function key(index: number): Html {
  const [colour] = SERIES[index]
  return html`<svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke="${colour}" stroke-width="2" stroke-dasharray="${DASHES[index].join(' ')}"/></svg>`
}
