/**
 * The style sheet of a page: system fonts, one column, colours as variables with their dark counterparts. Colours of curves
 * are those of the pictures (profile/picture.ts); paper is always light. Stands in a TypeScript string so that it is built,
 * packed and found as any other source.
 */
import { darkRules, PALETTE } from '../profile/picture.js'

/** Colours of entity types: ground and line, light and dark. Text on them is the page's own. */
const ENTITIES = [
  ['#dbeafe', '#1d4ed8', '#172f55', '#60a5fa'],
  ['#ffedd5', '#c2410c', '#4a2410', '#fb923c'],
  ['#dcfce7', '#15803d', '#12361f', '#4ade80'],
  ['#f3e8ff', '#7e22ce', '#36185a', '#c084fc'],
  ['#ccfbf1', '#0f766e', '#0d3833', '#2dd4bf'],
  ['#fce7f3', '#be185d', '#4d1330', '#f472b6'],
] as const

export const ENTITY_COLOURS = ENTITIES.length

/** Grounds of a confusion matrix, from a share of 0 to 1: the more the darker on a light page, the lighter on a dark one. */
export const SHADES = 10

const percentOf = (i: number) => Math.round((62 * i) / (SHADES - 1))

function variables(scheme: 0 | 1): string {
  const colours = Object.entries(PALETTE).map(([name, pair]) => `--${name}: ${pair[scheme]};`)
  const entities = ENTITIES.map(
    (pair, i) => `--entity-${i}: ${pair[2 * scheme]}; --entity-line-${i}: ${pair[2 * scheme + 1]};`,
  )
  const raised = scheme === 0 ? '#f6f8fa' : '#161b22'
  const link = scheme === 0 ? '#0550ae' : '#79c0ff'
  const warn = scheme === 0 ? '#9a3412' : '#fdba74'
  return [...colours, ...entities, `--raised: ${raised}; --link: ${link}; --warn: ${warn};`].join(' ')
}

export const STYLE = `
:root { color-scheme: light dark; ${variables(0)} }
@media screen and (prefers-color-scheme: dark) { :root { ${variables(1)} }
${darkRules()}
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main, header, footer, nav { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
footer { padding-bottom: 3rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.05rem; line-height: 1.35; margin: 2rem 0 .5rem; }
h4 { font-size: .95rem; margin: 1.25rem 0 .25rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); }
.lead, .note, .quiet, figcaption, caption { color: var(--quiet); }
.note, figcaption, caption { font-size: .875rem; }
.warn { color: var(--warn); font-weight: 600; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: 1rem 0 0; }
.scroll { overflow-x: auto; margin: .75rem 0; max-width: 100%; }
.scroll:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: .4rem; }
caption span, .group th span { position: sticky; left: 0; display: inline-block; max-width: min(46rem, 100vw - 3.5rem); }
th, td { padding: .3rem 1.1rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); }
th:last-child, td:last-child { padding-right: .25rem; }
thead th { color: var(--quiet); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 500; }
.wide { display: inline-block; min-width: 9rem; }
th bdi, th code { display: inline-block; max-width: 13rem; overflow-wrap: break-word; }
td bdi, td code { display: inline-block; max-width: 26rem; overflow-wrap: break-word; }
.group th { padding-top: .9rem; color: var(--quiet); }
.number { text-align: right; }
td.number { white-space: nowrap; }
table, dd, .counts { font-variant-numeric: tabular-nums; }
.sub { display: block; color: var(--quiet); font-size: .8125rem; }
.best { font-weight: 700; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); gap: .4rem 1.5rem;
  margin: .75rem 0; font-size: .875rem; }
.facts div { min-width: 0; }
dt { color: var(--quiet); font-size: .8125rem; }
dd { margin: 0; }
code, pre { font: .875em/1.5 ui-monospace, monospace; }
pre { background: var(--raised); border: 1px solid var(--grid); border-radius: 6px; padding: .6rem .8rem; margin: .5rem 0;
  white-space: pre-wrap; }
.panels { display: flex; flex-wrap: wrap; gap: 1rem 1.25rem; margin: .5rem 0 1rem; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure > svg, figure > img { display: block; max-width: 100%; height: auto; }
figcaption { margin-bottom: .25rem; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; padding: 0; margin: .5rem 0; font-size: .875rem; }
.legend svg, .strip { vertical-align: middle; margin-right: .4rem; }
.strip { margin: 0; }
.confusion td { text-align: right; padding: .3rem .6rem; min-width: 3rem; border: 1px solid var(--grid); }
.confusion thead th { text-align: right; padding: .3rem .6rem; color: var(--ink); }
.confusion thead th:first-child { text-align: left; padding-left: 0; color: var(--quiet); }
.confusion .total { border: 0; color: var(--quiet); }
${Array.from({ length: SHADES }, (_, i) => `.s${i} { background: color-mix(in srgb, var(--f32) ${percentOf(i)}%, var(--ground)); }`).join('\n')}
.example { margin: 1rem 0; padding: .6rem .9rem; background: var(--raised); border: 1px solid var(--grid); border-radius: 6px; }
.example dl { display: grid; grid-template-columns: minmax(5rem, 11rem) minmax(0, 1fr); gap: .35rem 1rem; margin: 0; }
.example dt { padding-top: .15em; }
.example dd, .example dt { min-width: 0; }
mark { color: inherit; background: none; border-radius: 3px; padding: .05em .15em; border-bottom: 2px solid; }
${ENTITIES.map((_, i) => `.e${i} { background: var(--entity-${i}); border-color: var(--entity-line-${i}); }`).join('\n')}
mark small { font-size: .75em; color: var(--quiet); margin-left: .3em; }
.wrong { border-bottom-style: dashed; }
.wrong::after, .no::before { content: "×" / "wrong"; color: var(--warn); font-weight: 700; margin: 0 .15em; font-size: .85em; }
.missed { border-bottom: 2px dotted var(--warn); }
.differs { text-decoration: underline wavy var(--warn) 1px; text-underline-offset: .3em; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  main, header, footer, nav { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1.5rem; }
  .example { padding: .5rem .6rem; }
  .example dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .example dd { margin-bottom: .4rem; }
  th bdi, th code { max-width: 9rem; }
}
@media print {
  :root { color-scheme: light; }
  html { font-size: 10pt; }
  body { font-size: 1rem; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav { display: none; }
  main, header, footer { max-width: none; padding: 0; }
  h2, h3, h4 { break-after: avoid; }
  tr, figure, .example { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: .8125rem; }
  th, td { overflow-wrap: anywhere; padding-right: .5rem; }
  td.number { white-space: normal; }
  th bdi, th code, td bdi, td code { max-width: 9rem; }
  .strip { width: 6rem; height: auto; }
  .panels { gap: .5rem; }
  figure > svg { width: 15.5rem; }
  caption span, .group th span { max-width: none; }
  a { color: inherit; text-decoration: none; }
}
`
