/**
 * The command line of benches: `[--device NAME] [--peers] [--precision P,...] [--case PART] [--label NAME] [PART_OF_PATH ...]`, or
 * `report`.
 */
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/error.js'
import { PRECISIONS, type Precision } from './precisions.js'

export interface BenchArguments {
  /** `report`: no bench runs; README and plots are written from the results that are there. */
  readonly command: 'run' | 'report'
  /** Bench files whose path holds one of these; all if there is none. */
  readonly filters: readonly string[]
  /** Race against the peers that are installed. */
  readonly peers: boolean
  /** The precisions that race, ours and the peers'; all if not given. */
  readonly precisions?: readonly Precision[]
  /** Only the cases of a bench whose name holds this: shapes of pretraining steps and of ops. */
  readonly only?: string
  /** Goes into the names of the results files, so that those of several machines lie side by side. */
  readonly label?: string
  /** What runs the kernels (default: cpu); `isWanted` tells which benches run on it. */
  readonly device: string
  /** One built bench file, to be run in this process: what the runner calls itself with. */
  readonly file?: string
}

export const USAGE =
  'npm run bench -- [--device NAME] [--peers] [--precision P,...] [--case PART] [--label NAME] [PART_OF_PATH ...], or npm run bench -- report'

/** Throws a UsageError for an option that is not known and for what does not go together. */
export function benchArguments(argv: readonly string[]): BenchArguments {
  const { values, positionals } = parse(argv)
  const { peers = false, case: only, label, file, device = 'cpu' } = values
  const precisions = precisionList(values.precision)
  if (label !== undefined && !/^[\w-]+$/.test(label))
    throw new UsageError(`--label: found '${label}', expected letters, digits, _ and -`)
  if (!/^(cpu|webgpu|cuda|cuda:\d{1,4}|cuda-emulated)$/.test(device))
    throw new UsageError(
      `--device: found '${device}', expected cpu, webgpu, cuda, cuda:1, ... or cuda-emulated`,
    )
  if (positionals[0] !== 'report')
    return { command: 'run', filters: positionals, peers, precisions, only, label, device, file }
  if (positionals.length > 1 || Object.keys(values).length > 0)
    throw new UsageError(`report stands alone (${USAGE})`)
  return { command: 'report', filters: [], peers: false, device }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        peers: { type: 'boolean' },
        precision: { type: 'string' },
        case: { type: 'string' },
        label: { type: 'string' },
        device: { type: 'string' },
        file: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (${USAGE})`)
  }
}

function precisionList(text: string | undefined): Precision[] | undefined {
  return text?.split(',').map((name) => {
    const found = PRECISIONS.find((precision) => precision === name)
    if (found === undefined)
      throw new UsageError(`--precision: found '${name}', expected some of ${PRECISIONS.join(',')}`)
    return found
  })
}

/**
 * Whether a bench file (its path below `bench`) runs. Those of `gpu` have shapes that fill a GPU of NVIDIA, those of `webgpu`
 * choose theirs for the adapter. What lies elsewhere would keep an adapter in software busy for hours: on WebGPU it runs where its
 * folder is named (ops/gather).
 */
export function isWanted(file: string, filters: readonly string[], device: string): boolean {
  if (filters.length > 0 && !filters.some((part) => file.includes(part))) return false
  const [folder] = file.split('/')
  if (folder === 'gpu') return device.startsWith('cuda')
  if (device !== 'webgpu') return folder !== 'webgpu'
  return folder === 'webgpu' || filters.some((part) => part.includes('/') && file.includes(part))
}
