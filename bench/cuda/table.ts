/**
 * The table of kernels that the repository keeps: a line for each kernel and target, so that a change shows as a line of a
 * diff. And what is wrong with a kernel that must be fast.
 */
import { type Occupancy, occupancyOf, TARGET_LIMITS } from '../../src/profile/gpu_model.js'
import { ruleOf } from './hot.js'
import type { Resources } from './resources.js'

export const TABLE = 'bench/results/cuda_kernels.txt'

const HEAD = [
  'kernel',
  'sm',
  'registers',
  'threads',
  'shared',
  'blocks',
  'occupancy',
  'limit',
  'spills',
  'stack',
  'tensor',
  'hot',
]

/** The whole file. `version`: of the compiler. */
export function tableText(kernels: readonly Resources[], version: string): string {
  const rows = kernels.filter(({ empty }) => !empty).map(cells)
  const width = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  const isLeft = (i: number) => [0, 7, 10, 11].includes(i)
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (isLeft(i) ? cell.padEnd(width[i]) : cell.padStart(width[i])))
      .join('  ')
      .trimEnd()
  return [
    `Kernels of kernels/cuda as nvcc ${version} makes them; written by \`npm run check:cuda -- --write\`.`,
    'Registers of a thread, threads of a block by its launch bounds, bytes of shared memory of the kernel’s struct, blocks that a',
    'multiprocessor of an A100 (80) or H100 (90a) holds and the share of its warps, what keeps a further block out, bytes of',
    'spills and of the stack, tensor-core instructions in the machine code (HGMMA: wgmma; HMMA: mma.sync).',
    '',
    line(HEAD),
    line(width.map((n) => '-'.repeat(n))),
    ...rows.map(line),
    '',
  ].join('\n')
}

/** The compiler's version in a table. */
export function tableVersion(text: string): string | undefined {
  return text.match(/as nvcc (\S+) makes/)?.[1]
}

function cells(k: Resources): string[] {
  const fit = occupancy(k)
  const { HGMMA, HMMA } = k.instructions
  return [
    `${k.stem}/${k.name}`,
    k.target,
    `${k.registers}`,
    k.threads === undefined ? '?' : `${k.threads}`,
    `${k.shared}`,
    fit === undefined ? '?' : `${fit.blocks}`,
    fit === undefined ? '?' : `${Math.round(100 * fit.share)}%`,
    fit === undefined ? '?' : fit.limit,
    `${k.spillStores + k.spillLoads}`,
    `${k.stack}`,
    HGMMA > 0 ? 'HGMMA' : HMMA > 0 ? 'HMMA' : '-',
    ruleOf(k.stem, k.name).hot ? 'hot' : '',
  ]
}

function occupancy({ threads, registers, shared, target }: Resources): Occupancy | undefined {
  return threads === undefined
    ? undefined
    : occupancyOf({ threads, registers, shared }, TARGET_LIMITS[target])
}

/** A line for everything that a hot kernel must not have. */
export function complaints(kernels: readonly Resources[]): string[] {
  return kernels.flatMap((k) => {
    if (!ruleOf(k.stem, k.name).hot || k.empty) return []
    const { LDL, STL } = k.instructions
    const found = [
      ...(k.spillStores + k.spillLoads > 0 ? [`spills ${k.spillStores} + ${k.spillLoads} bytes`] : []),
      ...(k.stack > 0 ? [`has a stack frame of ${k.stack} bytes`] : []),
      ...(LDL + STL > 0 ? [`goes to local memory (${LDL} LDL, ${STL} STL)`] : []),
      ...(k.threads === undefined ? ['has no launch bounds'] : []),
      ...(occupancy(k)?.blocks === 0 ? ['fits no multiprocessor'] : []),
      ...k.warnings,
    ]
    return found.map((what) => `${k.stem}/${k.name} (sm_${k.target}): ${what}`)
  })
}

/** A table without the lines of other ops, for where not all of them were compiled. */
export function linesOf(table: string, stems: ReadonlySet<string>): string {
  const isWanted = (line: string) => {
    const [, stem] = line.match(/^(\w+)\/\S/) ?? []
    return stem === undefined || stems.has(stem)
  }
  return table.split('\n').filter(isWanted).join('\n')
}

/** Lines that only one of two tables has, `-` the kept one's and `+` the new one's; empty where they are the same. */
export function tableDiff(kept: string, found: string): string {
  const [before, after] = [kept, found].map((text) => text.trimEnd().split('\n').map(squeeze))
  const lost = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`)
  const made = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`)
  return [...lost, ...made]
    .sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : a.slice(2) > b.slice(2) ? 1 : a < b ? 1 : -1))
    .join('\n')
}

/** Without the widths of columns, which change with the longest name. */
function squeeze(line: string): string {
  return line.replace(/^-[- ]*$/, '').replace(/ {2,}/g, '  ')
}
