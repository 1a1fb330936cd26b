/** Progress of `predict`: documents and documents/s as they are written, the share of the bytes that were read, and the time left by it. */
import type { Input } from '../data/documents/inputs.js'
import { bytes, duration } from './output.js'
import { compilingBar, progress, showCompiling } from './progress.js'

export interface PredictionProgress {
  /** So many more bytes of the inputs. */
  read(bytes: number): void
  /** So many kernels are compiled, of so many. */
  compiling(done: number, total: number): void
  /** So many documents in all. */
  update(documents: number): void
  /** A line that --quiet does not keep back. */
  complain(text: string): void
  stop(): void
}

/**
 * `done`: documents that an earlier run has behind it; they are read again and count for no rate. `talks`: results go to the
 * terminal as they come, so there is no bar beside them, but one before the first where kernels are compiled.
 */
export function predictionProgress(
  inputs: readonly Input[],
  { quiet: isQuiet = false, talks = false, done = 0 },
): PredictionProgress {
  const quiet = isQuiet || talks
  const whole = inputs.some(({ bytes }) => bytes === undefined)
    ? undefined
    : inputs.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  const bar = progress({ label: 'predict', unit: 'documents', quiet, done })
  let read = 0
  let first: { read: number; time: number } | undefined
  const details = (): string => {
    if (whole === undefined || whole === 0) return `${bytes(read)} read`
    const share = `${Math.floor((100 * read) / whole)}% of ${bytes(whole)}`
    // the first batch has its documents behind it: from there on the rate is that of the work
    first ??= { read, time: performance.now() }
    if (read <= first.read || read >= whole) return share
    const seconds = (performance.now() - first.time) / 1000
    return `${share}  ${duration((seconds * (whole - read)) / (read - first.read))} left`
  }
  return {
    read(more) {
      read += more
    },
    compiling: talks ? compilingBar({ quiet: isQuiet }) : showCompiling(() => bar),
    update: (documents) => bar.update(documents, details()),
    complain(text) {
      if (quiet) process.stderr.write(`bioalbert: ${text}\n`)
      else bar.line(`bioalbert: ${text}`)
    },
    stop: () => bar.stop(),
  }
}
