/** The tab Annotate: a text, its entities marked as it is typed, and what is known of each. */
import type { Annotation, DeviceFacts, Entity } from '../protocol.js'
import { Activity } from './activity.js'
import { byId, make, messageOf, say } from './dom.js'
import { Editor } from './editor.js'
import type { Engine } from './engine.js'
import { save } from './files.js'
import { brief, bytes, count, counted, percent } from './format.js'
import { Frames } from './frames.js'
import { Colours, inCodePoints, predictionLines, sureness } from './highlights.js'
import type { ModelPanel } from './model.js'

/** Milliseconds without a key after which the model reads the text. */
const PAUSE = 150
/** Milliseconds after which it is said that a text is being read: most are done before. */
const SLOW = 1000
/** Rows of the table; whatever is found is marked and exported. */
const MOST_ROWS = 500
/** Of them in a frame. */
const FRAME_ROWS = 50

/** Of a file that is dropped: a text area with more answers keys late. */
const MOST_BYTES = 1_000_000

const EXAMPLE =
  'Germline mutations in BRCA1 and BRCA2 predispose carriers to familial breast cancer and ovarian cancer. ' +
  'We followed 214 carriers for nine years. Tamoxifen lowered the risk of contralateral breast cancer; ' +
  'endometrial carcinoma and venous thrombosis were rare. Ataxia telangiectasia was found in two families with ' +
  'mutations of ATM.'

export class AnnotateTab {
  private readonly colours = new Colours()
  private readonly editor: Editor
  private readonly found = byId('found', HTMLElement)
  private readonly facts = byId('found-facts', HTMLElement)
  private readonly error = byId('annotate-error', HTMLElement)
  private readonly results = byId('found-results', HTMLElement)
  private readonly rows = byId('found-rows', HTMLElement)
  private readonly more = byId('found-more', HTMLElement)
  private readonly exports = [byId('copy-json', HTMLButtonElement), byId('save-json', HTMLButtonElement)]
  private readonly copied = byId('copied', HTMLElement)
  private readonly activity = new Activity(byId('annotate-activity', HTMLElement))
  private readonly listing = new Frames()
  private device = ''
  private example = EXAMPLE
  private timer = 0
  private latest = 0
  /** The text that was read last and what was found in it. */
  private shown: { text: string; entities: readonly Entity[] } | undefined

  constructor(
    private readonly engine: Engine,
    private readonly model: ModelPanel,
  ) {
    this.editor = new Editor(
      byId('text', HTMLTextAreaElement),
      byId('text-mirror', HTMLElement),
      this.colours,
      () => this.later(),
    )
    byId('text-example', HTMLElement).addEventListener('click', () => this.take(this.example))
    byId('text-clear', HTMLElement).addEventListener('click', () => {
      this.take('')
      this.editor.area.focus()
    })
    this.exports[0].addEventListener('click', () => void this.copy())
    this.exports[1].addEventListener('click', () => {
      if (this.shown) save('entities.jsonl', this.json(), 'application/jsonl')
    })
    model.onChange(() => {
      this.colours.reset(model.facts?.labels ?? [])
      this.editor.mark([])
      void this.read()
    })
  }

  setDevice({ detail }: DeviceFacts): void {
    this.device = detail
  }

  /** The model of the demo knows the words of its own texts alone. */
  setExample(text: string): void {
    this.example = text
    if (this.editor.value === '') this.take(text)
  }

  take(text: string): void {
    this.editor.value = text
  }

  async takeFile(file: File): Promise<void> {
    if (file.size > MOST_BYTES) {
      const most = `${file.name} has ${bytes(file.size)}; this page annotates texts of up to ${bytes(MOST_BYTES)}`
      return say(this.error, `${most}. bioalbert predict takes whole folders.`)
    }
    try {
      this.take(await file.text())
    } catch (error) {
      say(this.error, `${file.name}: ${messageOf(error)}`)
    }
  }

  private later(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.read(), PAUSE)
  }

  /** The newest text wins: answers to older ones are left alone. */
  private async read(): Promise<void> {
    clearTimeout(this.timer)
    const mine = ++this.latest
    const text = this.editor.value
    say(this.error, '')
    say(this.copied, '')
    if (this.model.facts === undefined || text.trim() === '') return this.empty(text)
    if (this.shown === undefined) say(this.found, '')
    const slow = setTimeout(() => this.activity.show('Reading the text'), SLOW)
    try {
      const annotation = await this.engine.ask('annotate', { text }, (progress) =>
        this.activity.tell(progress),
      )
      // an answer to a text that is not there any more marks nothing
      if (mine !== this.latest || text !== this.editor.value) return
      this.show(text, annotation)
    } catch (error) {
      if (mine !== this.latest || messageOf(error) === 'superseded') return
      this.empty(text)
      say(this.error, messageOf(error))
    } finally {
      clearTimeout(slow)
    }
    this.activity.end()
  }

  private empty(text: string): void {
    this.shown = undefined
    this.listing.end()
    this.editor.mark([])
    this.results.hidden = true
    for (const button of this.exports) button.disabled = true
    const wants = [this.model.facts === undefined && 'choose a model', text.trim() === '' && 'enter a text']
    const wanted = wants.filter((want) => want !== false).join(' and ')
    say(this.found, wanted === '' ? '' : `${wanted[0].toUpperCase()}${wanted.slice(1)}.`)
    say(this.facts, '')
    this.activity.end()
  }

  private show(text: string, { entities, milliseconds, pieces }: Annotation): void {
    this.shown = { text, entities }
    this.editor.mark(entities)
    const tally = new Map<string, number>()
    for (const { type } of entities) tally.set(type, (tally.get(type) ?? 0) + 1)
    const types = [...tally].map(([type, n]) => `${count(n)} ${type}`).join(', ')
    say(
      this.found,
      entities.length === 0 ? 'No entities.' : `${counted(entities.length, 'entity', 'entities')}: ${types}.`,
    )
    say(this.facts, `${brief(milliseconds)} for ${counted(pieces, 'piece')} of text on ${this.device}`)
    this.results.hidden = entities.length === 0
    const rows = entities.slice(0, MOST_ROWS)
    const places = inCodePoints(text, rows)
    let made = 0
    this.rows.replaceChildren()
    this.listing.begin(() => {
      const slice = rows.slice(made, made + FRAME_ROWS)
      this.rows.append(...slice.map((entity, i) => this.row(text, entity, places[made + i])))
      made += slice.length
      return made < rows.length
    })
    this.more.hidden = entities.length <= MOST_ROWS
    say(this.more, `The first ${count(MOST_ROWS)} are listed; all are marked, and in the JSON.`)
    for (const button of this.exports) button.disabled = false
  }

  private row(text: string, entity: Entity, place: { start: number; end: number }): HTMLElement {
    const { start, end, type, confidence } = entity
    const kind = `${this.colours.of(type)} ${sureness(confidence)}`
    const button = make('button', { type: 'button', class: 'entity' })
    button.append(make('bdi', { class: kind }, text.slice(start, end)))
    button.addEventListener('click', () => this.editor.select(entity))
    return make(
      'tr',
      {},
      make('td', {}, button),
      make('td', {}, make('bdi', {}, type)),
      make(
        'td',
        { class: 'confidence' },
        make('meter', { min: 0, max: 1, value: confidence, 'aria-hidden': true }),
        // 100% would be a promise
        ` ${percent(Math.min(confidence, 0.999), 1)}`,
      ),
      make('td', { class: 'number place' }, `${count(place.start)} to ${count(place.end)}`),
    )
  }

  private json(): string {
    const { text, entities } = this.shown ?? { text: '', entities: [] }
    return predictionLines(text, entities)
  }

  private async copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.json())
      say(this.copied, 'Copied.')
    } catch {
      say(this.copied, 'The browser does not allow copying here; save the file instead.')
    }
  }
}
