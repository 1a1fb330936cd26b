/**
 * The results of benches for people: tables between two comments of docs/figures.md, a line for each bench in README.md, and
 * two plots beside the results, made of bench/results/*.json alone, so that the same files give the same bytes. `npm run bench -- report` writes them.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../src/error.js'
import { writeFileAtomic } from '../../src/files.js'
import { curvesSvg, raceName, racesSvg } from './plot.js'
import type { Race, Results } from './record.js'
import { speedText } from './speed.js'

export const BEGIN = '<!-- figures: written by `npm run bench -- report` -->'
export const END = '<!-- end of figures -->'

/** A file of bench/results: its name without .json. */
export interface NamedResults extends Results {
  readonly name: string
}

/** The results in a folder, in the order of their names. Files that hold neither races nor figures are left out. */
export function readResults(folder: string): NamedResults[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : []
  return files
    .sort()
    .map((file) => {
      const results = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Partial<Results>
      const { races = [], figures = [], command = '' } = results
      return { ...(results as Results), races, figures, command, name: file.replace(/\.json$/, '') }
    })
    .filter(({ races, figures }) => races.length + figures.length > 0)
}

/** The pages that have a section of figures. */
const PAGES = { 'README.md': summary, 'docs/figures.md': section } as const

/** What is written, by path from the root folder of the project; undefined where a file has no reason to be. */
export async function report(
  root: string,
  results: readonly NamedResults[],
): Promise<Map<string, string | undefined>> {
  const curves = results.filter((one) => one.curves !== undefined)
  const raced = results.flatMap(({ races }) => races).some(({ ratio }) => ratio !== undefined)
  return new Map([
    ...Object.entries(PAGES).map(([path, content]): [string, string] => [
      path,
      replaceSection(path, readFileSync(join(root, path), 'utf8'), content(results)),
    ]),
    ['bench/results/figures.svg', raced ? await racesSvg(results) : undefined],
    ['bench/results/precision.svg', curves.length > 0 ? await curvesSvg(curves[0]) : undefined],
  ])
}

/** Writes the report; resolves to the files that it wrote. */
export async function writeReport(root: string): Promise<string[]> {
  const files = await report(root, readResults(join(root, 'bench', 'results')))
  const written: string[] = []
  for (const [path, content] of files)
    if (content === undefined) rmSync(join(root, path), { force: true })
    else {
      writeFileAtomic(join(root, path), content)
      written.push(path)
    }
  return written
}

function replaceSection(path: string, page: string, content: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin === -1 || end < begin)
    throw new UserError(`${path}: found no section of figures, expected ${BEGIN} and after it ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n${content}${page.slice(end)}`
}

const NO_RESULTS = '\nNo results yet: `npm run bench -- --peers` and `npm run bench -- report`.\n\n'

/** The short text: for every bench how its races end, of all machines and precisions together. */
export function summary(results: readonly NamedResults[]): string {
  const benches = new Map<string, { ratios: number[]; precisions: Set<string>; machines: Set<string> }>()
  for (const { name, races, facts } of results)
    for (const { ratio, precision } of races) {
      if (ratio === undefined) continue
      // what follows the first point is a label
      const bench = name.split('.')[0]
      const sum = benches.get(bench) ?? { ratios: [], precisions: new Set(), machines: new Set() }
      benches.set(bench, sum)
      sum.ratios.push(ratio)
      sum.precisions.add(precision)
      sum.machines.add(`${facts.gpu ?? facts.adapter ?? facts.processor}, ${facts.isa}`)
    }
  if (benches.size === 0) return NO_RESULTS
  const lines = [...benches].map(([bench, { ratios, precisions, machines }]) => {
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2))
    const range = low === high ? low : `${low} to ${high}`
    return [bench, `**${range}**`, `${ratios.length}`, [...precisions].join(', '), `${machines.size}`]
  })
  const head = ['bench', 'time of the best peer over ours', 'races', 'precisions', 'processors']
  return `\n${markdownTable([head, ...lines])}\n`
}

/** The long text: for every machine what it is, and a table. */
export function section(results: readonly NamedResults[]): string {
  if (results.length === 0) return NO_RESULTS
  const machines = new Map<string, NamedResults[]>()
  for (const one of results) {
    const machine = machineText(one)
    machines.set(machine, [...(machines.get(machine) ?? []), one])
  }
  const parts = [...machines].map(([machine, files]) => `\n${machine}\n\n${table(files)}`)
  const plots = results.some(({ races }) => races.some(({ ratio }) => ratio !== undefined))
    ? '\n![ratio to the best peer of each race](../bench/results/figures.svg)\n'
    : ''
  const curves = results.some((one) => one.curves !== undefined)
    ? '\n![loss in f32 and in bf16](../bench/results/precision.svg)\n'
    : ''
  return `${parts.join('')}${plots}${curves}\n`
}

/** The GPU, WebGPU's adapter, or processor, threads and instruction set; one paragraph for all files of one machine. */
export function machineText({ facts }: Pick<Results, 'facts'>): string {
  const { processor, threads, isa, memory_gib, gpu, multiprocessors, driver, adapter } = facts
  if (gpu !== undefined)
    return `${gpu}, ${multiprocessors} multiprocessors, driver of CUDA ${driver}, ${processor}:`
  if (adapter !== undefined)
    return `WebGPU on ${adapter}, ${processor}, ${facts.cores} cores, ${memory_gib} GiB:`
  return `${processor}, ${threads} thread${threads === 1 ? '' : 's'}, ${isa}, ${memory_gib} GiB:`
}

function table(files: readonly NamedResults[]): string {
  const rows = files.flatMap((file) => {
    const command = `\`${file.command}\``
    const state = `${file.facts.commit}`
    const races = file.races.map((race) => [
      raceName(race, file.races),
      speedText(race, race.ours.seconds),
      race.peer ? `${race.peer.name}: ${speedText(race, race.peer.seconds)}` : '',
      ratioText(race),
      command,
      state,
    ])
    const figures = file.figures.map(({ what, value }) => [what, value, '', '', command, state])
    return [...races, ...figures]
  })
  const head = ['what', 'ours', 'best peer', 'ratio (range of rounds)', 'command', 'commit']
  return markdownTable([head, ...rows])
}

/** The first line is the head. */
export function markdownTable([head, ...rows]: readonly string[][]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`)
    .join('')
}

function escapeCell(text: string): string {
  return text.replace(/\|/g, '\\|')
}

export function ratioText({ ratio, low, high }: Race): string {
  if (ratio === undefined || low === undefined || high === undefined) return ''
  return `**${ratio.toFixed(2)}** (${low.toFixed(2)} to ${high.toFixed(2)})`
}
