/** Where libraries race on WebGPU: in processes of Node, and in pages of Chromium. */
import { fileURLToPath } from 'node:url'
import { startPeer } from '../peer.js'
import { peerFile } from '../peers.js'
import { type LabPages, openLabPages } from './chromium_peer.js'
import { type Lab, LIMIT, type Prepared } from './lab.js'

export interface OpenLab extends Lab {
  /** Ends it, whatever it does. */
  close(): void
}

export interface Place {
  readonly name: string
  /** `ours` or a module of bench/peers/webgpu. Rejects where it does not start. */
  open(module: string): Promise<OpenLab>
  close(): void
}

/** On the adapter that the npm package `webgpu` finds. */
export const inNode: Place = {
  name: 'Node',
  async open(module) {
    const program = fileURLToPath(new URL('lab_process.js', import.meta.url))
    const library = module === 'ours' ? module : peerFile(`webgpu/${module}.mjs`)
    const peer = startPeer(process.execPath, [program, library])
    const inTime = async <T>(what: string, answer: Promise<T>): Promise<T> => {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer to ${what} in ${LIMIT} s`)), 1000 * LIMIT)
      })
      return Promise.race([answer, late]).finally(() => clearTimeout(timer))
    }
    const ask = (line: string) => inTime(line, peer.ask(line))
    try {
      const description = await inTime('open', peer.ready)
      return {
        description,
        prepare: async (size, name) => (await ask(`prepare ${size} ${name}`)) as Prepared,
        turn: async (count) => (await ask(`turn ${count}`)).seconds as number,
        close: peer.kill,
      }
    } catch (error) {
      peer.kill()
      throw error
    }
  },
  close() {},
}

/** Or why Chromium is none. */
export async function openChromiumPlace(modules: readonly string[]): Promise<Place | { reason: string }> {
  const pages: LabPages | { reason: string } = await openLabPages(modules)
  if ('reason' in pages) return pages
  return { name: 'Chromium', open: pages.open, close: pages.close }
}

/** One library in a place: started when it is needed, and anew after it has failed. */
export class Racer {
  private lab: OpenLab | undefined

  constructor(
    readonly name: string,
    private readonly start: () => Promise<OpenLab>,
  ) {}

  /** Rejects where it does not start. */
  async open(): Promise<OpenLab> {
    this.lab ??= await this.start()
    return this.lab
  }

  end(): void {
    this.lab?.close()
    this.lab = undefined
  }
}
