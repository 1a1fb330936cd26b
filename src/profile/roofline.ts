/**
 * The roofline of a profile (Williams, Waterman and Patterson 2009) as an SVG of its own: operations a byte against
 * GFLOP/s, both logarithmic, the measured roofs (that of 8-bit integers where a kernel multiplies them), and a point for each
 * kernel whose area is its share of the time.
 */
import type { Peaks } from '../device/peak.js'
import { type KernelRow, roofAt } from './profile.js'
import { escapeXml, round, text } from './svg.js'

const WIDTH = 900
const HEIGHT = 560
const LEFT = 80
const RIGHT = 30
const TOP = 50
const BOTTOM = 60
const COLOURS = { compute: '#c2410c', memory: '#1d4ed8' } as const

/** A logarithmic axis: its range in whole decades, and where a value lies. */
interface Axis {
  readonly low: number
  readonly high: number
  at(value: number): number
}

/** The drawing. Kernels without operations have no place on it; a note under the title names them. */
export function rooflineSvg(kernels: readonly KernelRow[], peaks: Peaks, title: string): string {
  const shown = kernels.filter((k) => k.flops > 0 && k.intensity !== undefined && k.gflops > 0)
  const absent = kernels.filter((k) => !shown.includes(k)).map((k) => k.name)
  const ridge = peaks.gflops / peaks.gigabytes
  const x = axis([...shown.map((k) => k.intensity as number), ridge / 8, ridge * 8], LEFT, WIDTH - RIGHT)
  const hasInt8 = shown.some((k) => k.products === 'int8')
  const ceilings = hasInt8 ? [peaks.gflops, peaks.int8] : [peaks.gflops]
  const y = axis([...shown.map((k) => k.gflops), ...ceilings], HEIGHT - BOTTOM, TOP)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(LEFT, 20, title, 'font-size="15" font-weight="bold"'),
    absent.length > 0 ? text(LEFT, 38, `no operations, not shown: ${absent.join(', ')}`, 'fill="#555"') : '',
    ...decades(x).map(
      (v) => line(x.at(v), TOP, x.at(v), HEIGHT - BOTTOM) + tick(x.at(v), HEIGHT - BOTTOM + 16, v, 'middle'),
    ),
    ...decades(y).map(
      (v) => line(LEFT, y.at(v), WIDTH - RIGHT, y.at(v)) + tick(LEFT - 6, y.at(v) + 4, v, 'end'),
    ),
    text(
      (LEFT + WIDTH - RIGHT) / 2,
      HEIGHT - 18,
      'operations a byte (FLOP/B)',
      'text-anchor="middle" class="axis"',
    ),
    text(
      0,
      0,
      'GFLOP/s',
      `text-anchor="middle" class="axis" transform="translate(20 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"`,
    ),
    `<clipPath id="plot"><rect x="${LEFT}" y="${TOP}" width="${WIDTH - RIGHT - LEFT}" height="${HEIGHT - BOTTOM - TOP}"/></clipPath>`,
    ...ceilings.map((gflops) => roof({ ...peaks, gflops }, x, y)),
    text(
      WIDTH - RIGHT - 4,
      y.at(peaks.gflops) - 6,
      `${peaks.gflops.toFixed(0)} GFLOP/s`,
      'text-anchor="end" class="roof"',
    ),
    hasInt8
      ? text(
          WIDTH - RIGHT - 4,
          y.at(peaks.int8) - 6,
          `${peaks.int8.toFixed(0)} GFLOP/s of 8-bit integers`,
          'text-anchor="end" class="roof"',
        )
      : '',
    text(
      x.at(ridge / 6) - 8,
      y.at(peaks.gflops / 6) - 8,
      `${peaks.gigabytes.toFixed(1)} GB/s`,
      'class="roof" text-anchor="end"',
    ),
    ...points(shown, x, y),
    '</svg>',
  ]
  return `${parts.filter((part) => part !== '').join('\n')}\n`
}

/** Up along the roof of memory, then level. */
function roof(peaks: Pick<Peaks, 'gflops' | 'gigabytes'>, x: Axis, y: Axis): string {
  const points = [x.low, peaks.gflops / peaks.gigabytes, x.high]
    .map((i) => [x.at(i), y.at(roofAt(peaks, i).gflops)].map(round).join(','))
    .join(' ')
  return `<polyline clip-path="url(#plot)" fill="none" stroke="#111" stroke-width="2" points="${points}"/>`
}

/** Circles, and labels that move down where they would cover one another. */
function points(kernels: readonly KernelRow[], x: Axis, y: Axis): string[] {
  const taken: { x: number; y: number }[] = []
  return kernels.map((k) => {
    const [cx, cy] = [x.at(k.intensity as number), y.at(k.gflops)]
    const r = 3 + 1.5 * Math.sqrt(k.share)
    const left = cx > (LEFT + WIDTH - RIGHT) * 0.6
    const place = { x: left ? cx - r - 4 : cx + r + 4, y: cy + 4 }
    while (taken.some((t) => Math.abs(t.x - place.x) < 180 && Math.abs(t.y - place.y) < 12)) place.y += 12
    taken.push(place)
    const percent = k.percentOfPeak === undefined ? '' : `, ${k.percentOfPeak.toFixed(0)}% of its roof`
    const about = `${k.name}: ${k.ms.toFixed(2)} ms (${k.share.toFixed(1)}%), ${k.gflops.toFixed(1)} GFLOP/s${percent}`
    return (
      `<circle cx="${round(cx)}" cy="${round(cy)}" r="${round(r)}" fill="${COLOURS[k.roof ?? 'compute']}" fill-opacity="0.6">` +
      `<title>${escapeXml(about)}</title></circle>` +
      text(place.x, place.y, k.name, `font-size="10" text-anchor="${left ? 'end' : 'start'}" class="kernel"`)
    )
  })
}

function axis(values: readonly number[], from: number, to: number): Axis {
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)))
  const high = 10 ** Math.ceil(Math.log10(1.2 * Math.max(...values)))
  const at = (v: number) =>
    from + ((to - from) * (Math.log10(v) - Math.log10(low))) / (Math.log10(high) - Math.log10(low))
  return { low, high, at }
}

function decades({ low, high }: Axis): number[] {
  const count = Math.round(Math.log10(high / low))
  return Array.from({ length: count + 1 }, (_, i) => Number((low * 10 ** i).toPrecision(1)))
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#ddd"/>`
}

function tick(x: number, y: number, value: number, anchor: string): string {
  return text(x, y, `${value}`, `text-anchor="${anchor}" fill="#555"`)
}
