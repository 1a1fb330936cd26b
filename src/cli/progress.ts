/**
 * Progress of long work, on standard error: a bar on a terminal, a plain line every few seconds elsewhere,
 * nothing with --quiet. Both show the share done, the rate over the last while, the time left, and whatever
 * the caller adds (a loss, tokens/s).
 */
import cliProgress from 'cli-progress'
import { count, duration } from './output.js'

export interface ProgressOptions {
  /** How many units make the whole; undefined when nobody can know. */
  total?: number
  /** What is going on: `pretrain`, `masking`. */
  label: string
  /** What is counted: `steps`, `documents`. Default `items`. */
  unit?: string
  /** Units done before now, when work is resumed: they count as done, not towards the rate. */
  done?: number
  /** Prints nothing at all. */
  quiet?: boolean
  /** Milliseconds between plain lines. Default 5000. */
  every?: number
  /** Where to write. Default standard error. */
  stream?: NodeJS.WriteStream | NodeJS.WritableStream
  /** The clock, in milliseconds, for tests. */
  now?: () => number
}

export interface Progress {
  /** Sets the units done so far and what else to show. Cheap: prints at most a few times a second. */
  update(done: number, details?: string): void
  /** Sets what else to show, without news of the units. */
  detail(details: string): void
  /** Sets how many units make the whole. */
  expect(total: number): void
  /** What is done until now took time that the rest will not: the rate is that of what comes. */
  restart(): void
  /** Adds to the units done. */
  increment(more?: number, details?: string): void
  /** Prints a line of its own, above the bar. */
  line(text: string): void
  /** Ends the bar; call it on failure as well. Further calls do nothing. */
  stop(): void
}

const rateWindow = 20_000
const barInterval = 100

/** Starts showing progress at once. */
export function progress(options: ProgressOptions): Progress {
  const { label, unit = 'items', quiet = false, every = 5000, now = () => performance.now() } = options
  const stream = options.stream ?? process.stderr
  const onTerminal = 'isTTY' in stream && stream.isTTY === true
  let { total } = options
  let rate = movingRate(options.done ?? 0, now())
  let done = options.done ?? 0
  let details = ''
  let stopped = quiet
  let printed = now()
  let lastLine = ''

  const bar =
    !quiet && onTerminal
      ? new cliProgress.SingleBar({
          format: (_, params) => text(total === undefined ? '' : drawBar(params.progress)),
          stream: stream as NodeJS.WriteStream,
          // Handlers of its own would keep SIGINT from the commands, which write a checkpoint on it.
          gracefulExit: false,
          hideCursor: false,
          barsize: 24,
          fps: 10,
        })
      : undefined
  bar?.start(total ?? 0, done)

  function text(drawn: string): string {
    const perSecond = rate.value()
    const left = total === undefined || perSecond === 0 ? undefined : (total - done) / perSecond
    return [
      drawn === '' ? `${label}:` : `${label} ${drawn}`,
      total === undefined
        ? `${count(done)} ${unit}`
        : `${count(done)}/${count(total)} ${unit} (${Math.floor((100 * done) / Math.max(1, total))}%)`,
      perSecond > 0 ? `${showRate(perSecond)} ${unit}/s` : '',
      left !== undefined && left > 0 ? `${duration(left)} left` : '',
      details,
    ]
      .filter((part) => part !== '')
      .join('  ')
  }

  function show(): void {
    const time = now()
    if (time - printed < (bar === undefined ? every : barInterval)) return
    printed = time
    if (bar !== undefined) bar.update(done)
    else printLine()
  }

  function printLine(): void {
    const line = text('')
    if (line !== lastLine) stream.write(`${line}\n`)
    lastLine = line
  }

  const self: Progress = {
    update(value, more) {
      if (stopped) return
      done = value
      if (more !== undefined) details = more
      rate.add(done, now())
      show()
    },
    detail(more) {
      if (stopped) return
      details = more
      show()
    },
    expect(units) {
      total = units
      bar?.setTotal(units)
    },
    restart() {
      rate = movingRate(done, now())
    },
    increment(more = 1, also) {
      self.update(done + more, also)
    },
    line(message) {
      if (quiet) return
      if (bar === undefined || stopped) {
        stream.write(`${message}\n`)
        return
      }
      stream.write(`\r\u001b[K${message}\n`)
      bar.render()
    },
    stop() {
      if (stopped) return
      stopped = true
      if (bar !== undefined) {
        bar.update(done)
        bar.stop()
        // A short piece of work that never printed has nothing to conclude.
      } else if (lastLine !== '' || now() - printed >= every) printLine()
    },
  }
  return self
}

type Compiling = (done: number, total: number) => void

/** Shows on a bar, from the moment that there is one, how many kernels a device has compiled; their time counts for no rate. */
export function showCompiling(bar: () => Progress | undefined): Compiling {
  return (done, total) => {
    bar()?.detail(done < total ? `compiling kernels ${count(done)} of ${count(total)}` : '')
    if (done === total) bar()?.restart()
  }
}

/** Shows on a bar of its own how many kernels a device has compiled, where no other bar is there. */
export function compilingBar(
  options: Pick<ProgressOptions, 'quiet' | 'every' | 'stream' | 'now'>,
): Compiling {
  let bar: Progress | undefined
  return (done, total) => {
    bar ??= progress({ ...options, label: 'compile', unit: 'kernels', total })
    bar.expect(total)
    bar.update(done)
    if (done < total) return
    bar.stop()
    bar = undefined
  }
}

function drawBar(share: number): string {
  const size = 24
  const full = Math.round(size * Math.min(1, Math.max(0, share)))
  return `[${'='.repeat(full)}${' '.repeat(size - full)}]`
}

function showRate(perSecond: number): string {
  if (perSecond >= 100) return count(Math.round(perSecond))
  return perSecond >= 10 ? perSecond.toFixed(1) : perSecond.toFixed(2)
}

/** Units per second over the last rateWindow milliseconds, so that a slow start is forgotten. */
function movingRate(done: number, time: number) {
  const points: { done: number; time: number }[] = [{ done, time }]
  let last = { done, time }
  return {
    add(value: number, at: number): void {
      last = { done: value, time: at }
      // One point in a half second is enough, however often the caller reports.
      if (at - points[points.length - 1].time >= 500) points.push(last)
      while (points.length > 2 && at - points[1].time >= rateWindow) points.shift()
    },
    value(): number {
      const span = last.time - points[0].time
      return span <= 0 ? 0 : (1000 * (last.done - points[0].done)) / span
    },
  }
}
