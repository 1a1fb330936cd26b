/**
 * A data set for named entity recognition as it is released: a folder with train.tsv, devel.tsv (or dev.tsv) and
 * test.tsv. The labels are those of the training file; a type that only another file has could never be learned
 * and is refused, and so is a file whose tags a model does not know.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UserError } from '../error.js'
import { labelNames, type NerFile, readNer } from './ner_reader.js'

export interface NerDataSet {
  train: NerFile
  devel: NerFile
  test: NerFile
  /** O, B, I, or O and then B-TYPE, I-TYPE for each type of the training file. */
  labels: string[]
}

/** Reads and checks the three files. Throws InputError or UserError naming the file at fault. */
export function readNerFolder(folder: string): NerDataSet {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder}: found no folder, expected one with train.tsv, devel.tsv and test.tsv`)
  const devel = ['devel.tsv', 'dev.tsv'].map((name) => join(folder, name)).find((path) => existsSync(path))
  if (devel === undefined)
    throw new UserError(`${folder}: found neither devel.tsv nor dev.tsv, expected one of them`)
  const data = {
    train: readNer(join(folder, 'train.tsv')),
    devel: readNer(devel),
    test: readNer(join(folder, 'test.tsv')),
  }
  if (data.train.tagSet.every((tag) => tag === 'O'))
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
  return { ...data, labels }
}

/** Throws an InputError for the first tag of a file that is none of `labels`. */
export function checkTags(file: NerFile, labels: readonly string[], expected: string): void {
  const known = new Set(labels)
  if (file.tagSet.every((tag) => known.has(tag))) return
  for (const { tags, line } of file.sentences) {
    const at = tags.findIndex((tag) => !known.has(tag))
    if (at < 0) continue
    throw new InputError({
      file: file.path,
      line: line + at,
      found: `tag ${JSON.stringify(tags[at])}`,
      expected: `${expected} (${labels.join(', ')})`,
    })
  }
}
