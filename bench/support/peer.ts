/**
 * A peer in a process of its own that takes one step for each line it is sent and answers with one JSON line
 * (`{"seconds": ...}`), after a first line that describes it; end of input ends it. So a bench can take turns with a Python program.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Peer {
  /** What the peer said of itself when it was ready; comes once it has warmed up. */
  ready: Promise<Record<string, unknown>>
  /** Takes one step; resolves to what the peer says of it. Rejects when the peer has died. */
  step(): Promise<Record<string, number>>
  /** Ends the peer; resolves when it is gone. */
  close(): Promise<void>
}

/** The Python with the peers' packages: BIOALBERT_PEER_PYTHON; undefined when that is not set or not there. */
export function peerPython(): string | undefined {
  const python = process.env.BIOALBERT_PEER_PYTHON
  return python !== undefined && existsSync(python) ? python : undefined
}

/** Starts `command argv...` as a peer. Its standard error goes to ours. */
export function startPeer(command: string, argv: string[]): Peer {
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const gone = new Promise<void>((resolve) => {
    child.on('close', () => resolve())
  })
  const failed = new Promise<never>((_, reject) => {
    child.on('error', (error) => reject(new Error(`${command}: ${error.message}`)))
  })
  failed.catch(() => {})
  child.stdin.on('error', () => {})
  const answer = async (): Promise<unknown> => {
    const line = await Promise.race([lines.next(), failed])
    if (line.done) throw new Error(`${command} ${argv.join(' ')}: ended without an answer`)
    return JSON.parse(line.value)
  }
  const ready = answer() as Promise<Record<string, unknown>>
  // Whoever does not wait for it hears of the failure from the first step.
  ready.catch(() => {})
  return {
    ready,
    async step() {
      await ready
      child.stdin.write('step\n')
      return (await answer()) as Record<string, number>
    },
    async close() {
      child.stdin.end()
      await gone
    },
  }
}
