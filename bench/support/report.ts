/**
 * The results of benches for people: a table between two comments of README.md and two plots beside the results, made of
 * bench/results/*.json alone, so that the same files give the same bytes. `npm run bench -- report` writes them.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../src/error.js'
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

/** What is written, by path from the root folder of the project; undefined where a file has no reason to be. */
export function report(readme: string, results: readonly NamedResults[]): Map<string, string | undefined> {
  const curves = results.filter((one) => one.curves !== undefined)
  const raced = results.flatMap(({ races }) => races).some(({ ratio }) => ratio !== undefined)
  return new Map([
    ['README.md', replaceSection(readme, section(results))],
    ['bench/results/figures.svg', raced ? racesSvg(results) : undefined],
    ['bench/results/precision.svg', curves.length > 0 ? curvesSvg(curves[0]) : undefined],
  ])
}

/** Writes the report; resolves to the files that it wrote. */
export async function writeReport(root: string): Promise<string[]> {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const files = report(readme, readResults(join(root, 'bench', 'results')))
  const written: string[] = []
  for (const [path, content] of files)
    if (content === undefined) rmSync(join(root, path), { force: true })
    else {
      writeFileSync(join(root, path), content)
      written.push(path)
    }
  return written
}

function replaceSection(readme: string, content: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (begin === -1 || end < begin)
    throw new UserError(`README.md: found no section of figures, expected ${BEGIN} and after it ${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n${content}${readme.slice(end)}`
}

/** The text between the comments: for every machine what it is, and a table. */
export function section(results: readonly NamedResults[]): string {
  if (results.length === 0)
    return '\nNo results yet: `npm run bench -- --peers` and `npm run bench -- report`.\n\n'
  const machines = new Map<string, NamedResults[]>()
  for (const one of results) {
    const machine = machineText(one)
    machines.set(machine, [...(machines.get(machine) ?? []), one])
  }
  const parts = [...machines].map(([machine, files]) => `\n${machine}\n\n${table(files)}`)
  const plots = results.some(({ races }) => races.some(({ ratio }) => ratio !== undefined))
    ? '\n![ratio to the best peer of each race](bench/results/figures.svg)\n'
    : ''
  const curves = results.some((one) => one.curves !== undefined)
    ? '\n![loss in f32 and in bf16](bench/results/precision.svg)\n'
    : ''
  return `${parts.join('')}${plots}${curves}\n`
}

/** Processor, threads and instruction set; one paragraph for all files of one machine. */
export function machineText({ facts }: Results): string {
  const { processor, threads, isa, memory_gib } = facts
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
  const lines = [
    ['what', 'ours', 'best peer', 'ratio (range of rounds)', 'command', 'commit'],
    Array(6).fill('---'),
  ]
  return [...lines, ...rows].map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`).join('')
}

function escapeCell(text: string): string {
  return text.replace(/\|/g, '\\|')
}

export function ratioText({ ratio, low, high }: Race): string {
  if (ratio === undefined || low === undefined || high === undefined) return ''
  return `**${ratio.toFixed(2)}** (${low.toFixed(2)} to ${high.toFixed(2)})`
}
