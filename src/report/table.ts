/**
 * Tables of a page: a caption, headers with their scopes, numbers to the right. A table that is too wide for the page scrolls
 * in its own frame, which the keyboard reaches.
 */
import { type Html, html, type Value } from './html.js'

export interface Column {
  readonly title: Value
  /** Numbers, aligned to the right. */
  readonly numeric?: boolean
}

export type Row = readonly Value[]

/** Rows under a heading of their own. */
export interface Group {
  readonly title?: Value
  readonly rows: readonly Row[]
}

export interface TableOptions {
  /** Says what the table shows; read aloud, too. */
  readonly caption: string
  readonly columns: readonly Column[]
  readonly groups: readonly Group[]
  /** A line under the table. */
  readonly note?: Value
}

/** The first cell of a row is its header. Groups without rows are left out. */
export function table({ caption, columns, groups, note }: TableOptions): Html {
  const head = columns.map(({ title, numeric }) => html`<th scope="col"${align(numeric)}>${title}</th>`)
  const body = groups
    .filter(({ rows }) => rows.length > 0)
    .map(
      ({ title, rows }) => html`<tbody>
${
  title !== undefined &&
  html`<tr class="group"><th scope="rowgroup" colspan="${columns.length}"><span>${title}</span></th></tr>\n`
}${rows.map((row) => rowHtml(row, columns))}</tbody>\n`,
    )
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption><span>${caption}</span></caption>
<thead><tr>${head}</tr></thead>
${body}</table></div>
${note !== undefined && note !== false && html`<p class="note">${note}</p>\n`}`
}

function rowHtml(row: Row, columns: readonly Column[]): Html {
  const cells = columns.map(({ numeric }, i) =>
    i === 0 ? html`<th scope="row">${row[0]}</th>` : html`<td${align(numeric)}>${row[i]}</td>`,
  )
  return html`<tr>${cells}</tr>\n`
}

function align(numeric: boolean | undefined): Html | undefined {
  return numeric ? html` class="number"` : undefined
}

/** A list of names and values. */
export function facts(entries: readonly (readonly [name: string, value: Value])[]): Html {
  return html`<dl class="facts">${entries.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>\n`
}
