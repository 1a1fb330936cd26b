/**
 * Two pictures of results, in the style of the roofline: races as bars from 1 along a logarithmic axis, to the right where
 * ours is faster, with the range of the rounds as a whisker; and curves of a loss.
 */
import { INK, logarithmicTicks, PRECISION_SCALE, pictureSvg, QUIET } from '../../src/profile/picture.js'
import type { Race, Results } from './record.js'

const WIDTH = 420
const ROW = 22

type Spec = Parameters<typeof pictureSvg>[0]
type Ratio = Race & Required<Pick<Race, 'ratio' | 'low' | 'high'>>
interface Bar {
  readonly race: Ratio
  readonly name: string
}

/** What a race is called: its precision is named where the file has races in more than one. */
export function raceName({ name, precision }: Race, among: readonly Race[]): string {
  return among.some((race) => race.precision !== precision) ? `${name}, ${precision}` : name
}

/** All races that have a ratio, those of one machine under its name. */
export function racesSvg(results: readonly Results[]): Promise<string> {
  const machines = new Map<string, Bar[]>()
  for (const { facts, races } of results) {
    const { processor, isa, threads, gpu } = facts
    const machine = `${gpu ?? `${processor}, ${isa}, ${threads} thread${threads === 1 ? '' : 's'}`}`
    const bars = races
      .filter((race): race is Ratio => race.ratio !== undefined)
      .map((race) => ({ race, name: raceName(race, races) }))
    if (bars.length > 0) machines.set(machine, [...(machines.get(machine) ?? []), ...bars])
  }
  const all = [...machines.values()].flat().map(({ race }) => race)
  const domain = [
    Math.min(0.5, ...all.map(({ low }) => low / 1.05)),
    Math.max(2, ...all.map(({ high }) => high * 1.05)),
  ]
  const precisions = PRECISION_SCALE.domain.filter((one) => all.some(({ precision }) => precision === one))
  const title = 'Speed beside the best peer'
  const subtitle =
    'time of the fastest peer over ours, median of rounds and range; right of the line ours is faster'
  const spec = {
    title: { text: title, subtitle },
    bounds: 'flush',
    spacing: 44,
    vconcat: [...machines].map(([machine, bars]) => raceSpec(machine, bars, domain, precisions)),
  }
  return pictureSvg(spec as Spec, title)
}

function raceSpec(
  machine: string,
  bars: readonly Bar[],
  domain: readonly number[],
  precisions: readonly string[],
): object {
  const rows = bars.map(({ race, name }, row) => ({
    row,
    name,
    precision: race.precision,
    ratio: race.ratio,
    low: race.low,
    high: race.high,
    result: `${race.ratio.toFixed(2)} × ${race.peer?.name ?? ''}`,
  }))
  const axis = { values: logarithmicTicks(domain[0], domain[1]), format: ',~g', title: null }
  const scale = { type: 'log', domain, nice: false }
  const x = (field: string) => ({ field, type: 'quantitative', scale, axis })
  const y = { field: 'row', type: 'ordinal', axis: null }
  const label = (field: string, at: number) => ({ x: { value: at }, y, text: { field, type: 'nominal' } })
  return {
    title: { text: machine, fontSize: 12, color: QUIET, fontWeight: 'normal', offset: 6, frame: 'group' },
    width: WIDTH,
    height: ROW * rows.length,
    data: { values: rows },
    layer: [
      {
        mark: { type: 'bar', height: ROW - 8, opacity: 0.8 },
        encoding: {
          x: x('ratio'),
          x2: { datum: 1 },
          y,
          color: {
            field: 'precision',
            type: 'nominal',
            scale: PRECISION_SCALE,
            legend: { orient: 'top', values: precisions },
          },
          description: { field: 'name', type: 'nominal' },
        },
      },
      { mark: { type: 'rule', color: INK }, encoding: { x: x('low'), x2: { field: 'high' }, y } },
      { mark: { type: 'rule', color: INK, strokeWidth: 1.5 }, encoding: { x: { datum: 1 } } },
      { mark: { type: 'text', align: 'right' }, encoding: label('name', -10) },
      { mark: { type: 'text', align: 'left' }, encoding: label('result', WIDTH + 10) },
    ],
  }
}

/** Curves over the same steps, and under their names the largest difference between the first and the others. */
export function curvesSvg({ curves = {}, figures }: Results): Promise<string> {
  const names = Object.keys(curves).filter((name) => name !== 'step')
  const title = 'Loss in f32 and in bf16'
  const points = names.flatMap((precision) =>
    curves[precision].map((loss, i) => ({ precision, loss, step: curves.step[i] })),
  )
  const precision = { field: 'precision', type: 'nominal', sort: names }
  const spec = {
    title: { text: title, subtitle: figures.map(({ what, value }) => `${what}: ${value}`).join('; ') },
    width: 900,
    height: 320,
    data: { values: points },
    mark: { type: 'line', strokeWidth: 1.8 },
    encoding: {
      x: { field: 'step', type: 'quantitative', scale: { nice: false } },
      y: { field: 'loss', type: 'quantitative', scale: { zero: false } },
      color: { ...precision, scale: PRECISION_SCALE, legend: { orient: 'top-right', values: names } },
      // the first lies under the others, which let it show through
      strokeDash: {
        ...precision,
        scale: { domain: names, range: names.map((_, i) => (i === 0 ? [1, 0] : [4, 4])) },
        legend: { orient: 'top-right', values: names },
      },
    },
  }
  return pictureSvg(spec as Spec, title)
}
