/**
 * Pictures: a specification of vega-lite drawn as SVG, all in one style. Colours are attributes, which every viewer knows;
 * a style sheet replaces each of them for readers whose scheme is dark, so that one file serves both.
 */
import type { TopLevelSpec } from 'vega-lite'

/** What colours are for, and what they are on a light and on a dark page. No two are the same on a light one. */
export const PALETTE = {
  ground: ['#ffffff', '#0d1117'],
  ink: ['#1f2328', '#f0f6fc'],
  quiet: ['#59636e', '#9198a1'],
  grid: ['#d1d9e0', '#30363d'],
  f32: ['#1d4ed8', '#60a5fa'],
  bf16: ['#c2410c', '#fb923c'],
  int8: ['#15803d', '#4ade80'],
} as const

/** Lines of a curve, in the order in which they are used, on a light and on a dark page. The first are those of precisions. */
export const SERIES: readonly (readonly [light: string, dark: string])[] = [
  PALETTE.f32,
  PALETTE.bf16,
  PALETTE.int8,
  ['#7e22ce', '#c084fc'],
  ['#0f766e', '#2dd4bf'],
  ['#be185d', '#f472b6'],
  ['#854d0e', '#facc15'],
  ['#475569', '#94a3b8'],
]

const colour = (name: keyof typeof PALETTE): string => PALETTE[name][0]
export const INK = colour('ink')
export const QUIET = colour('quiet')
export const GROUND = colour('ground')

/** The colours of precisions: what is drawn of one has its colour in every picture. */
export const PRECISION_SCALE = {
  domain: ['f32', 'bf16', 'int8'],
  range: [colour('f32'), colour('bf16'), colour('int8')],
}

const config: TopLevelSpec['config'] = {
  background: GROUND,
  font: 'sans-serif',
  padding: 14,
  title: {
    color: INK,
    fontSize: 15,
    subtitleColor: QUIET,
    subtitleFontSize: 12,
    anchor: 'start',
    offset: 12,
  },
  view: { stroke: null },
  axis: {
    domainColor: QUIET,
    gridColor: colour('grid'),
    labelColor: QUIET,
    labelFontSize: 11,
    tickColor: colour('grid'),
    titleColor: QUIET,
    titleFontSize: 12,
    titleFontWeight: 'normal',
  },
  legend: { labelColor: INK, labelFontSize: 12, title: null },
  text: { color: INK, fontSize: 11 },
  rule: { color: INK },
}

/** Draws. The libraries are loaded here, so that only those who ask for a picture wait for them. */
export async function pictureSvg(spec: TopLevelSpec, title: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  // the width of text would depend on whether somebody installed node-canvas, names of clips on earlier pictures
  textMetricsOf(vega).canvas(false)
  vega.resetSVGDefIds()
  const view = new vega.View(vega.parse(compile({ ...spec, config }).spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  return `${svg.replace(/^<svg [^>]*>/, (tag) => `${tag}\n<title>${escapeXml(title)}</title>\n${styleOf(svg)}\n`)}\n`
}

/** Its types leave this out. */
function textMetricsOf(vega: object): { canvas(use: boolean): void } {
  return (vega as { textMetrics: { canvas(use: boolean): void } }).textMetrics
}

/** A style sheet's rules for a dark page; of colours of lines those that the picture has. */
function styleOf(svg: string): string {
  const used = SERIES.slice(3).filter(([light]) => svg.includes(`"${light}"`))
  return `<style>@media (prefers-color-scheme: dark) {\n${darkRules([...Object.values(PALETTE), ...used])}\n}</style>`
}

/** Rules that replace colours of pictures by those for a dark page; for a page that holds several, all colours. */
export function darkRules(colours = [...Object.values(PALETTE), ...SERIES.slice(3)]): string {
  return colours
    .map(([light, dark]) => `[fill="${light}"] { fill: ${dark} } [stroke="${light}"] { stroke: ${dark} }`)
    .join('\n')
}

function escapeXml(content: string): string {
  return content.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
}

/** Round values for a logarithmic axis: 1, 2 and 5 of each decade, or 1 alone over many decades. */
export function logarithmicTicks(low: number, high: number): number[] {
  const steps = high / low > 2e4 ? [1] : [1, 2, 5]
  const decades = Array.from({ length: 40 }, (_, i) => i - 20)
  return decades
    .flatMap((decade) => steps.map((step) => Number(`${step}e${decade}`)))
    .filter((value) => value >= low && value <= high)
}
