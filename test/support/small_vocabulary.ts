/** A unigram vocabulary folder and a made-up corpus for tests of instances: small, ours, the same everywhere. */
import { join } from 'node:path'
import { importVocabulary } from '../../src/data/tokenizer/vocabulary_import.js'
import { root } from './paths.js'
import { random } from './random.js'
import { temporaryFolder } from './temporary.js'

/** A new folder with the small golden model, imported. */
export function smallUnigram(): string {
  const dir = join(temporaryFolder(), 'vocabulary')
  importVocabulary(join(root, 'test', 'golden', 'tokenizer', 'small.model'), dir)
  return dir
}

const stems = ['cardi', 'nephr', 'hepat', 'neur', 'derm', 'gastr', 'oste', 'arthr', 'my', 'pneum']
const ends = ['itis', 'oma', 'osis', 'opathy', 'algia', 'ectomy', 'ology', 'ic', 'al']

/** Documents of sentences of made-up words; `sentences` and `words` bound their numbers, both ends included. */
export function madeUpDocuments(
  seed: number,
  documents: number,
  sentences: [number, number] = [1, 12],
  words: [number, number] = [2, 20],
): string[][] {
  const { integer, pick } = random(seed)
  return Array.from({ length: documents }, () =>
    Array.from({ length: integer(sentences[0], sentences[1] + 1) }, () =>
      Array.from({ length: integer(words[0], words[1] + 1) }, () => pick(stems) + pick(ends)).join(' '),
    ),
  )
}

/** The same as a corpus file. */
export function corpusText(documents: string[][]): string {
  return documents.map((lines) => `${lines.join('\n')}\n`).join('\n')
}
