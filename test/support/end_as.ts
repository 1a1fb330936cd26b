/** A process that stands for another one: it hands on signals, and ends as the other ends. */
import type { ChildProcess } from 'node:child_process'

/** Signals that a shell or a runner sends to end a process. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Never comes back: this process ends with the child's exit status, or by the signal that ended it. */
export async function endAs(child: ChildProcess): Promise<never> {
  for (const signal of SIGNALS)
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the child without us; a second one would mean something else to it
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  child.on('error', (error: NodeJS.ErrnoException) => {
    const isAbsent = error.code === 'ENOENT'
    console.error(isAbsent ? `${child.spawnfile}: there is no such command` : error.message)
    process.exit(isAbsent ? 127 : 126)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    console.error(`killed by ${signal}`)
    for (const known of SIGNALS) process.removeAllListeners(known)
    process.kill(process.pid, signal)
  })
  return new Promise(() => {})
}
