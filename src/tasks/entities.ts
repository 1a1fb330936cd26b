/** Named entities with their files: the forms that data sets come in. What is learnt and answered is in entities/core.ts. */
import { existsSync, statSync } from 'node:fs'
import { UserError } from '../error.js'
import { blueFiles, isBlue, readBlue, readBlueFolder } from './entities/blue.js'
import { isAbstracts, isChemdner, readChemdner, readChemdnerFile } from './entities/chemdner.js'
import { entityLabels } from './entities/core.js'
import { checkTags, splitOf, tagsAre } from './entities/data_set.js'
import { readNerFolder } from './entities/folder.js'
import { readNer } from './entities/reader_node.js'
import type { Sentence, TaggedSentence } from './entities/sentence.js'
import { isShare, readShareFolder, readShareNotes } from './entities/share.js'
import type { Task } from './task.js'

export const entities: Task<Sentence, TaggedSentence> = {
  ...entityLabels,

  read(folder, { fold, form, seed }) {
    if (fold !== undefined) throw new UserError(`${folder}: has no folds, --fold is for data sets that have`)
    const told = tellForm(folder, form)
    if (told === 'share') return readShareFolder(folder, seed)
    if (told === 'blue') return readBlueFolder(folder)
    if (told === 'chemdner') return readChemdner(folder)
    const { train, devel, test, labels, scheme } = readNerFolder(folder)
    const [trained, dev, tested] = [train, devel, test].map(splitOf)
    const facts = { scheme }
    return { train: trained, dev, test: tested, labels, notes: [tagsAre(scheme)], facts }
  },

  readFile(path, { labels }) {
    const gold = isFolder(path) ? readShareNotes : isAbstracts(path) ? readChemdnerFile : undefined
    if (gold !== undefined) {
      if (!labels.includes('B'))
        throw new UserError(
          `${path}: has mentions of one type, the model has the labels ${labels.join(', ')}`,
        )
      return gold(path)
    }
    if (isBlue(path)) {
      const { file, ...split } = readBlue(path)
      checkTags(file, labels, 'a label of the model')
      return split
    }
    const file = readNer(path)
    checkTags(file, labels, 'a label of the model')
    const { scheme } = file
    return { ...splitOf(file), notes: [tagsAre(scheme)], facts: { scheme: scheme ?? null } }
  },
}

/** The form of a folder that was asked for as `words`, the usual one; another is taken as it is. */
function tellForm(folder: string, form: string): string {
  if (form !== 'words' || !isFolder(folder)) return form
  const table = blueFiles(folder).find(({ path }) => path !== undefined)?.path
  if (table !== undefined && isBlue(table)) return 'blue'
  if (table !== undefined) return form
  if (isChemdner(folder)) return 'chemdner'
  return isShare(folder) ? 'share' : form
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}
