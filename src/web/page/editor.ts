/**
 * A text area whose entities are marked. The marks lie in an element behind it that holds the same text in the same type, unseen;
 * its height is what the text area takes, so neither ever scrolls by itself. It has an element for each line of the text, and a key
 * changes one of them: so a text of many pages is not laid out anew for each. Texts are drawn before the next frame, however many
 * changes come in between; marks of a long one over several frames, those in sight first.
 */
import type { Entity } from '../protocol.js'
import { make } from './dom.js'
import { Frames } from './frames.js'
import { type Colours, follow, type Line, sureness, unchanged } from './highlights.js'

/** Lines and marks of a frame, at most; a line is not divided. */
const LINES = 100
const MARKS = 100

/** A line and its element. Where that does not show the line yet it has the text, with marks of before. */
interface Row {
  line: Line
  element: HTMLElement
  isShown: boolean
}

export class Editor {
  private entities: readonly Entity[] = []
  private text = ''
  private rows: Row[] = []
  /** Whose marks are drawn next: from the first in sight down, then from there up. */
  private next: Row[] = []
  private readonly reading = new Frames()
  private readonly marking = new Frames()

  constructor(
    readonly area: HTMLTextAreaElement,
    private readonly mirror: HTMLElement,
    private readonly colours: Colours,
    private readonly onChange: (text: string) => void,
  ) {
    area.addEventListener('input', () => this.reading.later(() => this.changed()))
    this.draw()
  }

  get value(): string {
    return this.area.value
  }

  set value(text: string) {
    this.area.value = text
    this.reading.begin(() => this.changed())
  }

  /** Marks what was found in the text that is there. */
  mark(entities: readonly Entity[]): void {
    this.reading.end()
    this.text = this.area.value
    this.entities = entities
    this.draw()
  }

  select({ start, end }: Pick<Entity, 'start' | 'end'>): void {
    this.area.focus()
    this.area.setSelectionRange(start, end)
  }

  private changed(): false {
    const before = this.text
    this.text = this.area.value
    this.entities = follow(this.entities, before, this.text)
    this.draw()
    this.onChange(this.text)
    return false
  }

  private draw(): void {
    const lines: Line[] = []
    let next = 0
    let begin = 0
    for (const text of this.text.split('\n')) {
      const end = begin + text.length
      const own: Entity[] = []
      for (; next < this.entities.length && this.entities[next].end <= end; next++) {
        const { start, end, type, confidence } = this.entities[next]
        if (start >= begin) own.push({ start: start - begin, end: end - begin, type, confidence })
      }
      lines.push({ text, entities: own })
      begin = end + 1
    }
    this.take(lines)
  }

  /** Lines whose text is another get new elements now, so that the heights are right; marks alone may follow. */
  private take(lines: readonly Line[]): void {
    const before = this.rows.map(({ line }) => line)
    const { same, before: end, after } = unchanged(before, lines)
    const old = this.rows.slice(same, end)
    const changed = lines.slice(same, after)
    const isSameText =
      old.length === changed.length && old.every(({ line }, i) => line.text === changed[i].text)
    if (isSameText) {
      for (const [i, row] of old.entries()) Object.assign(row, { line: changed[i], isShown: false })
    } else {
      const at = this.rows[end]?.element ?? null
      for (const { element } of old) element.remove()
      const rows = changed.map((line) => ({ line, element: this.drawn(line), isShown: true }))
      for (const { element } of rows) this.mirror.insertBefore(element, at)
      this.rows = [...this.rows.slice(0, same), ...rows, ...this.rows.slice(end)]
    }
    this.marking.end()
    if (this.rows.every(({ isShown }) => isShown)) return
    const first = this.firstInSight()
    this.next = [...this.rows.slice(first), ...this.rows.slice(0, first).reverse()]
    this.marking.begin(() => this.markSome())
  }

  /** Draws as many lines as a frame has; true where there are more. */
  private markSome(): boolean {
    let lines = 0
    let marks = 0
    let k = 0
    for (; k < this.next.length && lines < LINES && marks < MARKS; k++) {
      const row = this.next[k]
      if (row.isShown) continue
      const element = this.drawn(row.line)
      row.element.replaceWith(element)
      Object.assign(row, { element, isShown: true })
      lines++
      marks += row.line.entities.length
    }
    this.next = this.next.slice(k)
    return this.next.length > 0
  }

  /** The first line whose end lies below the upper edge of the window. */
  private firstInSight(): number {
    let [low, high] = [0, this.rows.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.rows[middle].element.getBoundingClientRect().bottom < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private drawn({ text, entities }: Line): HTMLElement {
    const parts: (string | Node)[] = []
    let at = 0
    for (const { start, end, type, confidence } of entities) {
      if (start < at) continue
      const kind = `${this.colours.of(type)} ${sureness(confidence)}`
      parts.push(text.slice(at, start), make('mark', { class: kind }, text.slice(start, end)))
      at = end
    }
    // a line without letters has no height of its own
    return make('div', {}, ...parts, text === '' ? '\u200b' : text.slice(at))
  }
}
