/** Elements: found by id, or made. What people enter becomes text nodes alone, never HTML. */

/** The element of that id, which index.html has. Throws where it has none of that kind. */
export function byId<E extends HTMLElement>(id: string, kind: new () => E): E {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`the page has no ${kind.name} #${id}`)
}

type Attributes = Readonly<Record<string, string | number | boolean>>

function fill<E extends Element>(
  element: E,
  attributes: Attributes,
  children: readonly (Node | string)[],
): E {
  for (const [name, value] of Object.entries(attributes))
    if (value !== false) element.setAttribute(name, value === true ? '' : String(value))
  element.append(...children)
  return element
}

/** An element with attributes (true: there, false: not) and children, strings as text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** The same of SVG. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

/** Sets a text where it is another: a live region would read the same text again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Text of an error, or none. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
