/** The model that is loaded, which Annotate and Fine-tune share: its panel stands in whichever of them is shown. */
import type { ModelFacts } from '../protocol.js'
import { Activity } from './activity.js'
import { demoFile } from './demo.js'
import { byId, messageOf, say } from './dom.js'
import type { Engine } from './engine.js'
import { chooser, type Dropped, folderOf } from './files.js'
import { counted, count as number, parameters } from './format.js'

export class ModelPanel {
  facts: ModelFacts | undefined
  private readonly panel = byId('model', HTMLElement)
  private readonly name = byId('model-name', HTMLElement)
  private readonly state = byId('model-state', HTMLElement)
  private readonly error = byId('model-error', HTMLElement)
  private readonly buttons = [byId('model-folder', HTMLButtonElement), byId('model-demo', HTMLButtonElement)]
  private readonly activity = new Activity(byId('model-activity', HTMLElement))
  private readonly listeners: (() => void)[] = []
  private latest = 0

  constructor(private readonly engine: Engine) {
    chooser(
      this.buttons[0],
      byId('model-input', HTMLInputElement),
      (files) => void this.load(folderOf(files)),
    )
  }

  /** Whenever the worker has another model. */
  onChange(listener: () => void): void {
    this.listeners.push(listener)
  }

  offerDemo(names: readonly string[], onLoaded: () => void): void {
    const [, button] = this.buttons
    button.hidden = false
    button.addEventListener('click', async () => {
      try {
        const files = await Promise.all(names.map((name) => demoFile(`model/${name}`)))
        if (await this.load({ files, folder: 'npm start' })) onLoaded()
      } catch (error) {
        say(this.error, messageOf(error))
      }
    })
  }

  /** Into the panel of a tab that shows it. */
  moveTo(slot: Element): void {
    slot.append(this.panel)
  }

  disable(): void {
    for (const button of this.buttons) button.disabled = true
  }

  /** Whether it could be. A later call makes an earlier one void. */
  async load({ files, folder }: Dropped): Promise<boolean> {
    const mine = ++this.latest
    say(this.error, '')
    this.activity.show('Reading the model')
    try {
      const facts = await this.engine.ask('load', { files }, (progress) => this.activity.tell(progress))
      if (mine !== this.latest) return false
      this.adopt(facts, folder ?? facts.name)
      return true
    } catch (error) {
      if (mine === this.latest) say(this.error, messageOf(error))
      return false
    } finally {
      if (mine === this.latest) this.activity.end()
    }
  }

  /** The model that the worker has from now on. */
  adopt(facts: ModelFacts, name: string): void {
    this.facts = facts
    this.show(facts, name)
    for (const listener of this.listeners) listener()
  }

  private show(facts: ModelFacts, name: string): void {
    const { task, labels, parameters: size, layers, hiddenSize, maxLength } = facts
    const types = [...new Set(labels.map((label) => label.slice(2)).filter((type) => type !== ''))]
    this.name.hidden = false
    say(this.name, name)
    const named = types.length === 0 ? 'one type without a name' : types.join(', ')
    const use = labels.length === 0 ? 'Pretrained alone: to be fine-tuned first' : `For ${task}: ${named}`
    say(
      this.state,
      `${use}. ${parameters(size)}, ${counted(layers, 'layer')} of ${number(hiddenSize)}; ` +
        `sentences of up to ${number(maxLength)} pieces.`,
    )
    say(this.buttons[0], 'Choose another folder')
    byId('model-help', HTMLElement).hidden = true
  }
}
