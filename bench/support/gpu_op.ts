/**
 * Races of single ops on a GPU: ours, many of them in one run and so in one graph, in turn with PyTorch's, captured likewise in a
 * process that stays for all cases. Ours is first compared with a float64 oracle on sampled elements.
 */
import type { Device } from '../../src/device/device.js'
import type { Attrs, Op } from '../../src/ops/op.js'
import { isCase } from './case.js'
import type { Cost } from './cost.js'
import { isEmulated, isShort } from './device.js'
import { checkPart, dropoutScalars, type OpBench, type Part, prepareOp } from './op.js'
import { type Peer, startPeer } from './peer.js'
import { peerCommand, peersWanted, skipPeer } from './peers.js'
import type { Precision } from './precisions.js'
import { type Contestant, race } from './race.js'
import { recordPeer } from './record.js'

/** A case of op_cases.py, and which of its modes race (all). */
export interface PeerCase {
  readonly sizes: object
  readonly modes?: readonly string[]
}

/** PyTorch's ops of op_cases.py, in a process of their own. */
export class OpsPeer {
  private constructor(private readonly peer: Peer | undefined) {}

  /** Without --peers, or where PyTorch is not there, it has no contestants. */
  static async open(what: string): Promise<OpsPeer> {
    if (!peersWanted) return new OpsPeer(undefined)
    const options = { serve: true, precision: 'bf16', compile: !isEmulated && !isShort }
    const found = peerCommand({ name: 'PyTorch', precision: 'bf16', script: 'ops.py', options })
    const none = (reason: string) => {
      skipPeer(what, 'PyTorch', reason)
      return new OpsPeer(undefined)
    }
    if ('missing' in found) return none(found.missing)
    const peer = startPeer(found.command, found.argv, found.env)
    try {
      recordPeer('PyTorch', await peer.ready)
      return new OpsPeer(peer)
    } catch (error) {
      return none((error as Error).message)
    }
  }

  /** One for each way in which PyTorch does that op; `repeat` passes a turn. */
  async case(
    what: string,
    precision: Precision,
    { sizes, modes: wanted }: PeerCase,
    repeat: number,
  ): Promise<Contestant[]> {
    const { peer } = this
    if (!peer) return []
    const { modes, failed } = (await peer.ask(`case ${JSON.stringify({ ...sizes, repeat })}`)) as {
      modes: string[]
      failed: Record<string, string>
    }
    for (const [mode, why] of Object.entries(failed)) skipPeer(what, `PyTorch ${mode}`, why)
    return modes
      .filter((mode) => wanted === undefined || wanted.includes(mode))
      .map((mode) => ({
        name: `PyTorch ${mode}`,
        precision: mode === 'autocast' ? 'bf16' : precision,
        run: async () => (await peer.step(mode)).seconds,
      }))
  }

  async close(): Promise<void> {
    await this.peer?.close()
  }
}

export interface GpuCase<A extends Attrs> extends Pick<OpBench<A>, 'inputs' | 'attrs' | 'scalars'> {
  readonly op: Op<A>
  /** Left out where another case has compared the same kernels. */
  readonly expected?: OpBench<A>['expected']
  readonly sample?: OpBench<A>['sample']
  readonly precision: Precision
  /** What is raced: kernels by what their names begin with, and the peer's case and modes for each. */
  readonly races: readonly {
    readonly name: string
    readonly kernels: readonly string[]
    readonly peer?: PeerCase
    /** Of one pass, where it is not what the op declares. */
    readonly cost?: Cost
  }[]
}

/** Seconds that a turn should take, so that what surrounds a run does not count. */
const TURN = 0.02
const MOST = 64

/** How many passes a turn has: guessed from rates that are not far from a Hopper's. */
function passes({ flops = 0, bytes = 0, products }: Cost): number {
  if (isEmulated) return 2
  const seconds = Math.max(flops / (products ? 400e12 : 30e12), bytes / 2.5e12, 3e-6)
  return Math.max(1, Math.min(MOST, Math.round(TURN / seconds)))
}

/** Checks an op and races its parts. */
export async function raceOnGpu<A extends Attrs>(
  device: Device,
  peer: OpsPeer,
  one: GpuCase<A>,
): Promise<void> {
  const racing = one.races.filter(({ name }) => isCase(name))
  if (racing.length === 0) return
  const ready = await prepareOp(device, one.op, one)
  const scalars = { ...dropoutScalars, ...one.scalars }
  try {
    const run = async (part: 'forward' | 'backward') => {
      const { prepared } = ready.parts[part]
      if (prepared) await device.run(prepared, scalars)
    }
    await run('forward')
    await run('backward')
    if (one.expected) {
      const options = { expected: one.expected, sample: one.sample }
      for (const part of ['forward', 'backward'] as const)
        if (ready.parts[part].prepared) await checkPart(racing[0].name, one.op, options, ready, part)
    }
    for (const { name, kernels, peer: other, ...given } of racing) {
      const parts = kernels.map((prefix) => ready.kernels(prefix))
      const cost = given.cost ?? costOf(parts)
      const count = passes(cost)
      const prepared = parts.map((part) => part.repeated(count))
      const contestant: Contestant = {
        name: 'ours',
        precision: one.precision,
        ours: true,
        async run() {
          const start = performance.now()
          await Promise.all(prepared.map((each) => device.run(each, scalars)))
          return (performance.now() - start) / 1000 / count
        },
      }
      const peers = other ? await peer.case(name, one.precision, other, count) : []
      await race(name, cost, [contestant, ...peers], rounds())
    }
  } finally {
    ready.free()
  }
}

/** Rounds of races between runs of some tens of milliseconds. */
export function rounds(): { rounds?: number; warmup?: number } {
  if (isEmulated) return {}
  return isShort ? { rounds: 5, warmup: 1 } : { rounds: 11, warmup: 2 }
}

function costOf(parts: readonly Part[]): Cost {
  const total = (key: 'flops' | 'bytes') => parts.reduce((n, part) => n + part[key], 0)
  return { flops: total('flops') || undefined, products: parts[0].products, bytes: total('bytes') }
}
