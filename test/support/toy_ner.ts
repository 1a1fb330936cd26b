/**
 * Labelled sentences over the small vocabulary whose rule is learned in seconds: `fever` and `cough` are entities,
 * together with a `severe` before them; everything else is O.
 */
import { random } from './random.js'
import { smallTokenizerJson } from './vocabulary.js'

const plain = ['the', 'patient', 'patients', 'had', 'and', 'was', 'treated', 'with', 'zinc', 'q10']

export interface ToySentence {
  words: string[]
  tags: string[]
}

/** `count` sentences of 3 to 14 words; tags carry `type` where it is given. */
export function toySentences(seed: number, count: number, type = ''): ToySentence[] {
  const { integer, pick } = random(seed)
  const tag = (letter: string) => (type === '' ? letter : `${letter}-${type}`)
  return Array.from({ length: count }, () => {
    const words: string[] = []
    const tags: string[] = []
    for (let left = integer(2, 10); left > 0; left--) {
      const severe = integer(0, 8)
      if (severe < 2) {
        if (severe === 0) {
          words.push('severe')
          tags.push(tag('B'))
        }
        words.push(pick(['fever', 'cough']))
        tags.push(tag(severe === 0 ? 'I' : 'B'))
      }
      words.push(pick(plain))
      tags.push('O')
    }
    words.push('.')
    tags.push('O')
    return { words, tags }
  })
}

/** Two columns, a blank line after each sentence. */
export function tsv(sentences: ToySentence[]): string {
  return sentences
    .map(({ words, tags }) => `${words.map((w, i) => `${w}\t${tags[i]}\n`).join('')}\n`)
    .join('')
}

/** A data folder `d` and a vocabulary folder `v`. */
export function toyFiles(
  sizes: { train: number; devel: number; test: number },
  type = '',
): Record<string, string> {
  return {
    'v/tokenizer.json': smallTokenizerJson(),
    'd/train.tsv': tsv(toySentences(1, sizes.train, type)),
    'd/devel.tsv': tsv(toySentences(2, sizes.devel, type)),
    'd/test.tsv': tsv(toySentences(3, sizes.test, type)),
  }
}
