/** What is under way before there is anything to show: files that are read, kernels that are compiled, a long text. */
import type { Progress } from '../protocol.js'
import { make, say } from './dom.js'

export class Activity {
  private readonly text = make('p', { class: 'note', role: 'status' })
  private readonly bar = make('progress')

  constructor(private readonly place: HTMLElement) {
    place.append(this.text, this.bar)
    this.end()
  }

  /** Shows a progress that is of these kinds; returns whether it was. */
  tell(progress: Progress): boolean {
    if (progress.kind === 'reading') {
      this.show(`Reading ${progress.what}`)
      return true
    }
    if (progress.kind === 'labelled') {
      this.measure('Reading the text', 'Text that is read', progress)
      return true
    }
    if (progress.kind !== 'compiling') return false
    if (progress.done >= progress.total) this.end()
    else
      this.measure(
        'Compiling kernels for this GPU; the first time takes longest',
        'Kernels compiled',
        progress,
      )
    return true
  }

  /** The number stands in the bar alone: read aloud it would never end. */
  private measure(text: string, label: string, { done, total }: { done: number; total: number }): void {
    this.show(text)
    this.bar.hidden = false
    this.bar.setAttribute('aria-label', label)
    this.bar.max = total
    this.bar.value = done
  }

  show(text: string): void {
    this.place.hidden = false
    this.bar.hidden = true
    say(this.text, text)
  }

  end(): void {
    this.place.hidden = true
    say(this.text, '')
  }
}
