/** Choices of WGSL variants kept as small JSON files in a folder. What cannot be read or written is measured again. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, writeFileAtomic } from '../../files.js'
import type { ChoiceStore } from './choice.js'

export function fileStore(folder: string): ChoiceStore {
  const file = (key: string) => join(folder, `${key}.json`)
  return {
    async recall(key) {
      try {
        return JSON.parse(readFileSync(file(key), 'utf8'))
      } catch {
        return undefined
      }
    },
    async keep(key, value) {
      try {
        makeFolder(folder)
        writeFileAtomic(file(key), `${JSON.stringify(value, null, 2)}\n`)
      } catch {
        // a folder that nobody may write to costs the measurement each time
      }
    },
  }
}
