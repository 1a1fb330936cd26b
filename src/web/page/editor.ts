/**
 * A text area whose entities are marked. The marks lie in an element behind it that holds the same text in the same type, unseen;
 * its height is what the text area takes, so neither ever scrolls by itself. It has an element for each line of the text, and a key
 * changes one of them: so a text of many pages is not laid out anew for each.
 */
import type { Entity } from '../protocol.js'
import { make } from './dom.js'
import { type Colours, follow, type Line, sureness, unchanged } from './highlights.js'

export class Editor {
  private entities: readonly Entity[] = []
  private text = ''
  private lines: readonly Line[] = []

  constructor(
    readonly area: HTMLTextAreaElement,
    private readonly mirror: HTMLElement,
    private readonly colours: Colours,
    private readonly onChange: (text: string) => void,
  ) {
    area.addEventListener('input', () => this.changed())
    this.draw()
  }

  get value(): string {
    return this.area.value
  }

  set value(text: string) {
    this.area.value = text
    this.changed()
  }

  /** Marks what was found in the text that is there. */
  mark(entities: readonly Entity[]): void {
    this.entities = entities
    this.draw()
  }

  select({ start, end }: Pick<Entity, 'start' | 'end'>): void {
    this.area.focus()
    this.area.setSelectionRange(start, end)
  }

  private changed(): void {
    const before = this.text
    this.text = this.area.value
    this.entities = follow(this.entities, before, this.text)
    this.draw()
    this.onChange(this.text)
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
    const { same, before, after } = unchanged(this.lines, lines)
    for (const old of [...this.mirror.children].slice(same, before)) old.remove()
    const at = this.mirror.children[same] ?? null
    for (const line of lines.slice(same, after)) this.mirror.insertBefore(this.drawn(line), at)
    this.lines = lines
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
