/**
 * The roofline of a profile (Williams, Waterman and Patterson 2009): operations a byte against GFLOP/s, both logarithmic,
 * the measured roofs, and a dot for each kernel, the larger the more of the time it takes. Kernels that take at least 1%
 * have a number, and beside the drawing a line that says which they are.
 */
import { computePeak, type Peaks } from '../device/peak.js'
import { type Box, boxOf, type Dot, overlap, placeLabels } from './labels.js'
import { GROUND, INK, logarithmicTicks, PRECISION_SCALE, pictureSvg, QUIET } from './picture.js'
import type { KernelRow } from './profile.js'

const WIDTH = 600
const HEIGHT = 440
const ROW = 18
/** What kernels multiply where nothing else is said. */
const DEFAULT = 'f32'
const COLOUR = { field: 'products', type: 'nominal', scale: PRECISION_SCALE, legend: null }
const NUMBER = { width: 15, height: 12 }
/** Percent of the time from which on a kernel has a number. */
const NUMBERED = 1

type Shown = KernelRow & { readonly intensity: number }

interface Roof {
  readonly gflops: number
  /** Which products it stands over; more than one where they have the same peak. */
  readonly products: string[]
}

/** The drawing. Kernels without operations have no place in it; of those that take 1% or more the table says so. */
export function rooflineSvg(
  kernels: readonly KernelRow[],
  peaks: Peaks,
  title: string,
  subtitle = '',
): Promise<string> {
  const large = kernels.filter(({ share }) => share >= NUMBERED)
  const numbered = large.filter(isShown)
  const roofs = roofsOf(numbered, peaks)
  const ridges = roofs.map(({ gflops }) => gflops / peaks.gigabytes)
  const x = axis([...numbered.map((k) => k.intensity), ridges[0] / 8, (ridges.at(-1) ?? 1) * 4], 'width')
  const y = axis([...numbered.map((k) => k.gflops), ...roofs.map(({ gflops }) => gflops)], 'height')
  // what hardly takes time does not stretch the axes
  const small = kernels
    .filter(isShown)
    .filter((k) => k.share < NUMBERED && x.holds(k.intensity) && y.holds(k.gflops))
  const shown = [...numbered, ...small]
  const circles = shown.map((k) => ({ x: x.at(k.intensity), y: y.at(k.gflops), radius: radius(k) }))
  const roofLabels = roofs.map((roof) => roofLabel(roof, roofs, circles, y))
  const slope = slopeLabel(peaks, circles, x, y)
  const dots = shown.map((k) => ({
    products: k.products ?? DEFAULT,
    intensity: k.intensity,
    gflops: k.gflops,
    size: (2 * radius(k)) ** 2,
    about: about(k),
  }))
  const places = placeLabels(
    circles,
    numbered.length,
    NUMBER,
    { width: WIDTH, height: HEIGHT },
    [...roofLabels, slope].flatMap(({ boxes }) => boxes),
  )
  const numbers = numbered.map((k, i) => ({
    number: `${i + 1}`,
    intensity: k.intensity,
    gflops: k.gflops,
    x: x.value(places[i].x),
    y: y.value(places[i].y),
  }))
  const spec = {
    title: subtitle === '' ? title : { text: title, subtitle },
    hconcat: [
      {
        width: WIDTH,
        height: HEIGHT,
        layer: [
          {
            data: { values: slopePoints(roofs.at(-1)?.gflops ?? peaks.gflops, peaks, x, y) },
            mark: { type: 'line', strokeWidth: 2, color: INK },
            encoding: {
              x: x.encoding('intensity', 'operations a byte (FLOP/B)'),
              y: y.encoding('gflops', 'GFLOP/s'),
            },
          },
          {
            data: { values: roofs.flatMap((roof) => roofPoints(roof, peaks, x)) },
            mark: { type: 'line', strokeWidth: 2 },
            encoding: { x: x.encoding('intensity'), y: y.encoding('gflops'), color: COLOUR },
          },
          {
            data: { values: dots },
            mark: { type: 'circle', opacity: 0.65 },
            encoding: {
              x: x.encoding('intensity'),
              y: y.encoding('gflops'),
              size: { field: 'size', type: 'quantitative', scale: null },
              color: COLOUR,
              description: { field: 'about', type: 'nominal' },
            },
          },
          {
            data: { values: numbers },
            mark: { type: 'rule', strokeWidth: 0.7, color: QUIET },
            encoding: {
              x: x.encoding('intensity'),
              y: y.encoding('gflops'),
              x2: { field: 'x' },
              y2: { field: 'y' },
            },
          },
          // a halo first, for lines may run behind a number
          ...[{ color: GROUND, stroke: GROUND, strokeWidth: 3 }, {}].map((halo) => ({
            data: { values: numbers },
            mark: { type: 'text', fontWeight: 'bold', ...halo },
            encoding: { x: x.encoding('x'), y: y.encoding('y'), text: { field: 'number', type: 'nominal' } },
          })),
          ...roofLabels.map(({ text, boxes: [box], products }) => ({
            data: { values: [{ text, products }] },
            mark: { type: 'text', align: 'right', fontWeight: 'bold' },
            encoding: {
              x: { value: box.x + box.width / 2 },
              y: { value: box.y },
              text: { field: 'text', type: 'nominal' },
              color: COLOUR,
            },
          })),
          {
            data: { values: [{ text: slope.text }] },
            mark: { type: 'text', align: 'center', angle: slope.angle, fontWeight: 'bold' },
            encoding: {
              x: { value: slope.middle.x },
              y: { value: slope.middle.y },
              text: { field: 'text', type: 'nominal' },
            },
          },
        ],
      },
      legend(large, kernels),
    ],
  }
  return pictureSvg(spec as Parameters<typeof pictureSvg>[0], title)
}

function isShown(kernel: KernelRow): kernel is Shown {
  return kernel.flops > 0 && kernel.intensity !== undefined && kernel.gflops > 0
}

function radius({ share }: KernelRow): number {
  return 3 + 1.4 * Math.sqrt(share)
}

function about(k: KernelRow): string {
  return `${k.name}: ${k.ms.toFixed(2)} ms (${k.share.toFixed(1)}%), ${k.gflops.toFixed(1)} GFLOP/s, ${ofRoof(k)}`
}

function ofRoof({ percentOfPeak, roof, products }: KernelRow): string {
  if (percentOfPeak === undefined) return ''
  return `${percentOfPeak.toFixed(0)}% of ${roof === 'memory' ? 'memory' : (products ?? DEFAULT)}`
}

/** The distinct peaks of compute that the kernels stand under, the lowest first. */
function roofsOf(kernels: readonly KernelRow[], peaks: Peaks): Roof[] {
  const roofs = new Map<number, Set<string>>()
  for (const { products } of kernels.length > 0 ? kernels : [{ products: undefined }]) {
    const gflops = computePeak(peaks, { products })
    roofs.set(gflops, (roofs.get(gflops) ?? new Set<string>()).add(products ?? DEFAULT))
  }
  return [...roofs]
    .map(([gflops, products]) => ({ gflops, products: [...products].sort() }))
    .sort((a, b) => a.gflops - b.gflops)
}

/** Level from where memory no longer binds. */
function roofPoints({ gflops, products }: Roof, { gigabytes }: Peaks, x: Axis): object[] {
  return [gflops / gigabytes, x.high].map((intensity) => ({ intensity, gflops, products: products[0] }))
}

/** From the left or the lower edge up to the highest roof. */
function slopePoints(highest: number, { gigabytes }: Peaks, x: Axis, y: Axis): object[] {
  return [Math.max(x.low, y.low / gigabytes), highest / gigabytes].map((intensity) => ({
    intensity,
    gflops: gigabytes * intensity,
  }))
}

/** Over a roof, as far to the right as dots leave room; under it where another is close above. */
function roofLabel({ gflops, products }: Roof, roofs: readonly Roof[], dots: readonly Dot[], y: Axis) {
  const text = `${products.join(' and ')}: ${gflops.toFixed(0)} GFLOP/s`
  const width = textWidth(text)
  const isCrowded = roofs.some((other) => other.gflops > gflops && y.at(gflops) - y.at(other.gflops) < 22)
  const middle = y.at(gflops) + (isCrowded ? 10 : -9)
  const places = Array.from({ length: 20 }, (_, i): Box[] => [
    { x: WIDTH - width / 2 - 10 * i, y: middle, width, height: 12 },
  ])
  return { text, boxes: firstFree(places, dots), products: products[0] }
}

/** The first of the places, each a few boxes, that covers no dot; else the first of all. */
function firstFree(places: readonly Box[][], dots: readonly Dot[]): Box[] {
  const circles = dots.map(boxOf)
  const isFree = (boxes: Box[]) => !boxes.some((box) => circles.some((circle) => overlap(box, circle)))
  return places.find(isFree) ?? places[0]
}

/** Along the slope that all roofs share, above it, as far to the left as dots leave room. */
function slopeLabel(peaks: Peaks, dots: readonly Dot[], x: Axis, y: Axis) {
  const text = `memory: ${peaks.gigabytes.toFixed(1)} GB/s`
  const first = Math.max(x.low, y.low / peaks.gigabytes)
  const start = { x: x.at(first), y: y.at(peaks.gigabytes * first) }
  const angle = Math.atan2(y.at(10) - y.at(1), x.at(10) - x.at(1))
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const at = (along: number) => ({ x: start.x + along * cos + 9 * sin, y: start.y + along * sin - 9 * cos })
  const half = textWidth(text) / 2
  // nine small boxes, since a large one around slanted text would hold much that the text does not cover
  const places = Array.from({ length: 12 }, (_, k) =>
    Array.from({ length: 9 }, (_, i): Box => {
      return { ...at(half + 12 + 12 * k + (half * (i - 4)) / 4), width: 14, height: 14 }
    }),
  )
  const boxes = firstFree(places, dots)
  return { text, angle: (angle * 180) / Math.PI, middle: boxes[4], boxes }
}

/** A table of vega-lite's texts: number, kernel, share of the time, percent of the roof that binds. */
function legend(large: readonly KernelRow[], kernels: readonly KernelRow[]): object {
  let number = 0
  const rows = large.map((k) => ({
    number: isShown(k) ? `${++number}` : '–',
    kernel: k.name,
    share: `${k.share.toFixed(1)}%`,
    roof: isShown(k) ? ofRoof(k) : 'no operations',
  }))
  const rest = kernels.filter((k) => !large.includes(k))
  if (rest.length > 0) {
    const share = rest.reduce((sum, k) => sum + k.share, 0)
    const kernel = `${rest.length} others, small dots or none`
    rows.push({ number: '', kernel, share: `${share.toFixed(1)}%`, roof: '' })
  }
  const names = Math.max(...rows.map(({ kernel }) => textWidth(kernel)), 100)
  const columns = [
    { field: 'number', head: '', at: 14, align: 'right' },
    { field: 'kernel', head: 'kernel', at: 22, align: 'left' },
    { field: 'share', head: 'time', at: names + 66, align: 'right' },
    { field: 'roof', head: 'of its roof', at: names + 82, align: 'left' },
  ]
  const column = (field: string, at: number) => ({
    x: { value: at },
    y: { field: 'y', type: 'quantitative', scale: null, axis: null },
    text: { field, type: 'nominal' },
  })
  return {
    width: names + 170,
    height: HEIGHT,
    layer: columns.flatMap(({ field, head, at, align }) => [
      {
        data: { values: [{ head, y: 6 }] },
        mark: { type: 'text', align, color: QUIET },
        encoding: column('head', at),
      },
      {
        data: { values: rows.map((row, i) => ({ ...row, y: 6 + ROW * (i + 1) })) },
        mark: { type: 'text', align, fontWeight: field === 'number' ? 'bold' : 'normal' },
        encoding: column(field, at),
      },
    ]),
  }
}

/** Of 11 pixels, sans-serif, about. */
function textWidth(text: string): number {
  return 6.3 * text.length
}

/** A logarithmic axis of this many pixels that holds the values. */
interface Axis {
  readonly low: number
  readonly high: number
  /** From the left or the top. */
  at(value: number): number
  value(pixel: number): number
  holds(value: number): boolean
  encoding(field: string, title?: string): object
}

function axis(values: readonly number[], channel: 'width' | 'height'): Axis {
  const [low, high] = [Math.min(...values) / 1.6, Math.max(...values) * 1.6]
  const [from, length] = channel === 'width' ? [0, WIDTH] : [HEIGHT, -HEIGHT]
  const span = Math.log(high / low)
  const scale = { type: 'log', domain: [low, high], nice: false }
  const ticks = { values: logarithmicTicks(low, high), format: ',~g' }
  return {
    low,
    high,
    at: (value) => from + (length * Math.log(value / low)) / span,
    value: (pixel) => low * Math.exp(((pixel - from) / length) * span),
    holds: (value) => value > low && value < high,
    encoding: (field, title) => ({
      field,
      type: 'quantitative',
      scale,
      ...(title !== undefined && { title, axis: ticks }),
    }),
  }
}
