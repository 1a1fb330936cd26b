/**
 * The table of kernels that the repository keeps: a line for each kernel and target, so that a change shows as a line of a
 * diff. And what is wrong with a kernel that must be fast.
 */
import { type Occupancy, occupancyOf, TARGET_LIMITS } from '../../src/profile/gpu_model.js'
import { TARGETS } from './compile.js'
import { ruleOf } from './hot.js'
import type { Resources } from './resources.js'

export const TABLE = 'bench/results/cuda_kernels.txt'

const OF_TARGET = ['registers', 'blocks', 'warps', 'limit', 'local', 'tensor'] as const
const HEAD = [
  'kernel',
  'hot',
  'threads',
  'shared',
  ...TARGETS.flatMap((target) =>
    OF_TARGET.map((what) => (what === 'registers' ? `${what} ${target}` : what)),
  ),
]

/** The whole file. `version`: of the compiler. */
export function tableText(kernels: readonly Resources[], version: string): string {
  const byName = new Map<string, Resources[]>()
  for (const kernel of kernels) {
    const name = `${kernel.stem}/${kernel.name}`
    byName.set(name, [...(byName.get(name) ?? []), kernel])
  }
  const rows = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, forms]) => cells(name, forms))
  const width = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (isNumber(HEAD[i]) ? cell.padStart(width[i]) : cell.padEnd(width[i])))
      .join('  ')
      .trimEnd()
  return [
    `Kernels of kernels/cuda as nvcc ${version} makes them; written by \`npm run check:cuda -- --write\`.`,
    'Threads of a block by its launch bounds, bytes of shared memory of the kernel’s struct. For sm_80 and sm_90a: registers of a',
    'thread, blocks that a multiprocessor of an A100 or H100 holds and the share of its warps, what keeps a further block out, bytes',
    'of spills and stack in local memory, tensor-core instructions in the machine code (HGMMA: wgmma; HMMA: mma.sync).',
    '',
    line(HEAD),
    line(width.map((n) => '-'.repeat(n))),
    ...rows.map(line),
    '',
  ].join('\n')
}

function isNumber(title: string): boolean {
  return /^(threads|shared|registers.*|blocks|warps)$/.test(title)
}

/** The compiler's version in a table. */
export function tableVersion(text: string): string | undefined {
  return text.match(/as nvcc (\S+) makes/)?.[1]
}

function cells(name: string, forms: readonly Resources[]): string[] {
  const [{ stem, threads, name: kernel }] = forms
  const shared = Math.max(...forms.map((form) => form.shared))
  return [
    name,
    ruleOf(stem, kernel).hot ? 'hot' : '-',
    threads === undefined ? '?' : `${threads}`,
    `${shared}`,
    ...TARGETS.flatMap((target) => ofTarget(forms.find((form) => form.target === target))),
  ]
}

function ofTarget(k: Resources | undefined): string[] {
  if (!k || k.empty) return OF_TARGET.map(() => '-')
  const fit = occupancy(k)
  const { HGMMA, HMMA } = k.instructions
  const spills = k.spillStores + k.spillLoads
  const local = [...(spills > 0 ? [`${spills} spilled`] : []), ...(k.stack > 0 ? [`${k.stack} stack`] : [])]
  return [
    `${k.registers}`,
    fit === undefined ? '?' : `${fit.blocks}`,
    fit === undefined ? '?' : `${Math.round(100 * fit.share)}%`,
    fit === undefined ? '?' : fit.limit,
    local.join(', ') || '-',
    HGMMA > 0 ? 'HGMMA' : HMMA > 0 ? 'HMMA' : '-',
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
