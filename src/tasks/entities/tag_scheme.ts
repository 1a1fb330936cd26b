/**
 * The schemes in which data sets tag the words of an entity, told apart by what their letters may stand beside:
 *
 *   IOB2   every entity begins with B                    IOB1   B only where an entity follows another at once
 *   IOE2   every entity ends with E                      IOE1   E only where an entity is followed by another at once
 *   IOBES  B first, I within, E last, S alone (BIOES)    BILOU  the same with L for E and U for S
 *   IO     I alone: adjacent words of one type are one entity
 *
 * A text of I and O alone reads alike in IO, IOB1 and IOE1. Called by the reader, which keeps everything as IOB2.
 */
import { InputError } from '../../error.js'
import type { NerSentence } from './sentence.js'

export const TAG_SCHEMES = ['IOB2', 'IOB1', 'IOBES', 'BILOU', 'IOE2', 'IOE1', 'IO'] as const
export type TagScheme = (typeof TAG_SCHEMES)[number]

/** A form that a tag of any scheme has; everything else fits none. */
export const TAG_FORM = /^(O|[BIESLU](-.+)?)$/u

/** Sentences of one file, their tags as they stand in it. */
export interface TaggedFile {
  readonly path: string
  readonly sentences: readonly NerSentence[]
}

const letters: Record<TagScheme, string> = {
  IOB2: 'BI',
  IOB1: 'BI',
  IOBES: 'BIES',
  BILOU: 'BILU',
  IOE2: 'IE',
  IOE1: 'IE',
  IO: 'I',
}

/**
 * The scheme that all files together are in; undefined where no word is tagged. Throws an InputError with file, line
 * and tag where no scheme fits: the first tag that speaks against the one that fits best.
 */
export function tellScheme(files: readonly TaggedFile[]): TagScheme | undefined {
  const seen = new Set<string>()
  let tagged = 0
  for (const { sentences } of files)
    for (const { tags } of sentences)
      for (const tag of tags)
        if (tag !== 'O') {
          seen.add(tag[0])
          tagged++
        }
  if (seen.size === 0) return undefined
  if (seen.size === 1 && seen.has('I')) return 'IO'
  let best: { scheme: TagScheme; misfits: number } | undefined
  for (const scheme of TAG_SCHEMES) {
    const misfits = countMisfits(files, scheme, best?.misfits)
    if (misfits === 0) return scheme
    if (best === undefined || misfits < best.misfits) best = { scheme, misfits }
  }
  const { scheme, misfits } = best as { scheme: TagScheme; misfits: number }
  return refuseFirst(files, scheme, `${misfits} of ${tagged} entity tags do not`)
}

/** The tags of a sentence in IOB2. They must fit one of the schemes; the entities are the same. */
export function toIob2(tags: readonly string[]): string[] {
  return tags.map((tag, i) => {
    if (tag === 'O') return tag
    const before = i === 0 ? 'O' : tags[i - 1]
    const begins = 'BSU'.includes(tag[0]) || 'ELSU'.includes(before[0]) || !alike(before, tag)
    return `${begins ? 'B' : 'I'}${tag.slice(1)}`
  })
}

function countMisfits(
  files: readonly TaggedFile[],
  scheme: TagScheme,
  most = Number.POSITIVE_INFINITY,
): number {
  let misfits = 0
  for (const { sentences } of files)
    for (const { tags } of sentences)
      for (let i = 0; i < tags.length && misfits <= most; i++)
        if (wanted(scheme, tags, i) !== undefined) misfits++
  return misfits
}

function refuseFirst(files: readonly TaggedFile[], scheme: TagScheme, share: string): never {
  for (const { path, sentences } of files)
    for (const { tags, line } of sentences)
      for (let i = 0; i < tags.length; i++) {
        const want = wanted(scheme, tags, i)
        if (want === undefined) continue
        const [before, after] = [tags[i - 1], tags[i + 1]].map((tag) => tag && JSON.stringify(tag))
        throw new InputError({
          file: path,
          line: line + i,
          found: `tag ${JSON.stringify(tags[i])} ${before ? `after ${before}` : 'first in its sentence'}, ${after ? `before ${after}` : 'last in its sentence'}`,
          expected: `${want} (no scheme fits all tags; ${scheme} fits best, ${share})`,
        })
      }
  throw new Error(`no misfit of ${scheme} found`)
}

/** What a scheme wants in place of the tag at `i`; undefined where it fits. */
function wanted(scheme: TagScheme, tags: readonly string[], i: number): string | undefined {
  const tag = tags[i]
  if (tag === 'O') return undefined
  const letter = tag[0]
  const type = tag.slice(1)
  if (!letters[scheme].includes(letter))
    return `O or one of ${[...letters[scheme]].map((other) => other + type).join(', ')}`
  const before = i === 0 ? 'O' : tags[i - 1]
  const after = i + 1 === tags.length ? 'O' : tags[i + 1]
  switch (scheme) {
    case 'IOB2':
      return letter === 'I' && !alike(before, tag) ? `B${type}` : undefined
    // Whether an entity of another type right before wants a B as well is told in two ways, and reads alike in both.
    case 'IOB1':
      return letter === 'B' && before === 'O' ? `I${type}` : undefined
    case 'IOE2':
      return letter === 'I' && !alike(after, tag) ? `E${type}` : undefined
    case 'IOE1':
      return letter === 'E' && after === 'O' ? `I${type}` : undefined
    case 'IO':
      return undefined
    default: {
      const [end, single] = scheme === 'IOBES' ? 'ES' : 'LU'
      if (letter === single) return undefined
      const opened = letter === 'B' || ('BI'.includes(before[0]) && alike(before, tag))
      const goesOn = letter === end || (['I', end].includes(after[0]) && alike(after, tag))
      if (opened && goesOn) return undefined
      if (letter === 'B' || (!opened && (letter === end || !goesOn))) return `${single}${type}`
      return `${opened ? end : 'B'}${type}`
    }
  }
}

/** Both are of one entity type; O is of none. */
function alike(a: string, b: string): boolean {
  return a !== 'O' && b !== 'O' && a.slice(1) === b.slice(1)
}
