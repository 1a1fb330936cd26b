/**
 * Entities against every annotated mention, also those that tags cannot say: discontinuous, nested, cut through a word. A predicted
 * run of words is right if a mention is exactly that run; stretches of a discontinuous mention are not, though they are tagged.
 *
 *   recall = correct / all annotated mentions        precision = correct / all predicted entities
 */
import { type Counts, countsOf } from '../metrics/counts.js'
import { type EntitySpan, entitySpans } from '../metrics/entities.js'
import type { Sentence, TaggedSentence } from './sentence.js'

export interface MentionCounts extends Counts {
  /** Mentions that are no run of whole words in one sentence, or share words with one that is tagged. */
  inexpressible: number
}

/** Undefined where the tags are all that is known of the gold mentions. */
export function scoreMentions(
  sentences: readonly Sentence[],
  answers: readonly Pick<TaggedSentence, 'tags'>[],
): MentionCounts | undefined {
  if (sentences.every(({ mentions }) => mentions === undefined)) return undefined
  let [correct, predicted, gold, inexpressible] = [0, 0, 0, 0]
  sentences.forEach((sentence, i) => {
    const tagged = new Set(entitySpans(sentence.tags ?? [], 'conlleval').map(key))
    const mentions = sentence.mentions ?? entitySpans(sentence.tags ?? [], 'conlleval')
    const wanted = new Set(mentions.flatMap((mention) => (mention === null ? [] : [key(mention)])))
    const found = entitySpans(answers[i].tags, 'conlleval')
    gold += mentions.length
    predicted += found.length
    correct += found.filter((span) => wanted.has(key(span))).length
    inexpressible += mentions.filter((mention) => mention === null || !tagged.has(key(mention))).length
  })
  return { ...countsOf(correct, predicted, gold), inexpressible }
}

function key({ start, end, type }: EntitySpan): string {
  return `${start} ${end} ${type}`
}
