/**
 * HTML as values: html`<p>${text}</p>` escapes whatever is put in, unless it is Html itself, so that nothing from data can
 * become markup. Attributes are written in double quotes. What would be invisible or would turn the order of text around
 * (control characters, bidirectional overrides, lone surrogates) is shown as the name of its code point.
 */
import { createHash } from 'node:crypto'

export class Html {
  constructor(readonly text: string) {}
}

export type Value = Html | string | number | undefined | null | false | readonly Value[]

/** A template. Undefined, null and false leave nothing, lists are joined. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.map((part, i) => (i === 0 ? part : render(values[i - 1]) + part)).join(''))
}

/**
 * A page up to its `<body>`, which runs no script and loads nothing: its policy allows that very `style` alone, and images of `data:`
 * addresses where `images` says so.
 */
export function pageHead(title: string, style: string, { images = false } = {}): Html {
  const digest = createHash('sha256').update(style).digest('base64')
  const sources = `style-src 'sha256-${digest}';${images ? ' img-src data:;' : ''}`
  const policy = `default-src 'none'; ${sources} base-uri 'none'; form-action 'none'`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>`
}

function render(value: Value): string {
  if (value === undefined || value === null || value === false) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'number' || typeof value === 'string') return escapeHtml(clean(String(value)))
  return value.map(render).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c])
}

/** Controls, halves of surrogate pairs, and characters without width that change how their neighbours are shown. */
const UNSEEN =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e0fff}]/gu

/** Text in which every character can be seen: `a\u202eb` becomes `a[U+202E]b`. Tabs and line ends stay. */
export function clean(text: string): string {
  return text.replace(UNSEEN, (c) => {
    if (c === '\t' || c === '\n') return c
    return `[U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`
  })
}

/** At most `most` characters of a name: its beginning and its end, which tell names of one family apart. */
export function shorten(text: string, most: number): string {
  const characters = [...clean(text)]
  if (characters.length <= most) return characters.join('')
  const head = Math.ceil((most - 1) / 2)
  return [...characters.slice(0, head), '…', ...characters.slice(characters.length - (most - 1 - head))].join(
    '',
  )
}

/** Characters of a name; longer ones lose their middle. */
const LONGEST_NAME = 160

/** A name from data, kept from turning the text around it. */
export function name(text: string): Html {
  return html`<bdi>${shorten(text, LONGEST_NAME)}</bdi>`
}
