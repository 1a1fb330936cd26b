/** The little that drawings in SVG share: text, numbers, and what XML wants escaped. */

export function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(content)}</text>`
}

export function round(value: number): string {
  return value.toFixed(1)
}

export function escapeXml(content: string): string {
  return content.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
}
