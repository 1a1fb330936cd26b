/**
 * Devices that end at random moments of run, timeline, read and write, in workers and in the main thread: by exit,
 * terminate, an exception, destroy, twice, or by nothing at all. All else in the process goes on with right results,
 * threads and memory come back, and the process ends by itself (storm.ts).
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import { fail } from './failure.js'
import { share } from './storm_kind.js'

const program = fileURLToPath(new URL('./storm.js', import.meta.url))

const part = (count: number): number => Math.ceil(count * share)

interface End {
  status: number | null
  signal: string | null
  output: string
}

/** Runs the program to its end; it is killed where it does not come to one. */
function stormOn(device: string, argv: readonly (string | number)[]): Promise<End> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--expose-gc', program, ...argv.map(String)], {
      env: { ...process.env, BIOALBERT_STORM_DEVICE: device },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 250_000,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    child.on('close', (status, signal) => resolve({ status, signal, output }))
  })
}

function ends({ status, signal, output }: End, want: number, pattern: RegExp): void {
  if (status === want && pattern.test(output)) return
  fail(
    `want status ${want} and an output that matches ${pattern}: ${signal ?? `status ${status}`}\n${output}`,
  )
}

/** Tests of one kind of device, with `most` workers around a main thread that goes on. */
export function stormTests(device: 'cpu' | 'cuda-emulated', most: number): void {
  const test = suite(`storm of workers on ${device}`)
  const storm = (...argv: (string | number)[]) => stormOn(device, argv)

  test('the main thread goes on while hundreds of workers and devices end around it', async () => {
    const workers = part(most)
    const last = new RegExp(`^${workers} workers, [1-9]\\d* ended devices, [1-9]\\d* checks\n$`)
    ends(await storm('storm', 1, workers), 0, last)
  })

  test('workers end one after the other where the main thread has no device', async () => {
    const workers = part(most / 5)
    ends(
      await storm('lonely', 2, workers),
      0,
      new RegExp(`^${workers} workers, 0 ended devices, 0 checks\n$`),
    )
  })

  test('process.exit in the middle of runs ends with the status that was asked for', async () => {
    for (let seed = 0; seed < part(most / 20); seed++) {
      const status = 5 * (seed + 1)
      ends(await storm('exit', seed, status), status, /^$/)
    }
    ends(await storm('exit', 1, 0), 0, /^$/)
  })

  test('an exception in the middle of runs ends with status 1', async () => {
    const printed = /^\S+storm\.js:\d+\n.*Error: thrown on purpose.*Node\.js v\S+\n$/s
    for (let seed = 0; seed < part(most / 60); seed++) ends(await storm('throw', seed), 1, printed)
  })

  test.run()
}
