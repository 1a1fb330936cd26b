/** What holds for every picture: one whole SVG without broken numbers, each of whose colours has its dark counterpart. */
import * as assert from 'uvu/assert'

export function checkPicture(svg: string): void {
  assert.match(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[\s\S]*<\/svg>\n$/)
  assert.not.match(svg, /NaN|Infinity|undefined|null/)
  assert.match(svg, 'prefers-color-scheme: dark')
  const [style] = svg.match(/<style>[\s\S]*<\/style>/) ?? ['']
  for (const [attribute, kind, value] of svg.replace(style, '').matchAll(/ (fill|stroke)="([^"]+)"/g))
    if (!['none', 'transparent'].includes(value))
      assert.ok(style.includes(`[${kind}="${value}"] {`), `${attribute} stays as it is on a dark page`)
}
