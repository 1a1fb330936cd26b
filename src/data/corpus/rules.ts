/**
 * From the paragraphs of a document to its lines in the corpus, by the rules of the papers: one sentence a line, blank lines inside a
 * document vanish, lines shorter than 20 characters are removed, no line is longer than 512 words (a longer sentence goes on in
 * the next line). Shorter lines are filled from the next ones when instances gather sentences; `fillWords` does it here already,
 * for those who want lines of full length.
 */
import { UsageError } from '../../error.js'
import { eachSentence } from './sentences.js'

export interface Rules {
  /** Shortest line in characters. */
  readonly minCharacters: number
  /** Longest line in words. */
  readonly maxWords: number
  /** Fill lines from the following sentences up to `maxWords`. */
  readonly fillWords: boolean
}

/** What came of documents. */
export interface LineCounts {
  documents: number
  sentences: number
  words: number
  characters: number
  /** Lines left out because they were too short. */
  short: number
  /** Sentences that were divided because they were too long. */
  long: number
}

export function noLines(): LineCounts {
  return { documents: 0, sentences: 0, words: 0, characters: 0, short: 0, long: 0 }
}

export function addLines(sum: LineCounts, more: LineCounts): void {
  for (const key of Object.keys(sum) as (keyof LineCounts)[]) sum[key] += more[key]
}

export function checkRules({ minCharacters, maxWords }: Rules): void {
  if (!Number.isInteger(minCharacters) || minCharacters < 0)
    throw new UsageError(`shortest line: found ${minCharacters}, want a whole number of characters`)
  if (!Number.isInteger(maxWords) || maxWords < 1)
    throw new UsageError(`longest line: found ${maxWords}, want 1 word or more`)
}

/** The lines of one document, each with its end; empty where none is long enough. `counts` is added to. */
export function documentText(paragraphs: readonly string[], rules: Rules, counts: LineCounts): string {
  const lines = new Lines(rules, counts)
  for (const paragraph of paragraphs) {
    for (const { start, end } of eachSentence(paragraph)) lines.sentence(paragraph.slice(start, end))
  }
  lines.end()
  const text = lines.text()
  if (text !== '') counts.documents++
  return text
}

/** Lines that are joined at once, so that millions of short ones take no more than their text. */
const BLOCK = 4096

class Lines {
  private readonly blocks: string[] = []
  private kept: string[] = []
  /** Words of the line at hand. */
  private words: string[] = []

  constructor(
    private readonly rules: Rules,
    private readonly counts: LineCounts,
  ) {}

  sentence(sentence: string): void {
    const { maxWords, fillWords } = this.rules
    if (!fillWords && !/[^\S ]| {2}/.test(sentence)) {
      const words = blanks(sentence, maxWords) + 1
      if (words <= maxWords) {
        this.add(sentence, words)
        return
      }
    }
    let count = 0
    // word by word: a sentence may be a document of 64 MiB
    for (const [word] of sentence.matchAll(/\S+/gu)) {
      this.words.push(word)
      if (this.words.length === maxWords) this.end()
      count++
    }
    if (count > maxWords) this.counts.long++
    if (!fillWords) this.end()
  }

  /** The line at hand is done, if there is one. */
  end(): void {
    if (this.words.length > 0) this.add(this.words.join(' '), this.words.length)
    this.words = []
  }

  text(): string {
    this.close()
    return this.blocks.join('')
  }

  private close(): void {
    if (this.kept.length === 0) return
    this.blocks.push(`${this.kept.join('\n')}\n`)
    this.kept = []
  }

  private add(line: string, words: number): void {
    if (line.length < this.rules.minCharacters) {
      this.counts.short++
      return
    }
    if (this.kept.push(line) === BLOCK) this.close()
    this.counts.sentences++
    this.counts.words += words
    this.counts.characters += line.length
  }
}

/** Blanks in a text, `most` where there are more. */
function blanks(text: string, most: number): number {
  let count = 0
  for (let at = text.indexOf(' '); at >= 0 && count < most; at = text.indexOf(' ', at + 1)) count++
  return count
}

/** What lines that were written amount to; `bytes` are documents as they stand in the corpus. */
export function countLines(
  bytes: Buffer,
): Pick<LineCounts, 'documents' | 'sentences' | 'words' | 'characters'> {
  const lines = bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
  return {
    documents: 1,
    sentences: lines.length,
    words: lines.reduce((sum, line) => sum + blanks(line, line.length) + 1, 0),
    characters: lines.reduce((sum, line) => sum + line.length, 0),
  }
}
