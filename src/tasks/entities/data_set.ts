/**
 * Files of labelled sentences as one data set. The labels are those of the training file; a type that only another file
 * has could never be learned and is refused, and so is a file whose tags a model does not know. Needs nothing of Node.
 */
import { InputError } from '../../error.js'
import type { DataSet, Split } from '../task.js'
import { labelNames, type NerFile, type NerText, parseNerFiles } from './reader.js'
import type { NerSentence, Sentence } from './sentence.js'
import type { TagScheme } from './tag_scheme.js'

/** Of sentences of which there is no dev part, every so many go there. */
const HELD_OUT = 10

/** Labels and scheme of files that belong together. Throws InputError or UserError naming the file at fault. */
export function checkFiles(
  train: NerFile,
  others: readonly NerFile[],
): { labels: string[]; scheme: TagScheme } {
  const { scheme } = train
  if (scheme === undefined)
    throw new InputError({ file: train.path, found: 'O tags only', expected: 'words tagged as entities' })
  // Files with plain tags and files with typed ones are told apart before single tags are.
  labelNames([train, ...others])
  const labels = labelNames([train])
  for (const other of others) checkTags(other, labels, `a type that ${train.path} has`)
  return { labels, scheme }
}

/** Throws an InputError for the first tag of a file that is none of `labels`. */
export function checkTags(file: NerFile, labels: readonly string[], expected: string): void {
  const known = new Set(labels)
  if (file.tagSet.every((tag) => known.has(tag))) return
  for (const [i, { tags, line }] of file.sentences.entries()) {
    const at = tags.findIndex((tag) => !known.has(tag))
    if (at < 0) continue
    throw new InputError({
      file: file.path,
      line: line + at,
      found: `tag ${JSON.stringify(file.tagsAsRead[i][at])}`,
      expected: `${expected} (${labels.join(', ')})`,
    })
  }
}

export function splitOf({ path, sentences }: NerFile): Split<NerSentence> {
  return { path, items: sentences }
}

/** `tags are in IOBES, read and written as IOB2`. */
export function tagsAre(scheme: TagScheme | undefined): string {
  if (scheme === undefined) return 'tags are O alone'
  return `tags are in ${scheme === 'IOB2' ? scheme : `${scheme}, read and written as IOB2`}`
}

/**
 * A data set from the texts of a training and a dev file; without dev every tenth sentence of train is held out. There is no
 * test part. Throws InputError or UserError naming the file at fault.
 */
export function entityTexts(train: NerText, dev?: NerText): DataSet<Sentence> {
  const files = parseNerFiles(dev === undefined ? [train] : [train, dev])
  const { labels, scheme } = checkFiles(files[0], files.slice(1))
  const whole = splitOf(files[0])
  const isHeldOut = (_: unknown, i: number) => i % HELD_OUT === HELD_OUT - 1
  const parts =
    dev === undefined
      ? {
          train: { ...whole, items: whole.items.filter((one, i) => !isHeldOut(one, i)) },
          dev: { ...whole, items: whole.items.filter(isHeldOut) },
        }
      : { train: whole, dev: splitOf(files[1]) }
  if (parts.dev.items.length === 0)
    throw new InputError({
      file: train.path,
      found: `${whole.items.length} sentences`,
      expected: `${HELD_OUT} or more, of which every tenth is held out, or a dev file`,
    })
  const notes = [tagsAre(scheme)]
  return { ...parts, test: { path: 'no test part', items: [] }, labels, notes, facts: { scheme } }
}
