/**
 * The short table that closes bench/gpu.sh: of every race in a folder of results ours, the fastest of PyTorch's forms, the ratio,
 * the share of the peak, and what was aimed at. Usage: node table.js FOLDER.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { time } from '../support/bench.js'
import type { Race, Results } from '../support/record.js'

interface Goal {
  /** Of the name of a race. */
  readonly race: RegExp
  /** Least ratio of the best peer's time to ours. */
  readonly ratio?: number
  /** Least share of the data sheet's bf16 rate (MFU of a step). */
  readonly peak?: number
  /** Least 10^12 operations a second, on an H100. */
  readonly tflops?: number
  /** Least share of the speed of the copy in the same run. */
  readonly copy?: number
}

export const GOALS: readonly Goal[] = [
  { race: /^base_64x512$/, ratio: 1.3, peak: 0.4 },
  { race: /^base_/, ratio: 1.3 },
  { race: /^(qkv|ffn|ffn_output|attention_output)_\d+ /, ratio: 0.9 },
  { race: /^attention_64x512$/, ratio: 1.2, tflops: 215 },
  { race: /^attention_ner_/, ratio: 2 },
  { race: /^attention_/, ratio: 1.2 },
  { race: /^(layernorm|dropout|GELU|lamb|adamw)/, copy: 0.85 },
  { race: /^finetune_/, ratio: 5 },
]

export function goalOf(race: string): Goal | undefined {
  return GOALS.find((goal) => goal.race.test(race))
}

/** Lines of the table. `files`: the results by their names. */
export function gpuTable(files: ReadonlyMap<string, Results>): string[] {
  const all = [...files.values()]
  const copies = all.flatMap(({ races }) => races).filter(({ name }) => name === 'copy')
  const copy = Math.max(
    ...copies.map(({ bytes = 0, ours, peer }) => bytes / Math.min(ours.seconds, peer?.seconds ?? 1)),
  )
  const rows = all.flatMap(({ races, peaks, facts }) =>
    races.map((race) => {
      const cells = line(race, peaks, copy)
      return facts.gpu === 'block emulator' ? [...cells.slice(0, -1), ''] : cells
    }),
  )
  const head = ['what', 'ours', 'best of PyTorch', 'time', 'ratio', 'of peak', 'goal', '']
  const steps = all.flatMap(({ steps = [] }) =>
    steps.map(
      ({ name, seconds, span, javascript }) =>
        `${name}: the GPU waits ${percent(Math.max(0, 1 - span / seconds))} of a step (goal 2%), JavaScript ` +
        `${(1e3 * javascript).toFixed(3)} ms (goal of nano 1 ms)`,
    ),
  )
  return [...aligned([head, ...rows]), ...steps]
}

function line(race: Race, peaks: Results['peaks'], copy: number): string[] {
  const { name, ours, peer, ratio, flops, bytes, products } = race
  const rate = (flops ?? 0) / ours.seconds / 1e9
  const compute = products === 'bf16' ? (peaks as { bf16?: number }).bf16 : peaks.gflops
  const isStream = bytes !== undefined && goalOf(name)?.copy !== undefined
  const share = isStream ? (bytes as number) / ours.seconds / copy : compute ? rate / compute : undefined
  const goal = goalOf(name)
  const goals = [
    ...(goal?.ratio === undefined
      ? []
      : [{ text: `${goal.ratio} x`, met: ratio !== undefined && ratio >= goal.ratio }]),
    ...(goal?.peak === undefined ? [] : [{ text: percent(goal.peak), met: (share ?? 0) >= goal.peak }]),
    ...(goal?.tflops === undefined
      ? []
      : [{ text: `${goal.tflops} TFLOP/s`, met: rate >= 1e3 * goal.tflops }]),
    ...(goal?.copy === undefined
      ? []
      : [{ text: `${percent(goal.copy)} of a copy`, met: (share ?? 0) >= goal.copy }]),
  ]
  const known = goals.length > 0 && (ratio !== undefined || goal?.ratio === undefined)
  return [
    name,
    `${time(ours.seconds)}${flops ? `, ${(rate / 1e3).toFixed(1)} TFLOP/s` : ''}`,
    peer?.name.replace(/^PyTorch,? ?/, '') ?? '-',
    peer ? time(peer.seconds) : '',
    ratio?.toFixed(2) ?? '',
    share === undefined || !Number.isFinite(share) ? '' : `${percent(share)}${isStream ? ' of a copy' : ''}`,
    goals.map(({ text }) => text).join(', '),
    known ? (goals.every(({ met }) => met) ? 'met' : 'MISSED') : '',
  ]
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`
}

function aligned(rows: readonly string[][]): string[] {
  const width = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(width[i]))
      .join('  ')
      .trimEnd(),
  )
}

/** As the script runs them. */
const ORDER = [
  'pretraining',
  'products',
  'attention',
  'streams',
  'finetune',
  'inference',
  'webgpu',
  'dropout',
]
const place = (file: string) => ORDER.indexOf(file.split('.')[0])

/** The results in a folder, in the order of the script. */
export function readGpuResults(folder: string): Map<string, Results> {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : []
  return new Map(
    files
      .sort((a, b) => place(a) - place(b))
      .map((file) => [
        basename(file, '.json'),
        JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results,
      ]),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const text of gpuTable(readGpuResults(process.argv[2]))) console.log(text)
