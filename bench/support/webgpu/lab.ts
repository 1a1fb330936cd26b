/**
 * One library that takes turns at the cases of WebGPU: ours, or a peer. Runs in a process of Node (lab_process.ts) and in a page
 * (page.ts), where the clock is read around work that is done. A peer is a module of bench/peers/webgpu whose `open` resolves to
 * what it is, to a function for every kind of case that it can do, and to what waits for the work that was asked for.
 */
import type { Device } from '../../../src/device/device.js'
import { openWebgpu } from '../../../src/device/webgpu/device.js'
import type { KernelSources } from '../../../src/device/webgpu/source.js'
import type { InputData } from '../../../src/graph/runtime.js'
import { type Size, webgpuCases } from './cases.js'
import type { Ours, PeerRequest } from './contract.js'

export interface PeerModule {
  open(resources: string): Promise<{
    readonly description: Readonly<Record<string, unknown>>
    readonly kinds: Readonly<Record<string, (request: PeerRequest) => Answer | Promise<Answer>>>
    /** Resolves when all that runs have asked for is done. */
    sync(): Promise<void>
  }>
}

/** A case as a library does it. */
interface Work {
  /** Takes the first run, or what gives its results, by name. */
  first(): Promise<Readonly<Record<string, InputData>>>
  /** Asks for one run more. */
  run(): unknown
  free?(): void
}

/** Or why this library does not do it. */
type Answer = Work | { readonly missing: string }

/** Seconds for one command; what takes longer hangs. */
export const LIMIT = 300

/** Elements of a result that are compared, spread over all of it. */
const MOST = 16_384

/** Of a result: how long it is, and elements at equal distances. */
export interface Sampled {
  readonly length: number
  readonly values: readonly number[]
}

export type SampledResults = Readonly<Record<string, Sampled>>

/** What `prepare` tells. */
export interface Prepared {
  /** Why this library does not do it. */
  readonly missing?: string
  /** What went wrong where it should. */
  readonly failed?: string
  readonly results?: SampledResults
  /** Of one run, as ours declares them. */
  readonly flops?: number
  readonly bytes?: number
}

/** Asked for one case after another, and for turns at the last one. */
export interface Lab {
  readonly description: Readonly<Record<string, unknown>>
  prepare(size: Size, name: string): Promise<Prepared>
  /** Seconds of one of `count` runs. */
  turn(count: number): Promise<number>
}

export async function openOurs(gpu: GPU, sources: KernelSources): Promise<Lab & { device: Device }> {
  const device = await openWebgpu(gpu, sources)
  let current: Ours | undefined
  return {
    device,
    description: device.info.facts,
    async prepare(size, name) {
      current?.free()
      current = await caseOf(size, name).ours(device)
      return { results: sampled(current.results), flops: current.flops, bytes: current.bytes }
    },
    async turn(count) {
      const start = performance.now()
      await current!.run(count)
      return (performance.now() - start) / 1000 / count
    },
  }
}

/** `resources`: where a page finds what the library loads by itself. */
export async function openPeer(module: PeerModule, resources: string): Promise<Lab> {
  const { description, kinds, sync } = await module.open(resources)
  let current: Work | undefined
  return {
    description,
    async prepare(size, name) {
      current?.free?.()
      current = undefined
      const one = caseOf(size, name)
      const request = one.request()
      const make = kinds[request.kind]
      if (!make) return { missing: `it has no ${request.kind}` }
      try {
        const answer = await make(request)
        if ('missing' in answer) return answer
        current = answer
        const found = await current.first()
        return { results: sampled(one.judge?.(found) ?? found) }
      } catch (error) {
        return { failed: `${(error as Error).message ?? error}`.split('\n')[0] }
      }
    },
    async turn(count) {
      const start = performance.now()
      for (let i = 0; i < count; i++) await current!.run()
      await sync()
      return (performance.now() - start) / 1000 / count
    },
  }
}

function caseOf(size: Size, name: string) {
  const found = webgpuCases(size).find((one) => one.name === name)
  if (!found) throw new Error(`there is no case ${name} of size ${size}`)
  return found
}

function sampled(results: Readonly<Record<string, InputData>>): SampledResults {
  const entries = Object.entries(results).map(([name, all]): [string, Sampled] => {
    // odd, so that not all are of one column
    const distance = Math.ceil(all.length / MOST) | 1
    const count = Math.ceil(all.length / distance)
    return [name, { length: all.length, values: Array.from({ length: count }, (_, i) => all[i * distance]) }]
  })
  return Object.fromEntries(entries)
}
