/**
 * A training run as it is seen and held: a line that says where it is, the loss, and the buttons that start, pause and stop it.
 * Fine-tune and Write have one each; the worker has one device, so one run goes on at a time.
 */
import type { Progress } from '../protocol.js'
import { Activity } from './activity.js'
import { Chart, type Level, type Line } from './chart.js'
import { make, messageOf, say } from './dom.js'
import type { Engine } from './engine.js'
import { count, duration } from './format.js'
import { type Point, smooth, thin } from './scale.js'

/** Points that are kept of a loss: beyond that, neighbours are joined. */
const MOST_POINTS = 4000
/** Milliseconds between two lines that are read aloud. */
const QUIET = 15_000

export type State = 'idle' | 'starting' | 'running' | 'paused' | 'stopping'

/** Who runs, for all views of a page. */
const current: { view?: RunView } = {}
const views: RunView[] = []

export class RunView {
  private state: State = 'idle'
  private points: Point[] = []
  private levels: readonly Level[] = []
  private total = 1
  private spoken = 0
  private able = true
  private readonly start = make('button', { type: 'button', class: 'primary' })
  private readonly pause = make('button', { type: 'button' }, 'Pause')
  private readonly stop = make('button', { type: 'button' }, 'Stop')
  private readonly line = make('p', { class: 'where' })
  private readonly held = make(
    'p',
    { class: 'name' },
    'Paused. Nothing is lost; the GPU is free for other work.',
  )
  private readonly spokenLine = make('p', { class: 'unseen', role: 'status' })
  private readonly bar = make('progress', { 'aria-label': 'Steps done', max: 1, value: 0 })
  private readonly error = make('p', { class: 'error', role: 'alert' })
  private readonly charts = make('div', { class: 'charts' })
  private readonly activity: Activity
  private readonly loss: Chart

  constructor(
    place: HTMLElement,
    private readonly engine: Engine,
    private readonly words: { readonly start: string; readonly loss: string },
    onStart: () => void,
  ) {
    const activity = make('div', { class: 'activity' })
    this.start.append(words.start)
    place.append(
      make('div', { class: 'row' }, this.start, this.pause, this.stop),
      this.error,
      activity,
      this.held,
      this.line,
      this.spokenLine,
      this.bar,
      this.charts,
    )
    this.activity = new Activity(activity)
    this.loss = new Chart(this.charts, { y: words.loss, height: 260, tick: (y) => String(y) })
    this.start.addEventListener('click', onStart)
    this.pause.addEventListener(
      'click',
      () => void this.control(this.state === 'paused' ? 'resume' : 'pause'),
    )
    this.stop.addEventListener('click', () => void this.control('stop'))
    views.push(this)
    this.enter('idle')
  }

  /** Under the loss. */
  addChart(axis: ConstructorParameters<typeof Chart>[1]): Chart {
    return new Chart(this.charts, axis)
  }

  /** What is missing before a run can start; none when empty. */
  refuse(message: string): void {
    say(this.error, message)
  }

  /** Without a device. */
  disable(): void {
    this.able = false
    this.enter('idle')
  }

  /** Runs `work` to its end, with the buttons at hand; undefined where it failed, which is then said. */
  async run<R>(work: (tell: (progress: Progress) => void) => Promise<R>): Promise<R | undefined> {
    if (current.view) return undefined
    current.view = this
    this.points = []
    this.levels = []
    this.spoken = 0
    say(this.error, '')
    say(this.line, '')
    this.bar.value = 0
    this.charts.hidden = true
    this.activity.show('Getting ready')
    this.enter('starting')
    try {
      return await work((progress) => this.tell(progress))
    } catch (error) {
      say(this.error, messageOf(error))
      return undefined
    } finally {
      current.view = undefined
      this.activity.end()
      this.enter('idle')
    }
  }

  setLevels(levels: readonly Level[]): void {
    this.levels = levels
    this.drawLoss()
  }

  /** Said to all, at once. */
  announce(text: string): void {
    say(this.spokenLine, text)
  }

  get steps(): number {
    return this.total
  }

  private tell(progress: Progress): void {
    if (this.activity.tell(progress)) return
    if (progress.kind === 'paused') this.enter('paused')
    else if (progress.kind === 'resumed') this.enter('running')
    else if (progress.kind === 'step') this.step(progress)
  }

  private step({ step, total, loss, milliseconds }: Extract<Progress, { kind: 'step' }>): void {
    if (step === total) this.activity.show('Scoring the result')
    else this.activity.end()
    if (this.state === 'starting') this.enter('running')
    this.total = total
    this.points.push([step, loss])
    if (this.points.length > MOST_POINTS) this.points = thin(this.points, MOST_POINTS / 2)
    this.bar.hidden = false
    this.bar.max = total
    this.bar.value = step
    const rate = (1000 * step) / Math.max(1, milliseconds)
    const left = ((total - step) * milliseconds) / step
    const where = `Step ${count(step)} of ${count(total)}, loss ${loss.toFixed(3)}`
    const time = step === total ? `${duration(milliseconds)} in all` : `about ${duration(left)} left`
    const speed =
      rate < 1
        ? `${(1 / rate).toPrecision(2)} seconds a step`
        : `${rate.toPrecision(rate < 100 ? 2 : 3)} steps a second`
    say(this.line, `${where}; ${speed}, ${time}`)
    if (performance.now() - this.spoken > QUIET) {
      this.spoken = performance.now()
      this.announce(where)
    }
    this.drawLoss()
  }

  private drawLoss(): void {
    const [, last] = this.points[this.points.length - 1] ?? []
    if (last === undefined) return
    this.charts.hidden = false
    const averaged = smooth(this.points, Math.max(5, this.points.length / 20))
    const lines: Line[] = [
      { kind: 'raw', points: this.points },
      { kind: 'smooth', points: averaged },
    ]
    const [, first] = this.points[0]
    const others = this.levels.map(({ name, y }) => ` ${name} ${y.toFixed(3)}.`).join('')
    const description = `${this.words.loss} by step, from ${first.toFixed(3)} to ${last.toFixed(3)}.${others}`
    this.loss.show({ lines, levels: this.levels, total: this.total, description })
  }

  private async control(action: 'pause' | 'resume' | 'stop'): Promise<void> {
    if (action === 'stop') this.enter('stopping')
    try {
      await this.engine.ask('control', { action })
    } catch (error) {
      say(this.error, messageOf(error))
    }
  }

  private enter(state: State): void {
    const had = document.activeElement
    this.state = state
    const busy = state !== 'idle'
    this.pause.hidden = !busy
    this.stop.hidden = !busy
    this.bar.hidden = !busy || state === 'starting'
    this.pause.disabled = state === 'starting' || state === 'stopping'
    this.stop.disabled = state === 'starting' || state === 'stopping'
    say(this.pause, state === 'paused' ? 'Resume' : 'Pause')
    say(this.stop, state === 'stopping' ? 'Stopping' : 'Stop')
    this.held.hidden = state !== 'paused'
    if (state === 'paused') this.announce('Paused.')
    for (const view of views) view.start.disabled = current.view !== undefined || !view.able
    // who pressed a button that goes away goes on at the one that comes
    if (had === this.stop && !busy) this.start.focus()
  }
}

/** Whether leaving the page would lose a run. */
export function isRunning(): boolean {
  return current.view !== undefined
}
