/** The tab Write: a small GPT learns the letters of a text, beside what counts of pairs of letters would give. */
import type { Progress, Requests } from '../protocol.js'
import { demoFile } from './demo.js'
import { byId, make, messageOf, say } from './dom.js'
import type { Engine } from './engine.js'
import { readFields } from './fields.js'
import { chooser } from './files.js'
import { count, counted } from './format.js'
import { RunView } from './run_view.js'

const FIELDS = [
  { id: 'write-steps', name: 'Steps', low: 1, high: 100_000, whole: true },
  { id: 'write-letters', name: 'Letters to write', low: 1, high: 5000, whole: true },
]
/** Samples that stay on the page. */
const MOST_SAMPLES = 12
/** Letters that a text area still holds with ease; longer texts are kept aside. */
const MOST_SHOWN = 200_000

export class WriteTab {
  private readonly area = byId('write-text', HTMLTextAreaElement)
  private readonly list = byId('samples-list', HTMLElement)
  private readonly view: RunView
  /** A text too long for the text area. */
  private long: { text: string; name: string } | undefined

  constructor(private readonly engine: Engine) {
    this.view = new RunView(
      byId('write-run', HTMLElement),
      engine,
      { start: 'Start training', loss: 'loss (nats a letter)' },
      () => void this.start(),
    )
    this.area.addEventListener('input', () => this.changed())
    chooser(byId('write-choose', HTMLElement), byId('write-input', HTMLInputElement), ([file]) => {
      void this.take(file)
    })
    byId('write-clear', HTMLElement).addEventListener('click', () => {
      this.long = undefined
      this.area.readOnly = false
      this.area.value = ''
      this.changed()
      this.area.focus()
    })
  }

  disable(): void {
    this.view.disable()
  }

  offerDemo(path: string): void {
    const button = byId('write-demo', HTMLElement)
    button.hidden = false
    button.addEventListener('click', async () => {
      try {
        await this.take(await demoFile(path))
      } catch (error) {
        this.view.refuse(messageOf(error))
      }
    })
  }

  async take(file: File): Promise<void> {
    let text: string
    try {
      text = await file.text()
    } catch (error) {
      return this.view.refuse(`${file.name}: ${messageOf(error)}`)
    }
    const isLong = text.length > MOST_SHOWN
    this.long = isLong ? { text, name: file.name } : undefined
    this.area.readOnly = isLong
    this.area.value = isLong ? `${text.slice(0, 2000)}\n[...]` : text
    this.changed()
  }

  private get text(): string {
    return this.long?.text ?? this.area.value
  }

  private changed(): void {
    const letters = counted(this.text.length, 'letter')
    const from = this.long ? `${letters} of ${this.long.name}, of which the first are shown` : letters
    say(byId('write-count', HTMLElement), from)
    this.view.refuse('')
  }

  private async start(): Promise<void> {
    const { values, wrong } = readFields(FIELDS)
    if (wrong !== undefined) return this.view.refuse(wrong)
    const { text } = this
    if (text.trim() === '') return this.view.refuse('Enter a text first.')
    this.list.replaceChildren()
    byId('write-result', HTMLElement).hidden = true
    byId('samples', HTMLElement).hidden = true
    const size = document.querySelector<HTMLInputElement>('input[name=size]:checked')?.value
    const ask = {
      text,
      steps: values['write-steps'],
      letters: values['write-letters'],
      size: size === 'small' ? 'small' : 'usual',
    } as const
    const done = await this.view.run((tell) =>
      this.engine.ask('write', ask, (progress) => {
        tell(progress)
        this.tell(progress)
      }),
    )
    if (done) this.show(done)
  }

  private tell(progress: Progress): void {
    if (progress.kind === 'sample') this.sample(progress.step, progress.text)
  }

  /** The newest first. */
  private sample(step: number, text: string): void {
    byId('samples', HTMLElement).hidden = false
    // what is written at the end of a run is the last sample of its way
    if (this.list.firstElementChild?.getAttribute('data-step') === String(step))
      this.list.firstElementChild.remove()
    const title = make('h4', {}, `After step ${count(step)}`)
    this.list.prepend(make('li', { 'data-step': step }, title, make('p', { class: 'sample' }, text)))
    while (this.list.children.length > MOST_SAMPLES) this.list.lastElementChild?.remove()
  }

  private show({ steps, validation, bigram, text, interrupted }: Requests['write']['result']): void {
    byId('write-result', HTMLElement).hidden = false
    const end = interrupted ? `Stopped after ${counted(steps, 'step')}` : `${counted(steps, 'step')} done`
    const [better, worse] =
      validation < bigram ? ['lower', ''] : ['not lower', ' It needs more steps or more text.']
    say(
      byId('write-scores', HTMLElement),
      `${end}. On text that was held out the GPT's loss is ${validation.toFixed(3)} nats a letter, ${better} than the ` +
        `${bigram.toFixed(3)} of counts of pairs of letters.${worse}`,
    )
    this.view.setLevels([{ name: `pairs of letters: ${bigram.toFixed(2)}`, y: bigram }])
    this.sample(steps, text)
  }
}
