/**
 * The same in a page: `start` begins what `wait` then waits for, in pieces that are shorter than a browser's patience with one
 * question.
 */
import type { KernelSources } from '../../../src/device/webgpu/source.js'
import type { Size } from './cases.js'
import { type Lab, openOurs, openPeer, type PeerModule } from './lab.js'

let lab: Lab
let running: Promise<unknown> = Promise.resolve()

const commands = {
  async open(library: string) {
    const { gpu } = (globalThis as unknown as { navigator: { gpu: GPU } }).navigator
    lab =
      library === 'ours'
        ? await openOurs(gpu, (await (await fetch('/sources.json')).json()) as KernelSources)
        : await openPeer((await import(`/${library}.js`)) as PeerModule, '/resources/')
    return lab.description
  },
  prepare: (size: Size, name: string) => lab.prepare(size, name),
  turn: (count: number) => lab.turn(count),
}

const answer = (task: Promise<unknown>) =>
  task.then(
    (value) => ({ value }),
    (error) => ({ error: `${error?.message ?? error}` }),
  )

Object.assign(globalThis, {
  start(command: keyof typeof commands, ...argv: never[]) {
    running = answer((commands[command] as (...argv: never[]) => Promise<unknown>)(...argv))
  },
  /** What came of it, or nothing after some seconds. */
  wait: () => Promise.race([running, new Promise((done) => setTimeout(() => done(null), 10_000))]),
})
