/** The tab Fine-tune: labelled sentences in, a run that can be watched and held, a model folder out. */
import { zip } from 'fflate'
import type { Progress, Requests, Scores } from '../protocol.js'
import type { Chart } from './chart.js'
import { demoFile } from './demo.js'
import { byId, messageOf, say } from './dom.js'
import type { Engine } from './engine.js'
import { readFields } from './fields.js'
import { chooser, save } from './files.js'
import { bytes, counted, percent } from './format.js'
import type { ModelPanel } from './model.js'
import { RunView } from './run_view.js'

const FIELDS = [
  { id: 'epochs', name: 'Epochs', low: 1, high: 1000, whole: true },
  { id: 'rate', name: 'Learning rate', low: 1e-8, high: 1, whole: false },
  { id: 'batch', name: 'Batch', low: 1, high: 1024, whole: true },
  { id: 'seed', name: 'Seed', low: 0, high: 2 ** 32 - 1, whole: true },
]

type Outcome = Requests['finetune']['result']
type ModelFile = Requests['download']['result']['files'][number]

/** Not in every browser, and in no library of types: writes into a folder that a person picks. */
interface FolderPicker {
  showDirectoryPicker(options: { mode: 'readwrite' }): Promise<FileSystemDirectoryHandle>
}

export class FinetuneTab {
  private train: File | undefined
  private dev: File | undefined
  private scores: { step: number; scores: Scores; best: boolean }[] = []
  private readonly view: RunView
  private readonly devChart: Chart
  private readonly result = byId('finetune-result', HTMLElement)
  private readonly state = byId('download-state', HTMLElement)
  private readonly rate = byId('rate', HTMLInputElement)
  private rateIsOurs = true

  constructor(
    private readonly engine: Engine,
    private readonly model: ModelPanel,
    goToAnnotate: () => void,
  ) {
    this.view = new RunView(
      byId('finetune-run', HTMLElement),
      engine,
      { start: 'Start training', loss: 'loss of training (nats)' },
      () => void this.start(),
    )
    this.devChart = this.view.addChart({
      y: 'F1 of development',
      height: 190,
      tick: (y) => percent(y, Number.isInteger(Math.round(y * 1e4) / 100) ? 0 : 1),
    })
    const pick = (id: string, set: (file: File) => void) =>
      chooser(byId(`${id}-choose`, HTMLElement), byId(`${id}-input`, HTMLInputElement), ([file]) => set(file))
    pick('train', (file) => this.setTrain(file))
    pick('dev', (file) => this.setDev(file))
    byId('dev-remove', HTMLElement).addEventListener('click', () => {
      this.setDev(undefined)
      byId('dev-choose', HTMLElement).focus()
    })
    this.rate.addEventListener('input', () => {
      this.rateIsOurs = false
    })
    model.onChange(() => {
      this.suitModel()
      // another model takes the place of the one that was trained, and of its files
      this.result.hidden = true
    })
    byId('use-model', HTMLElement).addEventListener('click', goToAnnotate)
    byId('download-zip', HTMLElement).addEventListener('click', () => void this.saveZip())
    const folder = byId('download-folder', HTMLElement)
    folder.hidden = !('showDirectoryPicker' in window)
    folder.addEventListener('click', () => void this.saveFolder())
  }

  disable(): void {
    this.view.disable()
  }

  offerDemo(train: string, dev: string | undefined): void {
    const button = byId('data-demo', HTMLElement)
    button.hidden = false
    button.addEventListener('click', async () => {
      try {
        this.setTrain(await demoFile(train))
        this.setDev(dev === undefined ? undefined : await demoFile(dev))
      } catch (error) {
        this.view.refuse(messageOf(error))
      }
    })
  }

  /** One file trains, a second one, or one that says so by its name, is for development. */
  take(files: readonly File[]): void {
    const isDev = ({ name }: File) => /(^|[^a-z])(dev|devel|valid|validation)([^a-z]|$)/i.test(name)
    const dev = files.find(isDev) ?? (files.length > 1 ? files[1] : undefined)
    const train = files.find((file) => file !== dev)
    if (train) this.setTrain(train)
    if (dev) this.setDev(dev)
  }

  private setTrain(file: File): void {
    this.train = file
    say(byId('train-name', HTMLElement), `${file.name}, ${bytes(file.size)}`)
    this.view.refuse('')
  }

  private setDev(file: File | undefined): void {
    this.dev = file
    const none = 'Every tenth sentence of the training file is held out.'
    say(byId('dev-name', HTMLElement), file ? `${file.name}, ${bytes(file.size)}` : none)
    byId('dev-remove', HTMLElement).hidden = file === undefined
  }

  /** The rates that `bioalbert finetune` takes (training/finetuning/setup.ts), unless a person typed one. */
  private suitModel(): void {
    const size = this.model.facts?.hiddenSize
    if (size === undefined || !this.rateIsOurs) return
    this.rate.value = size <= 128 ? '1e-3' : size <= 512 ? '2e-4' : '1e-5'
  }

  private async start(): Promise<void> {
    const { values, wrong } = readFields(FIELDS)
    if (wrong !== undefined) return this.view.refuse(wrong)
    const { train, dev } = this
    if (this.model.facts === undefined)
      return this.view.refuse('Choose a model first: its vocabulary and sizes are needed.')
    if (train === undefined) return this.view.refuse('Choose a training file first.')
    const from = document.querySelector<HTMLInputElement>('input[name=from]:checked')?.value
    const settings = {
      epochs: values.epochs,
      learningRate: values.rate,
      batch: values.batch,
      seed: values.seed,
    }
    const ask = {
      train,
      ...(dev && { dev }),
      settings,
      from: from === 'random' ? 'random' : 'model',
    } as const
    this.scores = []
    this.result.hidden = true
    const done = await this.view.run((tell) =>
      this.engine.ask('finetune', ask, (progress) => {
        tell(progress)
        this.tell(progress)
      }),
    )
    if (done) this.show(done)
  }

  private tell(progress: Progress): void {
    if (progress.kind !== 'dev') return
    const { step, scores, best } = progress
    this.scores.push({ step, scores, best })
    this.view.announce(
      `Step ${step}: F1 of development ${percent(scores.f1, 1)}${best ? ', best so far' : ''}`,
    )
    const at = this.scores.map((score) => score.best).lastIndexOf(true)
    const last = `from ${percent(this.scores[0].scores.f1, 1)} to ${percent(scores.f1, 1)}`
    const top =
      at < 0 ? '' : `; best ${percent(this.scores[at].scores.f1, 1)} at step ${this.scores[at].step}`
    this.devChart.show({
      lines: [{ kind: 'dev', points: this.scores.map((score) => [score.step, score.scores.f1]), best: at }],
      levels: [],
      total: this.view.steps,
      description: `F1 of development by step, ${last}${top}.`,
    })
  }

  private show({ steps, dev, model, interrupted }: Outcome): void {
    this.model.adopt(model, 'the model that was trained here')
    this.result.hidden = false
    say(this.state, '')
    const found = `precision ${percent(dev.precision, 1)}, recall ${percent(dev.recall, 1)}, F1 ${percent(dev.f1, 1)}`
    const end = interrupted ? `Stopped after ${counted(steps, 'step')}` : `${counted(steps, 'step')} done`
    say(
      byId('finetune-scores', HTMLElement),
      `${end}. The best model on development: ${found} (exact entities).`,
    )
  }

  /** Files of the model, or undefined where that failed, which is then said. */
  private async files(): Promise<readonly ModelFile[] | undefined> {
    try {
      say(this.state, 'Reading the weights back from the GPU')
      return (await this.engine.ask('download', {})).files
    } catch (error) {
      say(this.state, messageOf(error))
      return undefined
    }
  }

  private async saveZip(): Promise<void> {
    const files = await this.files()
    if (files === undefined) return
    const entries = Object.fromEntries(
      files.map(({ name, bytes: content }) => [`model/${name}`, new Uint8Array(content)]),
    )
    // weights do not compress: they are stored; asynchronous, so that the page goes on
    zip(entries, { level: 0 }, (error, data) => {
      if (error) return say(this.state, messageOf(error))
      save('model.zip', data as BlobPart, 'application/zip')
      say(this.state, `model.zip, ${bytes(data.length)}`)
    })
  }

  private async saveFolder(): Promise<void> {
    let folder: FileSystemDirectoryHandle
    try {
      folder = await (window as unknown as FolderPicker).showDirectoryPicker({ mode: 'readwrite' })
    } catch {
      return
    }
    const files = await this.files()
    if (files === undefined) return
    try {
      for (const { name, bytes: content } of files) {
        const writer = await (await folder.getFileHandle(name, { create: true })).createWritable()
        await writer.write(content)
        await writer.close()
      }
      say(this.state, `Saved ${counted(files.length, 'file')} in ${folder.name}.`)
    } catch (error) {
      say(this.state, messageOf(error))
    }
  }
}
