/**
 * Fetches what a plan names into the cache, four files at a time, and makes folders of it. A folder appears when all its
 * files are there and right; what was fetched stays in the cache when something else fails, so the next try is shorter.
 */
import { existsSync, lstatSync, readdirSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UsageError, UserError } from '../error.js'
import { copyWhole, folderAtomic, makeFolder } from '../files.js'
import type { Cache } from './cache.js'
import { agrees, type Digests, digests } from './checksum.js'
import type { DownloadOptions } from './download.js'
import type { Plan, PlannedFile } from './plan.js'

const AT_ONCE = 4

export interface FetchedFile {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** Whether the place of a plan holds it already; throws where it holds something else. */
export async function isInPlace(plan: Plan, out: string): Promise<boolean> {
  const place = join(out, plan.folder)
  if (!existsSync(place)) return false
  if (plan.kind === 'file') {
    if (!lstatSync(place).isDirectory() && (await isRight(plan.files[0], place))) return true
    throw new UsageError(
      `${place}: is there already and is another; remove it or name another folder with --out`,
    )
  }
  if (!lstatSync(place).isDirectory())
    throw new UsageError(`${place}: is a file, want a folder that does not exist yet`)
  const there = filesBelow(place)
  if (there.length === 0) return false
  const wanted = plan.files.map(({ path }) => path).sort()
  const isSame = there.length === wanted.length && there.every((path, i) => path === wanted[i])
  if (
    isSame &&
    (await Promise.all(plan.files.map((file) => isRight(file, join(place, file.path))))).every(Boolean)
  )
    return true
  throw new UsageError(
    `${place}: is there already and holds something else; remove it or name another with --out`,
  )
}

async function isRight({ size, checksum }: PlannedFile, path: string): Promise<boolean> {
  const found = await digests(path)
  // without a checksum the name alone says that it is the file
  return (size === undefined || size === found.size) && (checksum === undefined || agrees(found, checksum))
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}

/** Brings all files of the plans into the cache; the first failure stops the others. */
export async function fetchAll(
  plans: readonly Plan[],
  cache: Cache,
  options: DownloadOptions & { readonly offline: boolean },
): Promise<void> {
  // a file that several plans want is fetched once
  const wanted = new Map(plans.flatMap(({ files }) => files).map((file) => [cache.file(file), file]))
  if (options.offline) return refuseMissing([...wanted.values()], cache)
  refuseFullDisk([...wanted.values()], cache)
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  const queue = [...wanted.values()]
  let failure: unknown
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && failure === undefined; file = queue.shift()) {
      try {
        await cache.fetch(file, { ...options, signal })
      } catch (error) {
        // what fails because it was stopped is not why
        failure ??= error
        stop.abort()
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failure !== undefined) throw failure
}

async function refuseMissing(files: readonly PlannedFile[], cache: Cache): Promise<void> {
  for (const file of files) {
    if ((await cache.lookUp(file)) === undefined)
      throw new UserError(
        `${file.name}: not in the cache ${cache.dir}, and HF_HUB_OFFLINE forbids to ask for it`,
      )
  }
}

function refuseFullDisk(files: readonly PlannedFile[], cache: Cache): void {
  const missing = files.reduce((sum, file) => sum + Math.max(0, (file.size ?? 0) - cache.bytesThere(file)), 0)
  const { bavail, bsize } = statfsSync(cache.dir)
  if (missing > bavail * bsize)
    throw new UserError(
      `${cache.dir}: ${missing} bytes are still to come, and the disk has ${bavail * bsize} left`,
    )
}

/** Makes the folder of a plan, or its file, from the cache. */
export async function place(plan: Plan, out: string, cache: Cache): Promise<FetchedFile[]> {
  makeFolder(out)
  const to = join(out, plan.folder)
  if (plan.kind === 'file') return [await copy(plan.files[0], to, cache)]
  return folderAtomic(to, async (temporary) => {
    const done: FetchedFile[] = []
    for (const file of plan.files) done.push(await copy(file, join(temporary, file.path), cache))
    return done
  })
}

async function copy(file: PlannedFile, to: string, cache: Cache): Promise<FetchedFile> {
  const found: Digests | undefined = await cache.lookUp(file)
  if (found === undefined)
    throw new UserError(
      `${file.name}: is gone from the cache ${cache.dir}, or was changed there; fetch it again`,
    )
  makeFolder(dirname(to))
  copyWhole(cache.file(file), to)
  return { path: file.path, bytes: found.size, sha256: found.sha256 }
}
