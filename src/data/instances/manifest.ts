/**
 * `instances.json`, the description of a folder of pretraining instances: how they were made, the counts, and
 * the names of the shards. It is written last; a folder without it is not a folder of instances.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError, UserError } from '../../error.js'
import { Philox } from '../random.js'
import { PAIRS, SINGLE_SENTENCE, STREAM } from './instances.js'
import { SOURCES } from './shard.js'

export const MANIFEST = 'instances.json'

const count = z.number().int().nonnegative()
const part = z.object({
  /** Documents, instances, pieces with special ones, masked pieces; where the labels of pairs come from. */
  documents: count,
  instances: count,
  tokens: count,
  predictions: count,
  sources: z.record(z.enum(SOURCES), count),
  skipped: count,
  files: z.array(z.object({ name: z.string(), instances: count })),
})

const manifest = z.object({
  format: z.literal('bioalbert-instances'),
  version: z.literal(1),
  masking: z.enum(['static', 'dynamic']),
  seed: count,
  maxLength: count,
  maxPredictions: count,
  maskProbability: z.number(),
  shortProbability: z.number(),
  pairs: z.enum(PAIRS).default('sop'),
  singleSentence: z.enum(SINGLE_SENTENCE),
  dupeFactor: count,
  tokenizer: z.object({
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    size: count,
    special: z.object({ pad: count, unk: count, cls: count, sep: count, mask: count }),
    /** One bit a piece, base64. */
    startsWord: z.string(),
  }),
  corpus: z.object({
    files: z.array(z.string()),
    bytes: count,
    documents: count,
    sentences: count,
    tokens: count,
  }),
  heldOut: z.object({ share: z.number(), document: z.number().nullable() }),
  train: part,
  heldout: part,
  /** Tokenised documents (masking dynamic). */
  documents: z.array(z.object({ name: z.string(), documents: count })),
})

export type Manifest = z.infer<typeof manifest>
export type ManifestPart = z.infer<typeof part>

/** Reads and checks DIR/instances.json. */
export function readManifest(dir: string): Manifest {
  const path = join(dir, MANIFEST)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw new UserError(`${path}: cannot be read; a folder of instances holds it (see: instances)`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError({ file: path, found: (error as Error).message, expected: 'JSON' })
  }
  const parsed = manifest.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new InputError({
      file: path,
      found: `${issue.path.join('.') || 'the whole'}: ${issue.message}`,
      expected: 'a description of instances, version 1',
    })
  }
  return parsed.data
}

/** SHA-256 of DIR/instances.json, which tells instances made anew from those that a run was started on. */
export function manifestDigest(dir: string): string {
  return createHash('sha256')
    .update(readFileSync(join(dir, MANIFEST)))
    .digest('hex')
}

/** Whether a document is held out: by its own draw from the seed, or named because no draw hit. */
export function heldOutRule(
  seed: number,
  rule: { share: number; document: number | null },
): (document: number) => boolean {
  const random = new Philox(seed)
  return (document) => {
    if (rule.share === 0) return false
    if (document === rule.document) return true
    random.restart(STREAM.heldOut, document)
    return random.uniform() < rule.share
  }
}

/** Draws which documents are held out: with a share above 0 at least one. */
export function drawHeldOut(
  seed: number,
  share: number,
  documents: number,
): { share: number; document: number | null } {
  if (share === 0) return { share, document: null }
  const random = new Philox(seed)
  let least = 2
  let document = 0
  for (let i = 0; i < documents; i++) {
    random.restart(STREAM.heldOut, i)
    const u = random.uniform()
    if (u < share) return { share, document: null }
    if (u < least) {
      least = u
      document = i
    }
  }
  return { share, document }
}

export function packBits(flags: Uint8Array): string {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8))
  flags.forEach((flag, i) => {
    bytes[i >> 3] |= flag << (i & 7)
  })
  return Buffer.from(bytes).toString('base64')
}

export function unpackBits(text: string, length: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  return Uint8Array.from({ length }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1)
}
