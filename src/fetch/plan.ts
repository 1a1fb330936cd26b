/**
 * From a name to the files that it stands for: an entry of the catalogue, `hf:OWNER/REPO[@REVISION]`, or an https address
 * with its SHA-256. A repository's revision becomes a commit first, so that all files are of one state. Listings are kept:
 * one of a commit is final and is not asked for again, and any serves where the hub cannot be reached.
 */
import { UsageError, UserError } from '../error.js'
import type { Cache } from './cache.js'
import { type CataloguedFile, catalogued, type Named, similarNames } from './catalogue.js'
import type { Wanted } from './download.js'
import {
  type HubOptions,
  isCommit,
  isInside,
  type Listing,
  listRepository,
  modelFiles,
  type Repository,
  repositoryNamed,
  resolveUrl,
  storedListing,
} from './hub.js'
import { isLoopback } from './transport.js'

export interface PlannedFile extends Wanted {
  /** Below the folder, with slashes. */
  readonly path: string
}

export interface Plan {
  readonly name: string
  readonly kind: Named['kind'] | 'file'
  /** Name of the folder to make, or of the file where there is one only. */
  readonly folder: string
  readonly licence: string
  readonly source: string
  readonly commit?: string
  readonly files: readonly PlannedFile[]
  readonly note?: string
  /** The data set's name in src/tasks/datasets. */
  readonly set?: string
}

export interface PlanOptions extends HubOptions {
  readonly cache: Cache
  /** Nothing is asked for. */
  readonly offline: boolean
  /** Of the one address among the names. */
  readonly sha256?: string
  readonly warn?: (message: string) => void
}

/** Bytes of a file whose size nobody states. */
const MOST_UNKNOWN = 64 * 2 ** 30
const MOST_SET_FILE = 1 << 30

/** Throws a UserError where a name stands for nothing that can be fetched. */
export async function planFor(name: string, options: PlanOptions): Promise<Plan> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return addressPlan(name, options.sha256)
  if (name.startsWith('hf:')) {
    const repository = repositoryNamed(name.slice('hf:'.length))
    if (repository === undefined)
      throw new UsageError(`${name}: want hf:OWNER/REPO or hf:OWNER/REPO@REVISION`)
    return repositoryPlan(name, repository, options)
  }
  const entry = catalogued(name)
  if (entry === undefined) throw unknown(name)
  if (entry.refusal !== undefined) throw new UserError(`${entry.name} ${entry.refusal}`)
  if (entry.repository !== undefined)
    return repositoryPlan(entry.name, { name: entry.repository, revision: 'main' }, options)
  return cataloguePlan(entry, entry.files ?? [])
}

function unknown(name: string): UsageError {
  const near = similarNames(name)
  const hint = near.length > 0 ? `; known are ${near.join(', ')}` : ''
  const hub = /^[\w.-]+\/[\w.-]+(@.+)?$/.test(name) ? `; a repository of the hub is hf:${name}` : ''
  return new UsageError(`nothing is known by the name ${name}${hint}${hub}; \`fetch --list\` has all names`)
}

function cataloguePlan(entry: Named, files: readonly CataloguedFile[]): Plan {
  return {
    name: entry.name,
    kind: entry.kind,
    folder: entry.name,
    licence: entry.licence,
    source: entry.address ?? new URL(files[0].url).origin,
    note: entry.note,
    set: entry.kind === 'data set' ? entry.name : undefined,
    files: files.map(({ path, url, size, sha256 }) => ({
      path,
      url,
      size,
      name: `${entry.name}/${path}`,
      most: size ?? MOST_SET_FILE,
      checksum: sha256 === undefined ? undefined : { kind: 'sha256', hex: sha256 },
    })),
  }
}

/** `https://host/file` with --sha256, or `https://host/file#sha256=HEX`. */
function addressPlan(text: string, option: string | undefined): Plan {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new UsageError(`${text} is no address`)
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url)))
    throw new UsageError(`${text}: only https can be fetched`)
  const hex = (/^#sha256=(.*)$/i.exec(url.hash)?.[1] ?? option ?? '').toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new UsageError(
      `${text}: an address wants --sha256 with the 64 digits that its publisher states, so that what comes is what is meant`,
    )
  url.hash = ''
  const name = fileName(url)
  return {
    name: text,
    kind: 'file',
    folder: name,
    licence: 'not known',
    source: url.origin,
    files: [{ path: name, name, url: url.href, most: MOST_UNKNOWN, checksum: { kind: 'sha256', hex } }],
  }
}

function fileName({ pathname }: URL): string {
  let name = ''
  try {
    name = decodeURIComponent(pathname.split('/').at(-1) ?? '')
  } catch {}
  if (name.includes('/') || name.startsWith('.') || !isInside(name))
    throw new UsageError(`the address ends in no name that a file can have`)
  return name
}

async function repositoryPlan(name: string, repository: Repository, options: PlanOptions): Promise<Plan> {
  const listing = await listingOf(repository, options)
  const { endpoint } = options
  const { commit, licence } = listing
  const files = modelFiles(repository.name, listing).map(({ path, size, checksum }) => ({
    path,
    size,
    checksum,
    name: `${repository.name}/${path}`,
    url: resolveUrl(endpoint, repository.name, commit, path),
    most: size,
  }))
  const folder = name.startsWith('hf:') ? (repository.name.split('/').at(-1) ?? '') : name
  return { name, kind: 'model', folder, licence, source: `${endpoint}/${repository.name}`, commit, files }
}

async function listingOf(repository: Repository, options: PlanOptions): Promise<Listing> {
  const { cache, offline, warn } = options
  const key = `${repository.name}@${repository.revision}`
  const kept = storedListing(cache.recall(key))
  if (kept !== undefined && (offline || isCommit(repository.revision))) return kept
  if (offline)
    throw new UserError(
      `${repository.name}: not in the cache ${cache.dir}, and HF_HUB_OFFLINE forbids to ask for it`,
    )
  try {
    const listing = await listRepository(repository, options)
    cache.keep(key, listing)
    cache.keep(`${repository.name}@${listing.commit}`, listing)
    return listing
  } catch (error) {
    const isThere = kept !== undefined && (await holdsAll(repository, kept, options))
    if (options.signal?.aborted || !(error instanceof UserError) || kept === undefined || !isThere)
      throw error
    warn?.(`${error.message}; what was fetched before is used (commit ${kept.commit.slice(0, 12)})`)
    return kept
  }
}

async function holdsAll(repository: Repository, listing: Listing, options: PlanOptions): Promise<boolean> {
  for (const { path, size, checksum } of modelFiles(repository.name, listing)) {
    const wanted = { name: path, url: '', most: size, size, checksum }
    if ((await options.cache.lookUp(wanted)) === undefined) return false
  }
  return true
}
