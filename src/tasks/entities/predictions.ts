/**
 * Predictions beside the gold tags: `word<TAB>gold<TAB>predicted`, a blank line after a sentence (the form that conlleval
 * reads), both in IOB2.
 */
import type { NerSentence } from './sentence.js'

/** `predicted[i]` are the tags of `sentences[i]`; throws if a sentence has another number of them than words. */
export function predictionRows(sentences: NerSentence[], predicted: string[][]): string {
  if (predicted.length !== sentences.length) {
    throw new Error(`predictions for ${predicted.length} of ${sentences.length} sentences`)
  }
  const lines: string[] = []
  sentences.forEach(({ words, tags, line }, i) => {
    if (predicted[i].length !== words.length) {
      throw new Error(
        `sentence at line ${line}: ${predicted[i].length} predicted tags for ${words.length} words`,
      )
    }
    words.forEach((word, w) => {
      lines.push(`${word}\t${tags[w]}\t${predicted[i][w]}`)
    })
    lines.push('')
  })
  return `${lines.join('\n')}\n`
}
