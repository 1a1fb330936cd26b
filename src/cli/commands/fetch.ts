/** `fetch`: public models, data sets and vocabularies by name, and what to do with them next. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { hubFromEnvironment, proxiesFromEnvironment } from '../../environment.js'
import { UsageError, UserError } from '../../error.js'
import { Cache } from '../../fetch/cache.js'
import { catalogue, knownSize, type Named } from '../../fetch/catalogue.js'
import { type FetchedFile, fetchAll, isInPlace, place } from '../../fetch/fetch.js'
import { HUB } from '../../fetch/hub.js'
import { type Plan, type PlanOptions, planFor } from '../../fetch/plan.js'
import { shown, Transport } from '../../fetch/transport.js'
import { openModel } from '../../model/folder.js'
import { cacheFolder } from '../../paths.js'
import { checkDataSet, dataSet } from '../../tasks/datasets.js'
import { taskNamed } from '../../tasks/index.js'
import { addShared, type SharedOptions } from '../options.js'
import { bytes, note, printResult, table, warn } from '../output.js'
import { type Progress, progress } from '../progress.js'

interface Options extends Pick<SharedOptions, 'json' | 'quiet'> {
  list?: boolean
  out: string
  cache?: string
  sha256?: string
}

export function fetchCommand(): Command {
  const command = new Command('fetch')
    .description(
      'Downloads public models, data sets and vocabularies, checks them, and puts each into a folder of its name in OUT. ' +
        'A name is one of --list, hf:OWNER/REPO[@REVISION] of Hugging Face, or an https address with --sha256. What broke ' +
        'off goes on where it was. Reads HF_ENDPOINT (a mirror), HF_TOKEN, HF_HUB_OFFLINE, HTTP_PROXY, HTTPS_PROXY, NO_PROXY.',
    )
    .argument('[name...]', 'what to fetch')
    .option('--list', 'the names that are known, with size, licence and purpose')
    .option('--out <dir>', 'folder in which the folders are made', '.')
    .option(
      '--cache <dir>',
      "folder that keeps downloads (default: BIOALBERT_CACHE, or the user's cache folder)",
    )
    .option('--sha256 <digits>', 'of the file at an https address')
  return addShared(command, 'quiet', 'json').action(run)
}

async function run(names: string[], options: Options): Promise<void> {
  if (options.list) {
    if (names.length > 0) throw new UsageError('--list goes without names')
    return printResult(options.json, { entries: catalogue.map(listed) }, listText)
  }
  if (names.length === 0)
    throw new UsageError('names are missing: `bioalbert fetch --list` has all that are known')
  if (options.sha256 !== undefined && (names.length !== 1 || !/^https?:/i.test(names[0])))
    throw new UsageError(
      '--sha256 belongs to one https address; several can carry theirs: https://...#sha256=DIGITS',
    )
  const { offline, endpoint, token } = hubFromEnvironment()
  const hub = hubAddress(endpoint)
  const transport = new Transport({
    proxies: proxiesFromEnvironment(),
    token: token === undefined ? undefined : { value: token, origin: new URL(hub).origin },
  })
  try {
    const cache = new Cache(options.cache ?? cacheFolder())
    await fetchNames([...new Set(names)], options, { cache, offline, transport, endpoint: hub })
  } finally {
    await transport.close()
  }
}

/** The hub's address, or the mirror's, without a slash at its end. */
function hubAddress(endpoint: string | undefined): string {
  if (endpoint === undefined) return HUB
  let url: URL
  try {
    url = new URL(endpoint)
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError()
  } catch {
    throw new UsageError(`HF_ENDPOINT: found ${JSON.stringify(endpoint)}, expected an address such as ${HUB}`)
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

interface Done {
  readonly plan: Plan
  readonly folder: string
  readonly files: readonly FetchedFile[]
  readonly wasThere: boolean
}

async function fetchNames(names: string[], options: Options, asked: PlanOptions): Promise<void> {
  const { out, json, quiet, sha256 } = options
  const { cache } = asked
  const interrupt = onInterrupt(quiet)
  const plans: Plan[] = []
  const there = new Set<Plan>()
  try {
    // everything that can be refused is refused before anything is downloaded
    for (const name of names) plans.push(await planFor(name, { ...asked, sha256, warn }))
    refuseSameFolder(plans)
    for (const plan of plans) if (await isInPlace(plan, out)) there.add(plan)
    const missing = plans.filter((plan) => !there.has(plan))
    for (const plan of missing) note(announcement(plan), quiet)
    await download(missing, asked, interrupt, quiet)
  } finally {
    interrupt.end()
  }
  const done: Done[] = []
  for (const plan of plans) {
    const folder = join(out, plan.folder)
    const wasThere = there.has(plan)
    done.push({ plan, folder, wasThere, files: wasThere ? [] : await place(plan, out, cache) })
  }
  const results = done.map((one) => ({ ...one, next: nextSteps(one, out) }))
  printResult(json, { cache: cache.dir, fetched: results.map(described) }, () =>
    results.map(({ next, ...one }) => doneText(one, next)).join('\n'),
  )
}

async function download(
  plans: readonly Plan[],
  { cache, transport, offline }: PlanOptions,
  interrupt: Interrupt,
  quiet?: boolean,
): Promise<void> {
  const files = [
    ...new Map(plans.flatMap((plan) => plan.files).map((file) => [cache.file(file), file])).values(),
  ]
  const isSized = files.every(({ size }) => size !== undefined)
  const total = isSized ? files.reduce((sum, { size = 0 }) => sum + size, 0) : undefined
  let come = files.reduce((sum, file) => sum + cache.bytesThere(file), 0)
  const bar = progress({
    label: 'fetch',
    unit: 'MB',
    total: total === undefined ? undefined : megabytes(total),
    done: megabytes(come),
    quiet,
  })
  interrupt.bar = bar
  // what is there is reported once more when the turn of a file comes
  let reported = come
  try {
    await fetchAll(plans, cache, {
      transport,
      offline,
      onBytes(count) {
        const known = Math.min(reported, Math.max(0, count))
        reported -= known
        come += count - known
        bar.update(megabytes(come))
      },
    })
  } finally {
    bar.stop()
  }
}

function megabytes(count: number): number {
  return Math.round(count / 1e5) / 10
}

interface Interrupt {
  bar?: Progress
  end(): void
}

/** An interrupt ends at once: whatever came is in the cache, and the same command goes on from there. */
function onInterrupt(quiet?: boolean): Interrupt {
  const stop = (): void => {
    interrupt.bar?.stop()
    note('\ninterrupted: the same command goes on from here', quiet)
    process.exit(130)
  }
  const interrupt: Interrupt = {
    end() {
      process.off('SIGINT', stop)
    },
  }
  process.on('SIGINT', stop)
  return interrupt
}

function refuseSameFolder(plans: readonly Plan[]): void {
  const seen = new Map<string, Plan>()
  for (const plan of plans) {
    // file systems that know no case exist
    const key = plan.folder.toLowerCase()
    const other = seen.get(key)
    if (other)
      throw new UsageError(
        `${other.name} and ${plan.name} would both become ${plan.folder}: fetch them into two folders`,
      )
    seen.set(key, plan)
  }
}

function announcement({ name, licence, source, files, commit, note: remark }: Plan): string {
  const sizes = files.map(({ size }) => size)
  const total = sizes.every((size) => size !== undefined)
    ? bytes(sizes.reduce((sum: number, size) => sum + (size ?? 0), 0))
    : 'size not known'
  const state = commit === undefined ? '' : ` at ${commit.slice(0, 12)}`
  const line = `${name}: ${files.length} file${files.length === 1 ? '' : 's'}, ${total}, licence ${licence}, from ${shown(source)}${state}`
  return remark === undefined ? line : `${line}\n  ${remark}`
}

/** What a folder is good for, one command a line; what a data set was found to be goes before. */
function nextSteps({ plan, folder, wasThere }: Done, out: string): string[] {
  if (plan.kind === 'model') return modelSteps(folder)
  if (plan.kind === 'vocabulary') {
    const file = plan.files[0].path
    return [`npx bioalbert vocab import ${join(folder, file)} --out V`]
  }
  if (plan.set === undefined) return []
  const set = dataSet(plan.set)
  const check = checkDataSet(set, [folder], taskNamed(set.task))
  const isToBeRead = plan.note === undefined || check.state !== 'unreadable'
  if (check.differs.length > 0 && isToBeRead) {
    // where no checksum was known beforehand, this is what tells
    process.exitCode = 1
    warn(`${folder}: is not as released: ${check.differs.join('; ')}`)
  }
  if (check.state === 'unreadable') return plan.note === undefined || wasThere ? check.differs.slice() : []
  const state = check.release === undefined ? check.state : `${check.state} (${check.release})`
  return [
    `counts: ${state}`,
    ...check.differs,
    `npx bioalbert finetune ${set.task} --data ${folder}${set.folds === undefined ? '' : ' --fold 1'} --model M --out F`,
    `npx bioalbert benchmark --model NAME=M --data ${out} --out B`,
  ]
}

function modelSteps(folder: string): string[] {
  const importing = `npx bioalbert import ${folder} --out M`
  try {
    const { hasVocabulary } = openModel(folder)
    if (hasVocabulary) return [`npx bioalbert finetune TASK --data DATA --model ${folder} --out F`]
    const file = ['spiece.model', 'vocab.txt'].find((name) => existsSync(join(folder, name)))
    return file === undefined
      ? [importing]
      : [importing, `npx bioalbert vocab import ${join(folder, file)} --out V`]
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return [importing]
  }
}

function described({
  plan,
  folder,
  files,
  wasThere,
  next,
}: Done & { next: string[] }): Record<string, unknown> {
  const { name, kind, licence, source, commit } = plan
  return { name, kind, folder, licence, source, commit: commit ?? null, was_there: wasThere, files, next }
}

function doneText({ plan, folder, files, wasThere }: Done, next: readonly string[]): string {
  const size = files.reduce((sum, file) => sum + file.bytes, 0)
  const state = wasThere ? 'there already, and right' : `${bytes(size)}, licence ${plan.licence}`
  return [`${folder}: ${state}`, ...next.map((step) => `  ${step}`)].join('\n')
}

function listed(entry: Named): Record<string, unknown> {
  const { kind, name, aliases, licence, purpose, address, repository, refusal, note: remark } = entry
  const size = knownSize(entry) ?? null
  const from = repository === undefined ? (address ?? null) : `${HUB}/${repository}`
  return {
    kind,
    name,
    aliases,
    licence,
    purpose,
    size,
    source: from,
    refusal: refusal ?? null,
    note: remark ?? null,
  }
}

function listText(): string {
  const rows = (entries: readonly Named[]) =>
    entries.map((entry) => [entry.kind, entry.name, sizeText(entry), entry.licence, entry.purpose])
  const free = catalogue.filter(({ refusal }) => refusal === undefined)
  return [
    table(['kind', 'name', 'size', 'licence', 'what it is for'], rows(free)),
    '',
    'and of Hugging Face any hf:OWNER/REPO[@REVISION]; an https address with --sha256',
    '',
    'not to be had from here:',
    ...refusals(catalogue.filter(({ refusal }) => refusal !== undefined)),
  ].join('\n')
}

/** A line for each reason, with all names that it holds for. */
function refusals(entries: readonly Named[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, refusal = '', address } of entries) {
    const where = address === undefined || refusal.includes(address) ? '' : ` (${address})`
    const reason = `${refusal}${where}`
    names.set(reason, [...(names.get(reason) ?? []), name])
  }
  return [...names].map(([reason, all]) => `  ${all.join(', ')}: ${reason}`)
}

function sizeText(entry: Named): string {
  const size = knownSize(entry)
  if (size === undefined) return ''
  const about = entry.repository === undefined ? '' : 'about '
  return (
    about +
    (size < 1e6
      ? `${Math.max(1, Math.round(size / 1e3))} kB`
      : `${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB`)
  )
}
