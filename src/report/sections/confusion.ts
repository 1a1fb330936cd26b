/**
 * Confusion matrices: items by what was right (rows) and what was answered (columns). The seeds of a model in a benchmark
 * are added up. A cell's ground is its share of the row.
 */
import { z } from 'zod'
import { type Html, html, name } from '../html.js'
import type { Run } from '../model.js'
import { count, percent } from '../numbers.js'
import { SHADES } from '../style.js'
import type { Section } from './section.js'

interface Matrix {
  readonly title: Html
  readonly labels: readonly string[]
  readonly cells: readonly (readonly number[])[]
  /** Runs that were added up. */
  readonly runs: number
}

export function confusionSection(runs: readonly Run[]): Section | undefined {
  const matrices = new Map<string, Matrix>()
  for (const run of runs) {
    const cells = cellsOf(run)
    if (cells === undefined) continue
    const labels = labelsOf(run, cells.length)
    const { place } = run
    const key = JSON.stringify(place ? [place.set, place.model, labels] : [run.dir])
    const before = matrices.get(key)
    matrices.set(key, {
      title: place ? html`${name(place.set)}: ${name(place.model)}` : name(run.name),
      labels,
      cells: cells.map((row, i) => row.map((n, k) => n + (before?.cells[i][k] ?? 0))),
      runs: (before?.runs ?? 0) + 1,
    })
  }
  if (matrices.size === 0) return undefined
  return { id: 'confusion', title: 'Confusion', body: html`${[...matrices.values()].map(matrixHtml)}` }
}

/** Those of the scores, else of the run. */
function labelsOf({ test, labels }: Run, n: number): readonly string[] {
  const scored = z.array(z.string()).length(n).safeParse(test?.labels)
  if (scored.success) return scored.data
  return labels.length === n ? labels : Array.from({ length: n }, (_, i) => String(i))
}

function cellsOf({ test }: Run): number[][] | undefined {
  const found = z.array(z.array(z.number())).min(1).safeParse(test?.confusion)
  return found.success && found.data.every((row) => row.length === found.data.length) ? found.data : undefined
}

function matrixHtml({ title, labels, cells, runs }: Matrix): Html {
  const rows = cells.map((row, i) => {
    const total = row.reduce((sum, n) => sum + n, 0)
    const shown = row.map((n) => {
      const share = total === 0 ? 0 : n / total
      return html`<td class="${`s${Math.min(SHADES - 1, Math.floor(share * SHADES))}`}">${count(n)}</td>`
    })
    const recall = total === 0 ? '' : `${percent(row[i] / total, 1)} %`
    return html`<tr><th scope="row">${name(labels[i])}</th>${shown}<td class="total">${count(total)}</td><td class="total">${recall}</td></tr>\n`
  })
  const caption = `Items by gold label (rows) and predicted label (columns)${runs > 1 ? `, ${runs} runs added up` : ''}`
  return html`<h3>${title}</h3>
<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="confusion">
<caption><span>${caption}</span></caption>
<thead><tr><th scope="col">gold</th>${labels.map((label) => html`<th scope="col">${name(label)}</th>`)}<th scope="col">all</th><th scope="col">recall</th></tr></thead>
<tbody>${rows}</tbody></table></div>\n`
}
