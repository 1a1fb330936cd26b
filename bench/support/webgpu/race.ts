/**
 * Races on WebGPU: ours and the peers that run there take turns, in processes of Node on the adapter that the npm package `webgpu`
 * finds, and side by side in a page of Chromium. The first results of each peer must be ours before anything is timed.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { agree, type Results } from '../agree.js'
import { quick } from '../bench.js'
import { isCase } from '../case.js'
import { type Peer, startPeer } from '../peer.js'
import { INSTALL, peerFile, peersWanted, skipPeer } from '../peers.js'
import { type Contestant, race } from '../race.js'
import { recordPeer } from '../record.js'
import { type Size, webgpuCases } from './cases.js'
import { type LabPage, openLabPage } from './chromium_peer.js'
import type { Lab, Prepared, SampledResults } from './lab.js'

interface WebgpuPeer {
  readonly name: string
  /** File of bench/peers/webgpu. */
  readonly module: string
  readonly npm: string
  /** Why it does not run in Node. */
  readonly notInNode?: string
}

export const WEBGPU_PEERS: readonly WebgpuPeer[] = [
  { name: 'TensorFlow.js', module: 'tfjs', npm: '@tensorflow/tfjs-backend-webgpu' },
  { name: 'jax-js', module: 'jaxjs', npm: '@jax-js/jax' },
  {
    name: 'ONNX Runtime Web',
    module: 'onnxruntime',
    npm: 'onnxruntime-web',
    notInNode: 'it hands shared memory to the queue, which the npm package webgpu refuses',
  },
]

/** A place where libraries run. */
interface Place {
  readonly name: string
  open(module: string): Promise<Lab & { close?(): Promise<void> }>
  close(): void
}

const inNode: Place = {
  name: 'Node',
  async open(module) {
    const program = fileURLToPath(new URL('lab_process.js', import.meta.url))
    const library = module === 'ours' ? module : peerFile(`webgpu/${module}.mjs`)
    const peer: Peer = startPeer(process.execPath, [program, library])
    const description = await peer.ready
    return {
      description,
      prepare: async (size, name) => (await peer.ask(`prepare ${size} ${name}`)) as Prepared,
      turn: async (count) => (await peer.ask(`turn ${count}`)).seconds as number,
      close: () => peer.close(),
    }
  },
  close() {},
}

function inChromium(page: LabPage): Place {
  return { name: 'Chromium', open: (module) => page.open(module), close: () => page.close() }
}

/** Seconds of a turn, about. */
const TURN = quick ? 0 : 0.3
const MOST = 64
/** Largest difference from ours, of its own value and the root mean square of all; of losses these are one and the same. */
const TOLERANCE = { op: 1e-4, step: 5e-5 }
/** 10^9 operations a second, below which an adapter is one in software. */
const SOFTWARE = 50

/** Races the cases that are wanted, in every place. */
export async function raceWebgpu(wanted: (name: string) => boolean): Promise<void> {
  const places: Place[] = [inNode]
  if (peersWanted) {
    const page = await openLabPage(['ours', ...WEBGPU_PEERS.filter(isInstalled).map(({ module }) => module)])
    if ('reason' in page) skipPeer('webgpu', 'Chromium', page.reason)
    else places.push(inChromium(page))
  }
  try {
    let size: Size | undefined
    for (const place of places) {
      const labs = await openAll(place)
      try {
        size ??= quick ? 'quick' : await sizeFor(labs[0].lab)
        for (const { name } of webgpuCases(size))
          if (wanted(name) && isCase(titleOf(name, place.name))) await raceCase(place.name, labs, size, name)
      } finally {
        await Promise.all(labs.map(({ lab }) => lab.close?.()))
      }
    }
  } finally {
    for (const place of places) place.close()
  }
}

interface OpenLab {
  readonly name: string
  readonly lab: Awaited<ReturnType<Place['open']>>
}

const isInstalled = ({ npm }: WebgpuPeer) => existsSync(peerFile(`node_modules/${npm}`))

/** Ours first. */
async function openAll(place: Place): Promise<OpenLab[]> {
  const labs: OpenLab[] = [{ name: 'ours', lab: await place.open('ours') }]
  for (const peer of peersWanted ? WEBGPU_PEERS : []) {
    const skip = (reason: string) => skipPeer(place.name, `${peer.name} in ${place.name}`, reason)
    if (!isInstalled(peer)) skip(`not installed: ${INSTALL.node}`)
    else if (place === inNode && peer.notInNode) skip(peer.notInNode)
    else
      try {
        const lab = await place.open(peer.module)
        recordPeer(`${peer.name} in ${place.name}`, lab.description)
        labs.push({ name: peer.name, lab })
      } catch (error) {
        skip((error as Error).message)
      }
  }
  return labs
}

/** Whether the adapter is a GPU, told by a small product. */
async function sizeFor(lab: Lab): Promise<Size> {
  const { name } = webgpuCases('software')[0]
  const { flops = 0 } = await lab.prepare('software', name)
  await lab.turn(1)
  return flops / (await lab.turn(1)) / 1e9 < SOFTWARE ? 'software' : 'hardware'
}

/** What `--case` looks at. */
const titleOf = (name: string, place: string) => `${name}, ${place}`

async function raceCase(place: string, labs: readonly OpenLab[], size: Size, name: string): Promise<void> {
  const title = titleOf(name, place)
  const [ours, ...others] = labs
  const { results, flops, bytes } = await ours.lab.prepare(size, name)
  const want = values(results!)
  const racing = [ours]
  for (const peer of others) {
    const { missing, results: found } = await peer.lab.prepare(size, name)
    if (missing !== undefined) skipPeer(title, peer.name, missing)
    else {
      sameLengths(`${title}: ${peer.name}`, found!, results!)
      agree(
        `${title}: ${peer.name}`,
        values(found!),
        want,
        TOLERANCE[name.startsWith('step ') ? 'step' : 'op'],
      )
      racing.push(peer)
    }
  }
  const count = Math.max(1, Math.min(MOST, Math.round(TURN / (await ours.lab.turn(1)))))
  const contestants = racing.map(({ name: who, lab }, i): Contestant => {
    return { name: who, precision: 'f32', ours: i === 0, run: () => lab.turn(count) }
  })
  await race(title, { flops: flops || undefined, bytes: bytes || undefined }, contestants)
}

function values(results: SampledResults): Results {
  const entries = Object.entries(results).map(([name, { values: all }]) => [name, Float32Array.from(all)])
  return Object.fromEntries(entries)
}

function sameLengths(who: string, found: SampledResults, want: SampledResults): void {
  for (const [name, { length }] of Object.entries(want))
    if (found[name]?.length !== length)
      throw new Error(`${who}: ${name} has ${found[name]?.length} values (want ${length})`)
}
