/**
 * Documents with their entities as one HTML page, written piece by piece as documents come: what was found in the colour of its
 * type with the type beside it, what the input said of it already underlined with dots. As the report it runs no script, loads
 * nothing, and escapes whatever it is given.
 */
import type { AnnotatedDocument, Annotation } from '../data/documents/document.js'
import { type Html, html, name, pageHead } from './html.js'
import { ENTITY_COLOURS, STYLE } from './style.js'

const PAGE_STYLE = `${STYLE}
article { margin: 1.25rem 0; padding: .6rem .9rem; background: var(--raised); border: 1px solid var(--grid);
  border-radius: 6px; break-inside: avoid; }
article h2 { font-size: .9rem; margin: 0; padding: 0; border: 0; color: var(--quiet); font-weight: 500; }
article p { max-width: none; margin: .35rem 0; white-space: pre-wrap; line-height: 1.9; }
article p.title { font-weight: 600; }
mark small { color: inherit; }
.given { border-bottom: 2px dotted var(--quiet); }
`

export interface DocumentsPageOptions {
  readonly title: string
  /** Types that the model knows, in the order of their colours. */
  readonly types: readonly string[]
  readonly replace: boolean
}

/** What a writer of documents is, without being one of the formats' layer. */
export interface DocumentsPage {
  head(): string
  document(document: AnnotatedDocument): string
  foot(): string
}

export function documentsPage({ title, types, replace }: DocumentsPageOptions): DocumentsPage {
  const legend = [
    ...types.map((type) => html`<li><mark class="e${colourOf(type, types)}">${name(type)}</mark></li>`),
    ...(replace ? [] : [html`<li><span class="given">said by the input</span></li>`]),
  ]
  return {
    head: () =>
      html`${pageHead(title, PAGE_STYLE)}
<body>
<header>
<h1>${title}</h1>
<ul class="legend">${legend}</ul>
</header>
<main>
`.text,
    document: (document) => article(document, types, replace).text,
    foot: () => '</main>\n</body>\n</html>\n',
  }
}

/** The model's types have the first colours in their order; another's follows from its name, whatever came before. */
function colourOf(type: string, types: readonly string[]): number {
  const at = types.indexOf(type)
  if (at >= 0) return at % ENTITY_COLOURS
  let sum = 0
  for (let i = 0; i < type.length; i++) sum = (31 * sum + type.charCodeAt(i)) >>> 0
  return sum % ENTITY_COLOURS
}

function article(
  { id, passages, found }: AnnotatedDocument,
  types: readonly string[],
  replace: boolean,
): Html {
  const body = passages.map(({ text, type, given }, p) => {
    if (text === '') return undefined
    const kind = type === 'title' ? html` class="title"` : undefined
    return html`<p${kind}><bdi>${marked(text, found[p], replace ? [] : given, types)}</bdi></p>\n`
  })
  return html`<article>\n${id !== undefined && html`<h2>${name(id)}</h2>\n`}${body}</article>\n`
}

/** Entities that were found do not overlap; those of the input may, with each other and with them. */
function marked(
  text: string,
  found: readonly Annotation[],
  given: readonly Annotation[],
  types: readonly string[],
): Html[] {
  const dotted = merged(given.flatMap(({ spans }) => spans))
  const parts: Html[] = []
  let at = 0
  for (const { type, spans } of found) {
    const { start } = spans[0]
    const { end } = spans[spans.length - 1]
    if (start < at) continue
    const inner = pieces(text, start, end, dotted)
    parts.push(
      ...pieces(text, at, start, dotted),
      html`<mark class="e${colourOf(type, types)}">${inner}<small>${name(type)}</small></mark>`,
    )
    at = end
  }
  return [...parts, ...pieces(text, at, text.length, dotted)]
}

interface Stretch {
  readonly start: number
  readonly end: number
}

/** Stretches in order, those that touch as one. */
function merged(spans: readonly Stretch[]): Stretch[] {
  const result: { start: number; end: number }[] = []
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = result.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else result.push({ start, end })
  }
  return result
}

/** The text from `from` to `to` with its dotted stretches. */
function pieces(text: string, from: number, to: number, dotted: readonly Stretch[]): Html[] {
  const parts: Html[] = []
  let at = from
  for (let i = firstBehind(dotted, from); i < dotted.length && dotted[i].start < to; i++) {
    const [first, last] = [Math.max(dotted[i].start, from), Math.min(dotted[i].end, to)]
    parts.push(html`${shown(text, at, first)}<span class="given">${shown(text, first, last)}</span>`)
    at = last
  }
  return at < to ? [...parts, html`${shown(text, at, to)}`] : parts
}

/** A line's end is one, whichever system wrote it. */
function shown(text: string, start: number, end: number): string {
  return text.slice(start, end).replace(/\r\n?/g, '\n')
}

/** The first stretch that ends behind `from`. */
function firstBehind(stretches: readonly Stretch[], from: number): number {
  let low = 0
  let high = stretches.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (stretches[middle].end <= from) low = middle + 1
    else high = middle
  }
  return low
}
