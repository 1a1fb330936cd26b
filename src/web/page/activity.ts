/** What is under way before there is anything to show: files that are read, kernels that are compiled. */
import type { Progress } from '../protocol.js'
import { make, say } from './dom.js'

export class Activity {
  private readonly text = make('p', { class: 'note', role: 'status' })
  private readonly bar = make('progress', { 'aria-label': 'Kernels compiled' })

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
    if (progress.kind !== 'compiling') return false
    const { done, total } = progress
    if (done >= total) this.end()
    else {
      // the number stands in the bar alone: read aloud it would never end
      this.show('Compiling kernels for this GPU; the first time takes longest')
      this.bar.hidden = false
      this.bar.max = total
      this.bar.value = done
    }
    return true
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
