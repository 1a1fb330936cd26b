/**
 * A peer in a process of its own that takes a step, or several, for each line it is sent and answers with one JSON line
 * (`{"seconds": ...}`), after a first line that describes it; end of input ends it. So a bench can take turns with another program.
 * A peer that knows several ways to take a step names them (`modes`), and those that it cannot have (`failed`).
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type PeerSpec, peerCommand, peersWanted, skipPeer } from './peers.js'
import { races } from './precisions.js'
import type { Contestant } from './race.js'
import { recordPeer } from './record.js'

export interface Peer {
  /** What the peer said of itself when it was ready; comes once it has warmed up. */
  ready: Promise<Record<string, unknown>>
  /** Takes `count` steps (one) in a mode (the first); resolves to what the peer says of them. Rejects when the peer has died. */
  step(mode?: string, count?: number): Promise<Record<string, number>>
  /** Sends a line and resolves to the answer. */
  ask(line: string): Promise<Record<string, unknown>>
  /** Seconds of processor time that the peer has used, all threads together; undefined where that is not known. */
  cpu(): number | undefined
  /** Ends the peer; resolves when it is gone. */
  close(): Promise<void>
  /** Ends it at once, whatever it does. */
  kill(): void
}

/** Starts `command argv...` as a peer. The end of its standard error goes into the message when it fails. */
export function startPeer(
  command: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Peer {
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000)
  })
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
    if (!line.done) return parsed(line.value)
    await gone
    throw new Error(lastError(said) ?? `${command} ${argv.join(' ')}: ended without an answer`)
  }
  const ready = answer() as Promise<Record<string, unknown>>
  // Whoever does not wait for it hears of the failure from the first step.
  ready.catch(() => {})
  const ask = async (line: string) => {
    await ready
    child.stdin.write(`${line}\n`)
    return (await answer()) as Record<string, unknown>
  }
  return {
    ready,
    ask,
    step: async (mode = '', count = 1) =>
      (await ask(['step', mode, count > 1 ? count : ''].filter((word) => word !== '').join(' '))) as Record<
        string,
        number
      >,
    cpu: () => (child.pid === undefined ? undefined : processorSeconds(child.pid)),
    async close() {
      child.stdin.end()
      await gone
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** An answer; what is none is what a library says of an error. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new Error(`a peer said ${JSON.stringify(line.slice(0, 300))} where it should answer`)
  }
}

/** The line of a traceback or stack that names the error, or the last line; undefined for an empty text. */
export function lastError(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const named = lines.filter((line) => /^[\w.]*(Error|Exception|error)\b.*:/.test(line)).at(-1)
  return (named ?? lines.at(-1))?.slice(0, 300)
}

/** User and system time of a process, in the clock ticks of Linux, 100 a second. */
function processorSeconds(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}

export interface OpenPeers {
  readonly contestants: readonly Contestant[]
  close(): Promise<void>
}

/**
 * Starts the peers, none without --peers. Each is checked when it is ready; one that does not get so far is named,
 * counted and left out, one that computes something else ends the bench. `what` is the bench.
 */
export async function openPeers(
  what: string,
  specs: readonly PeerSpec[],
  check: (spec: PeerSpec, ready: Record<string, unknown>) => void,
): Promise<OpenPeers> {
  const open: Peer[] = []
  const contestants: Contestant[] = []
  const close = async () => {
    await Promise.all(open.map((peer) => peer.close()))
  }
  for (const spec of specs.filter(({ precision }) => peersWanted && races(precision))) {
    const found = peerCommand(spec)
    if ('missing' in found) {
      skipPeer(what, spec.name, found.missing)
      continue
    }
    const peer = startPeer(found.command, found.argv, found.env)
    open.push(peer)
    let ready: Record<string, unknown>
    try {
      ready = await peer.ready
    } catch (error) {
      skipPeer(what, spec.name, (error as Error).message)
      continue
    }
    try {
      check(spec, ready)
    } catch (error) {
      await close()
      throw error
    }
    recordPeer(spec.name, ready)
    const { modes, failed = {} } = ready as { modes?: string[]; failed?: Record<string, string> }
    for (const [mode, why] of Object.entries(failed)) skipPeer(what, `${spec.name} ${mode}`, why)
    for (const mode of modes ?? [undefined]) {
      const run = async () => (await peer.step(mode, spec.turn)).seconds
      const name = mode === undefined ? spec.name : `${spec.name} ${mode}`
      // modes share a process, whose processor time is no one's
      const cpu = mode === undefined ? peer.cpu : undefined
      contestants.push({ name, precision: spec.precision, run, cpu })
    }
  }
  return { contestants, close }
}
