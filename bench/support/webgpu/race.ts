/**
 * Races on WebGPU: ours and the peers that run there take turns, in processes of Node on the adapter that the npm package `webgpu`
 * finds, and in pages of Chromium. Ours is checked by an oracle, and the first results of each peer must be ours, before anything
 * is timed. Who computes something else, fails or hangs is named and left out of that case, and the others go on; each race is
 * written as it ends.
 */
import { existsSync } from 'node:fs'
import { agree, type Results } from '../agree.js'
import { quick } from '../bench.js'
import { isCase } from '../case.js'
import { INSTALL, peerFile, peersWanted, skipPeer } from '../peers.js'
import { type Contestant, race } from '../race.js'
import { recordPeer } from '../record.js'
import { type Size, webgpuCases } from './cases.js'
import type { Lab, Prepared, SampledResults } from './lab.js'
import { inNode, type OpenLab, openChromiumPlace, type Place, Racer } from './places.js'

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

/** Seconds of a turn, about, and runs of it at most. */
const TURN = quick ? 0 : 0.2
const MOST = 64
/** Seconds for all turns of a case. */
const BUDGET = { op: 6, step: 40 }
/** Largest difference from ours, of its own value and the root mean square of all; of losses these are one and the same. */
const TOLERANCE = { op: 1e-4, step: 5e-5 }
/** 10^9 operations a second, below which an adapter is one in software. */
const SOFTWARE = 50

/** What went wrong, ours or a peer's: wrong answers, crashes, what hung. */
export const faults: string[] = []

function fault(title: string, who: string, reason: string): void {
  faults.push(`${title}: ${who}: ${reason}`)
  if (who === 'ours') console.error(`${title}: ours: ${reason}`)
  else skipPeer(title, who, reason)
}

/** Races the cases that are wanted, in every place. Where anything went wrong the exit status becomes 1. */
export async function raceWebgpu(wanted: (name: string) => boolean): Promise<void> {
  let size: Size | undefined = quick ? 'quick' : undefined
  const namesIn = (place: string, of: Size) =>
    webgpuCases(of)
      .map(({ name }) => name)
      .filter((name) => wanted(name) && isCase(titleOf(name, place)))
  for (const [where, open] of [['Node', async () => inNode] as const, ['Chromium', openPages] as const]) {
    // the first one tells the size
    if (size !== undefined && namesIn(where, size).length === 0) continue
    const place = await open()
    if (!place) continue
    const ours = new Racer('ours', () => place.open('ours'))
    try {
      size ??= await sizeFor(await ours.open())
      const names = namesIn(where, size)
      const peers = names.length > 0 ? await openPeers(place) : []
      try {
        for (const name of names) await raceCase(where, ours, peers, size, name)
      } finally {
        for (const peer of peers) peer.end()
      }
    } finally {
      ours.end()
      place.close()
    }
  }
  if (faults.length === 0) return
  console.error(`\n${faults.length} wrong answers or failures:\n${faults.join('\n')}`)
  process.exitCode = 1
}

/** Chromium, where it runs; ours alone is raced in Node. */
async function openPages(): Promise<Place | undefined> {
  if (!peersWanted) return undefined
  const place = await openChromiumPlace([
    'ours',
    ...WEBGPU_PEERS.filter(isInstalled).map(({ module }) => module),
  ])
  if (!('reason' in place)) return place
  skipPeer('webgpu', 'Chromium', place.reason)
  return undefined
}

const isInstalled = ({ npm }: WebgpuPeer) => existsSync(peerFile(`node_modules/${npm}`))

/** Those that start there. */
async function openPeers(place: Place): Promise<Racer[]> {
  const racers: Racer[] = []
  for (const peer of peersWanted ? WEBGPU_PEERS : []) {
    const title = `${peer.name} in ${place.name}`
    if (!isInstalled(peer)) skipPeer(place.name, title, `not installed: ${INSTALL.node}`)
    else if (place === inNode && peer.notInNode) skipPeer(place.name, title, peer.notInNode)
    else {
      const racer = new Racer(peer.name, () => place.open(peer.module))
      try {
        recordPeer(title, (await racer.open()).description)
        racers.push(racer)
      } catch (error) {
        fault(place.name, title, (error as Error).message)
      }
    }
  }
  return racers
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

/** Races one case; whatever goes wrong becomes a fault. */
export async function raceCase(
  place: string,
  ours: Racer,
  peers: readonly Racer[],
  size: Size,
  name: string,
): Promise<void> {
  const title = titleOf(name, place)
  const kind = name.startsWith('step ') ? 'step' : 'op'
  let want: Prepared | undefined
  const contestants: Contestant[] = []
  const failed = (racer: Racer, error: unknown) => {
    fault(title, racer.name, (error as Error).message)
    racer.end()
  }
  for (const racer of [ours, ...peers]) {
    try {
      const lab = await racer.open()
      const found = await lab.prepare(size, name)
      if (found.missing !== undefined) {
        skipPeer(title, racer.name, found.missing)
        continue
      }
      const wrong = found.failed ?? (want && difference(found.results!, want.results!, TOLERANCE[kind]))
      if (wrong !== undefined) {
        fault(title, racer.name, wrong)
        continue
      }
      const count = await warm(lab)
      contestants.push({
        name: racer.name,
        precision: 'f32',
        ours: racer === ours,
        run: () => lab.turn(count),
      })
      want ??= found
    } catch (error) {
      failed(racer, error)
      // there is nothing to compare with
      if (racer === ours) return
    }
  }
  try {
    await race(title, { flops: want!.flops || undefined, bytes: want!.bytes || undefined }, contestants, {
      rounds: quick ? 1 : 5,
      warmup: 0,
      budget: BUDGET[kind],
      failed: (who, error) => failed(peers.find((peer) => peer.name === who)!, error),
    })
  } catch (error) {
    failed(ours, error)
  }
}

/** Runs that make a turn; they have run by then. */
async function warm(lab: OpenLab): Promise<number> {
  const count = Math.max(1, Math.min(MOST, Math.round(TURN / (await lab.turn(1)))))
  if (count > 1) await lab.turn(count)
  return count
}

/** How the results of a peer differ from ours, if they do. */
function difference(found: SampledResults, want: SampledResults, tolerance: number): string | undefined {
  for (const [name, { length }] of Object.entries(want))
    if (found[name]?.length !== length)
      return `wrong: ${name} has ${found[name]?.length} values (want ${length})`
  try {
    agree('wrong', values(found), values(want), tolerance)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function values(results: SampledResults): Results {
  const entries = Object.entries(results).map(([name, { values: all }]) => [name, Float32Array.from(all)])
  return Object.fromEntries(entries)
}
