/**
 * Two drawings by hand, as the roofline of src/profile is: races as bars from 1 along a logarithmic axis, to the right
 * where ours is faster, with the range of the rounds as a whisker; and curves of a loss. Colours follow the reader's
 * dark or light scheme.
 */
import { escapeXml, round, text } from '../../src/profile/svg.js'
import type { Race, Results } from './record.js'

const WIDTH = 960
const ROW = 22
const LEFT = 330
const RIGHT = 300
const TOP = 64

const STYLE = `<style>
svg { font-family: sans-serif; font-size: 12px; }
text { fill: #1f2328; } .quiet { fill: #59636e; } .title { font-size: 15px; font-weight: bold; }
.ground { fill: #ffffff; } .grid { stroke: #d1d9e0; } .one { stroke: #1f2328; stroke-width: 1.5; }
.f32 { fill: #1d4ed8; stroke: #1d4ed8; } .bf16 { fill: #c2410c; stroke: #c2410c; } .int8 { fill: #15803d; stroke: #15803d; }
rect.f32, rect.bf16, rect.int8 { stroke: none; fill-opacity: 0.8; } .whisker { stroke: #1f2328; }
polyline { fill: none; stroke-width: 1.5; } polyline.f32, polyline.bf16 { fill: none; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .ground { fill: #0d1117; } .grid { stroke: #3d444d; } .one, .whisker { stroke: #f0f6fc; }
.f32 { fill: #60a5fa; stroke: #60a5fa; } .bf16 { fill: #fb923c; stroke: #fb923c; } .int8 { fill: #4ade80; stroke: #4ade80; }
polyline.f32, polyline.bf16 { fill: none; }
}
</style>`

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
export function racesSvg(results: readonly Results[]): string {
  const machines = new Map<string, Bar[]>()
  for (const { facts, races } of results) {
    const { processor, isa, threads } = facts
    const machine = `${processor}, ${isa}, ${threads} thread${threads === 1 ? '' : 's'}`
    const bars = races
      .filter((race): race is Ratio => race.ratio !== undefined)
      .map((race) => ({ race, name: raceName(race, races) }))
    if (bars.length > 0) machines.set(machine, [...(machines.get(machine) ?? []), ...bars])
  }
  const all = [...machines.values()].flat().map(({ race }) => race)
  const spread = Math.max(2, ...all.flatMap(({ low, high }) => [1 / low, high]).map((v) => v * 1.05))
  const low = Math.min(0.5, ...all.map((race) => race.low / 1.05))
  const x = (v: number) => LEFT + ((WIDTH - RIGHT - LEFT) * Math.log(v / low)) / Math.log(spread / low)
  const rows: string[] = []
  let y = TOP
  for (const [machine, bars] of machines) {
    rows.push(text(12, y + 15, machine, 'class="quiet"'))
    y += ROW
    for (const { race, name } of bars) {
      rows.push(bar(race, name, x, y))
      y += ROW
    }
  }
  const bottom = y + 4
  const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].filter((v) => v >= low && v <= spread)
  return drawing(bottom + 40, 'Speed beside the best peer', [
    text(12, 24, 'Speed beside the best peer', 'class="title"'),
    text(
      12,
      44,
      'time of the fastest peer over ours, median of rounds and range; right of the line ours is faster',
      'class="quiet"',
    ),
    ...ticks.map((v) => rule(x(v), TOP, x(v), bottom, v === 1 ? 'one' : 'grid')),
    ...ticks.map((v) => text(x(v), bottom + 16, `${v}`, 'class="quiet" text-anchor="middle"')),
    ...rows,
  ])
}

function bar(
  { precision, ratio, low, high, peer }: Race & { ratio: number; low: number; high: number },
  name: string,
  x: (v: number) => number,
  y: number,
): string {
  const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))]
  const middle = y + ROW / 2
  return [
    text(LEFT - 10, middle + 4, name, 'text-anchor="end"'),
    `<rect class="${precision}" x="${round(from)}" y="${y + 4}" width="${round(Math.max(1, to - from))}" height="${ROW - 8}"/>`,
    rule(x(low), middle, x(high), middle, 'whisker'),
    text(WIDTH - RIGHT + 10, middle + 4, `${ratio.toFixed(2)} × ${peer?.name ?? ''}`, ''),
  ].join('')
}

/** Curves over the same steps, and under their names the largest difference between the first and the others. */
export function curvesSvg({ curves = {}, figures }: Results): string {
  const names = Object.keys(curves).filter((name) => name !== 'step')
  const steps = curves.step
  const values = names.flatMap((name) => curves[name])
  const [low, high] = [Math.floor(Math.min(...values)), Math.ceil(Math.max(...values))]
  const [left, right, top, bottom] = [60, WIDTH - 30, 70, 380]
  const last = steps.at(-1) ?? 1
  const x = (step: number) => left + ((right - left) * step) / last
  const y = (v: number) => bottom - ((bottom - top) * (v - low)) / (high - low)
  const levels = Array.from({ length: high - low + 1 }, (_, i) => low + i)
  const marks = Array.from({ length: 6 }, (_, i) => Math.round((last * i) / 5))
  const title = 'Loss in f32 and in bf16'
  return drawing(430, title, [
    text(12, 24, title, 'class="title"'),
    text(12, 44, figures.map(({ what, value }) => `${what}: ${value}`).join('; '), 'class="quiet"'),
    ...levels.map(
      (v) =>
        rule(left, y(v), right, y(v), 'grid') +
        text(left - 8, y(v) + 4, `${v}`, 'class="quiet" text-anchor="end"'),
    ),
    ...marks.map((v) => text(x(v), bottom + 18, `${v}`, 'class="quiet" text-anchor="middle"')),
    text((left + right) / 2, bottom + 38, 'step', 'class="quiet" text-anchor="middle"'),
    ...names.map((name, k) => {
      const points = curves[name].map((v, i) => `${round(x(steps[i]))},${round(y(v))}`).join(' ')
      const dash = k === 0 ? '' : ' stroke-dasharray="4 4"'
      return `<polyline class="${name}"${dash} points="${points}"/>${text(right - 60, top + 16 + 18 * k, name, `class="${name}" stroke="none" style="stroke:none"`)}`
    }),
  ])
}

function drawing(height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}">`,
    `<title>${escapeXml(title)}</title>`,
    STYLE,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function rule(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  return `<line class="${kind}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}
