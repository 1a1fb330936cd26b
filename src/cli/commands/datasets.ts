/** `datasets`: the data sets of the papers, where to get them, and whether those in a folder are as released. */
import { Command } from 'commander'
import type { Counts, KnownSet } from '../../tasks/datasets/known.js'
import { checkDataSet, dataSets, findDataSets, type SetCheck } from '../../tasks/datasets.js'
import { taskNamed } from '../../tasks/index.js'
import { addShared, type SharedOptions } from '../options.js'
import { count, note, printResult, table } from '../output.js'

interface Options extends Pick<SharedOptions, 'json' | 'quiet'> {
  data?: string
  strict: boolean
}

export function datasetsCommand(): Command {
  const command = new Command('datasets')
    .description(
      "The papers' twenty data sets and those beside them: task, licence, source, counts. With --data every one that " +
        'lies below that folder is read and compared with what was released.',
    )
    .option('--data <dir>', 'folder that holds data sets, at any depth, under their usual names')
    .option('--strict', 'exit status 1 where a set differs or cannot be read', false)
  return addShared(command, 'quiet', 'json').action(datasets)
}

function datasets({ data, strict, json, quiet }: Options): void {
  const checks = data === undefined ? [] : check(data, quiet)
  const faults = checks.filter(({ state }) => state === 'differs' || state === 'unreadable')
  if (strict && faults.length > 0) process.exitCode = 1
  const sets = dataSets.map((set, i) => ({ ...described(set), ...(data && checked(checks[i])) }))
  const counts = data && { found: checks.filter(({ folder }) => folder).length, differ: faults.length }
  printResult(json, { ...(data && { data }), ...counts, sets }, () =>
    data === undefined ? listText() : checkText(data, checks),
  )
}

function check(data: string, quiet?: boolean): SetCheck[] {
  const folders = findDataSets(data)
  return dataSets.map((set) => {
    const found = folders.get(set.name) ?? []
    if (found.length > 0) note(`reading ${found[0]}`, quiet)
    return checkDataSet(set, found, taskNamed(set.task))
  })
}

function described(set: KnownSet): Record<string, unknown> {
  const { variantOf, heldOut, ...rest } = set
  return {
    ...rest,
    agreement: set.agreement ?? null,
    small: set.small ?? null,
    blurb: set.blurb ?? null,
    beside: set.beside ?? null,
    variant_of: variantOf ?? null,
    held_out: heldOut ?? false,
  }
}

function checked({ state, folder, also, items, release, differs, notes }: SetCheck): Record<string, unknown> {
  const read = { state, folder: folder ?? null, also, items: items ?? null, release: release ?? null }
  return { check: { ...read, differs, notes } }
}

function listText(): string {
  const rows = dataSets.map((set) => [
    set.name,
    set.task,
    countsText(set.releases[0]?.items ?? set.paper?.counts ?? {}),
    set.releases[0] ? set.unit : `${set.paper?.unit ?? set.unit} (paper)`,
    set.agreement === undefined ? set.licence : `wants ${set.agreement}`,
  ])
  const remarks = dataSets.flatMap((set) => [
    ...(set.beside === undefined ? [] : [`${set.name}: ${set.beside}`]),
    ...(set.small === undefined ? [] : [`${set.name} is small: ${set.small}`]),
  ])
  return [
    table(['data set', 'task', 'train / dev / test', 'of', 'licence'], rows),
    '',
    ...remarks,
    'sources, publications and notes: --json; whether your copies are as released: --data DIR',
  ].join('\n')
}

function checkText(data: string, checks: readonly SetCheck[]): string {
  const rows = checks.map(({ set, state, folder, items, release }) => [
    set.name,
    set.task,
    items === undefined ? '' : countsText(items),
    items === undefined ? '' : set.unit,
    release === undefined ? state : `${state} (${release})`,
    folder ?? (set.agreement === undefined ? set.source : `wants ${set.agreement}`),
  ])
  const lines = checks.flatMap(({ set, folder, also, differs, notes }) => [
    ...differs.map((what) => `${set.name}: ${what}`),
    ...notes.map((what) => `${set.name}: ${what}`),
    ...also.map((other) => `${set.name}: is in ${other} too; ${folder} was read`),
    ...(folder === undefined || set.small === undefined ? [] : [`${set.name} is small: ${set.small}`]),
  ])
  const found = checks.filter(({ folder }) => folder !== undefined).length
  const faults = checks.filter(({ differs }) => differs.length > 0).length
  return [
    table(['data set', 'task', 'train / dev / test', 'of', 'state', 'folder, or where to get it'], rows),
    '',
    ...lines,
    `${found} of ${checks.length} data sets are below ${data}; ${faults === 0 ? 'none differs' : `${faults} differ`}`,
  ].join('\n')
}

/** `5,424 / 923 / 940`, or the total where nothing else is known. */
function countsText({ train, dev, test, total }: Counts): string {
  if (train !== undefined && test !== undefined)
    return [train, dev, test].map((n) => (n === undefined ? '-' : count(n))).join(' / ')
  return total === undefined ? '' : `${count(total)} in all`
}
