/**
 * A data set for named entity recognition as it is released: a folder with train.tsv, devel.tsv (or dev.tsv) and
 * test.tsv, checked by data_set.ts.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../error.js'
import { checkFiles } from './data_set.js'
import type { NerFile } from './reader.js'
import { readNerFiles } from './reader_node.js'
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
  return { train, devel: dev, test, ...checkFiles(train, [dev, test]) }
}
