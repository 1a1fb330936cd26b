/**
 * Models of a Hugging Face hub, or of a mirror of it (HF_ENDPOINT): @huggingface/hub asks for the commit and the listing
 * over our transport, which knows proxies, retries and whom the token is for. Its own download neither goes on where it
 * broke off nor checks what came, so files are fetched by download.ts, with the sizes and checksums of the listing.
 */
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub'
import * as z from 'zod'
import { UserError } from '../error.js'
import type { Checksum } from './checksum.js'
import { PassingError, Patience, type RetryPolicy, usualRetries } from './retry.js'
import { readAll, shown, statusError, type Transport } from './transport.js'

export const HUB = 'https://huggingface.co'

export interface Repository {
  /** `OWNER/REPO`. */
  readonly name: string
  readonly revision: string
}

export interface HubFile {
  readonly path: string
  readonly size: number
  readonly checksum: Checksum
}

/** What a repository holds at one commit. */
export interface Listing {
  readonly commit: string
  readonly licence: string
  readonly files: readonly HubFile[]
}

const MOST_FILES = 10_000
/** Pages of a listing, and the question for the commit. */
const MOST_REQUESTS = 200
/** Bytes of one answer of the hub's API. */
const MOST_ANSWER = 16 << 20
const MOST_WEIGHTS = 64 * 2 ** 30
const MOST_SMALL = 64 << 20
const MOST_SHARDS = 1000

const natural = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Entry = z.object({
  type: z.string(),
  path: z.string().max(4096),
  size: natural,
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string(), size: natural }).optional(),
})
const Stored = z.object({
  commit: z.string(),
  licence: z.string(),
  files: z.array(
    z.object({
      path: z.string(),
      size: natural,
      checksum: z.object({
        kind: z.enum(['sha256', 'git']),
        hex: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
      }),
    }),
  ),
})

/** `OWNER/REPO` or `OWNER/REPO@REVISION`; undefined where it is neither. */
export function repositoryNamed(text: string): Repository | undefined {
  const match = /^((?:[\w][\w.-]{0,95}\/)?[\w][\w.-]{0,95})(?:@([\w][\w./-]{0,200}))?$/.exec(text)
  if (match === null || /\.\.|\/\/|\.git$/.test(text)) return undefined
  return { name: match[1], revision: match[2] ?? 'main' }
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

export interface HubOptions {
  readonly endpoint: string
  readonly transport: Transport
  readonly retries?: RetryPolicy
  readonly signal?: AbortSignal
}

/** Asks the hub what a repository holds. */
export async function listRepository(repository: Repository, options: HubOptions): Promise<Listing> {
  const { name } = repository
  const common = { hubUrl: options.endpoint, fetch: hubFetch(name, options) }
  try {
    const additionalFields = ['sha', 'cardData', 'tags'] as const
    const info = await modelInfo({
      ...common,
      name,
      revision: repository.revision,
      additionalFields: [...additionalFields],
    })
    const { sha, cardData, tags } = info as { sha?: unknown; cardData?: unknown; tags?: unknown }
    if (typeof sha !== 'string' || !isCommit(sha))
      throw new UserError(`${name}: the hub names no commit of revision ${repository.revision}`)
    const files: HubFile[] = []
    let seen = 0
    for await (const entry of listFiles({ ...common, repo: { type: 'model', name }, revision: sha })) {
      if (++seen > MOST_FILES) throw new UserError(`${name}: the listing has more than ${MOST_FILES} files`)
      const file = fileOf(name, entry)
      if (file !== undefined) files.push(file)
    }
    return { commit: sha, licence: licenceOf(cardData, tags), files }
  } catch (error) {
    throw inWords(error, repository, options.endpoint)
  }
}

/** A listing that was kept; undefined where it is none. */
export function storedListing(value: unknown): Listing | undefined {
  const { success, data } = Stored.safeParse(value)
  return success ? data : undefined
}

/** The address of a file at a commit. */
export function resolveUrl(endpoint: string, name: string, commit: string, path: string): string {
  return `${endpoint}/${name}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}

const SMALL = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'spiece.model',
]
const WEIGHTS = ['model.safetensors', 'pytorch_model.bin'] as const

/** Configuration, vocabulary and weights: one file of them or all shards, safetensors before pickles. */
export function modelFiles(name: string, { files }: Listing): HubFile[] {
  const at = new Map(files.map((file) => [file.path, file]))
  const small = SMALL.flatMap((path) => at.get(path) ?? [])
  if (!at.has('config.json'))
    throw new UserError(`${name}: holds no config.json, so it is no model that can be read`)
  for (const weights of WEIGHTS) {
    const whole = at.get(weights)
    if (whole !== undefined) return bounded(name, [...small, whole])
    const index = at.get(`${weights}.index.json`)
    if (index !== undefined) return bounded(name, [...small, index, ...shards(name, weights, at)])
  }
  const others = files
    .map(({ path }) => path)
    .filter((path) => /\.(h5|msgpack|ot|onnx|ckpt|gguf|bin)$/.test(path))
  const found = others.length === 0 ? 'none' : others.slice(0, 5).join(', ')
  throw new UserError(`${name}: weights that can be read are ${WEIGHTS.join(' and ')}; found ${found}`)
}

/** `model-00001-of-00003.safetensors` and its like, all of them. */
function shards(name: string, weights: string, at: ReadonlyMap<string, HubFile>): HubFile[] {
  const [stem, ending] = weights.split('.')
  const pattern = new RegExp(`^${stem}-(\\d{5})-of-(\\d{5})\\.${ending}$`)
  const found = [...at.values()].flatMap((file) => {
    const match = pattern.exec(file.path)
    return match === null ? [] : [{ file, of: Number(match[2]) }]
  })
  const of = found[0]?.of ?? 0
  if (of === 0 || of > MOST_SHARDS || found.length !== of || found.some((one) => one.of !== of))
    throw new UserError(`${name}: ${weights}.index.json is there, and ${found.length} of ${of} shards`)
  return found.map(({ file }) => file).sort((a, b) => (a.path < b.path ? -1 : 1))
}

function bounded(name: string, files: HubFile[]): HubFile[] {
  for (const { path, size } of files) {
    const most = SMALL.includes(path) || path.endsWith('.index.json') ? MOST_SMALL : MOST_WEIGHTS
    if (size > most) throw new UserError(`${name}: ${path} has ${size} bytes, at most ${most} are taken`)
  }
  return files
}

function fileOf(name: string, value: unknown): HubFile | undefined {
  const { success, data, error } = Entry.safeParse(value)
  if (!success)
    throw new UserError(`${name}: the hub's listing is not one: ${error.issues[0]?.message ?? ''}`)
  if (!isInside(data.path))
    throw new UserError(
      `${name}: the listing names ${JSON.stringify(data.path.slice(0, 200))}, which lies outside of it`,
    )
  if (data.type !== 'file') return undefined
  const { lfs, oid, path, size } = data
  if (lfs !== undefined && /^[0-9a-f]{64}$/.test(lfs.oid))
    return { path, size: lfs.size, checksum: { kind: 'sha256', hex: lfs.oid } }
  if (lfs === undefined && oid !== undefined && /^[0-9a-f]{40}$/.test(oid))
    return { path, size, checksum: { kind: 'git', hex: oid } }
  throw new UserError(`${name}: the listing has no checksum of ${path}`)
}

/** Whether a path stays below the folder that it is taken to, on every system. */
export function isInside(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  if (path === '' || /[\\:\u0000-\u001f\u007f]/.test(path)) return false
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && part.length <= 255)
}

function licenceOf(card: unknown, tags: unknown): string {
  const stated = (card as { license?: unknown } | null | undefined)?.license
  const tag = (Array.isArray(tags) ? tags : []).find(
    (one) => typeof one === 'string' && one.startsWith('license:'),
  )
  const text =
    typeof stated === 'string' ? stated : typeof tag === 'string' ? tag.slice('license:'.length) : ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing that moves a cursor is printed
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').slice(0, 100) || 'not stated'
}

/** A `fetch` for @huggingface/hub: retries, a bound on every answer and on their number, and no header of its own choice. */
function hubFetch(name: string, { transport, retries, signal }: HubOptions): typeof fetch {
  let asked = 0
  return async (input) => {
    const url = String(input instanceof Request ? input.url : input)
    if (++asked > MOST_REQUESTS) throw new UserError(`${name}: the listing has no end`)
    const patience = new Patience(retries ?? usualRetries, name, signal)
    for (;;) {
      try {
        const answer = await transport.get(url, { accept: 'application/json' }, signal)
        const { status, headers } = answer
        const passing = status === 200 ? undefined : statusError(answer, name)
        if (passing instanceof PassingError) throw passing
        const body = status === 200 ? await readAll(answer, MOST_ANSWER) : ''
        const { 'content-encoding': _, 'content-length': __, ...rest } = headers
        // of a refusal the status says all
        return new Response(body, { status: Math.max(200, status), headers: status === 200 ? rest : {} })
      } catch (error) {
        await patience.failed(error)
      }
    }
  }
}

function inWords(error: unknown, { name, revision }: Repository, endpoint: string): unknown {
  if (error instanceof HubApiError) {
    const at = `${name} at ${shown(endpoint)}`
    if (error.statusCode === 404)
      return new UserError(`${at}: no such repository, or no revision ${revision} of it`)
    if (error.statusCode === 401 || error.statusCode === 403)
      return new UserError(
        `${at}: access denied (${error.statusCode}): there is no such repository, or its conditions have to be agreed ` +
          `to at ${endpoint}/${name} first; then put a token of yours into HF_TOKEN`,
      )
    return new UserError(`${at}: the hub answered ${error.statusCode}`)
  }
  const isOdd = error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError
  return isOdd
    ? new UserError(`${name}: ${shown(endpoint)} does not answer like a hub (${error.message})`)
    : error
}
