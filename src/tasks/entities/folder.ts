/**
 * A data set for named entity recognition as it is released: a folder with train.tsv, devel.tsv (or dev.tsv) and
 * test.tsv. The labels are those of the training file; a type that only another file has could never be learned
 * and is refused, and so is a file whose tags a model does not know.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UserError } from '../../error.js'
import { labelNames, type NerFile, readNerFiles } from './reader.js'
import type { TagScheme } from './tag_scheme.js'

export interface NerDataSet {
  train: NerFile
  devel: NerFile
  test: NerFile
  /** O, B, I, or O and then B-TYPE, I-TYPE for each type of the training file. */
  labels: string[]
  /** What the tags of all three files are in; they have been converted to IOB2. */
  scheme: TagScheme
}

/** Reads and checks the three files. Throws InputError or UserError naming the file at fault. */
export function readNerFolder(folder: string): NerDataSet {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder}: found no folder, expected one with train.tsv, devel.tsv and test.tsv`)
  const devel = ['devel.tsv', 'dev.tsv'].map((name) => join(folder, name)).find((path) => existsSync(path))
  if (devel === undefined)
    throw new UserError(`${folder}: found neither devel.tsv nor dev.tsv, expected one of them`)
  const [train, dev, test] = readNerFiles([join(folder, 'train.tsv'), devel, join(folder, 'test.tsv')])
  const data = { train, devel: dev, test }
  const { scheme } = train
  if (scheme === undefined)
    throw new InputError({
      file: data.train.path,
      found: 'O tags only',
      expected: 'words tagged as entities',
    })
  // Files with plain tags and files with typed ones are told apart before single tags are.
  labelNames([data.train, data.devel, data.test])
  const labels = labelNames([data.train])
  checkTags(data.devel, labels, `a type that ${data.train.path} has`)
  checkTags(data.test, labels, `a type that ${data.train.path} has`)
  return { ...data, labels, scheme }
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
