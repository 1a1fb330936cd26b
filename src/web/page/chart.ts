/** A line chart in SVG: drawn anew at the width that it has, once a frame at most, so that its letters never shrink. */
import { draw, make } from './dom.js'
import { count } from './format.js'
import { type Point, thin, ticks } from './scale.js'

export interface Line {
  readonly kind: 'raw' | 'smooth' | 'dev'
  readonly points: readonly Point[]
  /** Index of the point with a ring and a word beside it. */
  readonly best?: number
}

/** A dashed line across, with its name. */
export interface Level {
  readonly name: string
  readonly y: number
}

export interface ChartData {
  readonly lines: readonly Line[]
  readonly levels: readonly Level[]
  /** Steps of the whole run. */
  readonly total: number
  /** For those who do not see it. */
  readonly description: string
}

const MARGIN = { top: 16, right: 16, bottom: 42, left: 58 }

export class Chart {
  private readonly svg = draw('svg', { role: 'img' })
  private data: ChartData | undefined
  private frame = 0

  constructor(
    place: HTMLElement,
    private readonly axis: {
      readonly y: string
      readonly height: number
      readonly tick: (y: number) => string
    },
  ) {
    place.append(make('figure', { class: 'chart' }, this.svg))
    new ResizeObserver(() => this.later()).observe(place)
  }

  show(data: ChartData): void {
    this.data = data
    this.later()
  }

  private later(): void {
    if (this.frame === 0)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0
        if (this.data) this.draw(this.data)
      })
  }

  private draw({ lines, levels, total, description }: ChartData): void {
    const width = Math.floor(this.svg.parentElement?.clientWidth ?? 0)
    const { height } = this.axis
    const inner = width - MARGIN.left - MARGIN.right
    if (inner < 40) return
    const thinned = lines.map((line) => (line.kind === 'dev' ? line.points : thin(line.points, inner / 2)))
    const values = [...thinned.flat().map(([, y]) => y), ...levels.map(({ y }) => y)]
    if (values.length === 0) return
    const yTicks = ticks(Math.min(...values), Math.max(...values), 4)
    const [low, high] = [yTicks[0], yTicks[yTicks.length - 1]]
    const xTicks = ticks(0, total, inner < 360 ? 3 : 6).filter((x) => x <= total)
    const x = (step: number) => MARGIN.left + (inner * step) / total
    const bottom = height - MARGIN.bottom
    const y = (value: number) => bottom - ((bottom - MARGIN.top) * (value - low)) / (high - low)
    const line = (attributes: Record<string, string | number>) => draw('line', attributes)

    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    this.svg.setAttribute('width', String(width))
    this.svg.setAttribute('height', String(height))
    this.svg.setAttribute('aria-label', description)
    this.svg.replaceChildren(
      ...yTicks.flatMap((value) => [
        line({ class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        draw('text', { x: MARGIN.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, this.axis.tick(value)),
      ]),
      ...xTicks.flatMap((step) => [
        line({ class: 'axis', x1: x(step), x2: x(step), y1: bottom, y2: bottom + 4 }),
        draw('text', { x: x(step), y: bottom + 18, 'text-anchor': 'middle' }, count(step)),
      ]),
      line({ class: 'axis', x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom }),
      draw(
        'text',
        { class: 'title', x: MARGIN.left + inner / 2, y: height - 6, 'text-anchor': 'middle' },
        'step',
      ),
      draw(
        'text',
        {
          class: 'title',
          transform: `translate(13 ${(MARGIN.top + bottom) / 2}) rotate(-90)`,
          'text-anchor': 'middle',
        },
        this.axis.y,
      ),
      // at the left, where a loss is still far above
      ...levels.flatMap(({ name, y: value }) => [
        line({ class: 'level', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        draw('text', { class: 'ink', x: MARGIN.left + 6, y: y(value) - 6 }, name),
      ]),
      ...thinned.flatMap((points, i) => {
        const places = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`)
        return [
          draw('polyline', { class: lines[i].kind, points: places.join(' ') }),
          ...(lines[i].kind === 'dev' ? this.dots(lines[i], x, y, width) : []),
        ]
      }),
    )
  }

  private dots(
    { points, best }: Line,
    x: (step: number) => number,
    y: (value: number) => number,
    width: number,
  ): SVGElement[] {
    return points.flatMap(([step, value], i) => {
      const [cx, cy] = [x(step), y(value)]
      const dot = draw('circle', { class: i === best ? 'best' : 'dot', cx, cy, r: i === best ? 5 : 3 })
      if (i !== best) return [dot]
      const anchor = cx > width - 90 ? 'end' : cx < MARGIN.left + 40 ? 'start' : 'middle'
      const above = cy > MARGIN.top + 18
      const text = `best: ${this.axis.tick(value)}`
      return [
        dot,
        draw('text', { class: 'ink', x: cx, y: above ? cy - 10 : cy + 20, 'text-anchor': anchor }, text),
      ]
    })
  }
}
