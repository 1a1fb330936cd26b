/**
 * A text area whose entities are marked. The marks lie in an element behind it that holds the same text in the same type, unseen;
 * its height is what the text area takes, so neither ever scrolls by itself.
 */
import type { Entity } from '../protocol.js'
import { make } from './dom.js'
import { type Colours, follow, sureness } from './highlights.js'

export class Editor {
  private entities: readonly Entity[] = []
  private text = ''

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
    const parts: (string | Node)[] = []
    let at = 0
    for (const { start, end, type, confidence } of this.entities) {
      if (start < at) continue
      const kind = `${this.colours.of(type)} ${sureness(confidence)}`
      parts.push(this.text.slice(at, start), make('mark', { class: kind }, this.text.slice(start, end)))
      at = end
    }
    // a last line without letters has no height of its own
    this.mirror.replaceChildren(...parts, `${this.text.slice(at)}\u200b`)
  }
}
