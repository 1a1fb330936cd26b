/**
 * Word-level scores of tag sequences, which say little about entities (most words are O) and are given only
 * because published figures look like them: accuracy over all tags, the mean F1 of the tags other than O, and
 * the mean F1 of all tags weighted by how often each is gold. All are fractions in [0, 1].
 */

export interface TagCounts {
  gold: number
  predicted: number
  correct: number
  f1: number
}

export interface TokenScores {
  words: number
  accuracy: number
  /** Mean F1 over the tags other than O that occur in gold or prediction (B and I); 0 if there are none. */
  macroF1: number
  /** Mean F1 over all tags, O among them, weighted by gold counts. */
  weightedF1: number
  tags: Record<string, TagCounts>
}

/** Scores `predicted[i]` against `gold[i]`, the tags of sentence i. */
export function scoreTokens(gold: string[][], predicted: string[][]): TokenScores {
  const counts = new Map<string, { gold: number; predicted: number; correct: number }>()
  const of = (tag: string) => {
    const known = counts.get(tag) ?? { gold: 0, predicted: 0, correct: 0 }
    counts.set(tag, known)
    return known
  }
  let words = 0
  let right = 0
  gold.forEach((tags, i) => {
    tags.forEach((tag, w) => {
      const other = predicted[i][w]
      words++
      of(tag).gold++
      of(other).predicted++
      if (tag !== other) return
      right++
      of(tag).correct++
    })
  })
  const tags: Record<string, TagCounts> = {}
  let entityTags = 0
  let sum = 0
  let weighted = 0
  for (const tag of [...counts.keys()].sort()) {
    const row = of(tag)
    const f1 = (2 * row.correct) / (row.gold + row.predicted)
    tags[tag] = { ...row, f1 }
    weighted += f1 * row.gold
    if (tag === 'O') continue
    entityTags++
    sum += f1
  }
  return {
    words,
    accuracy: words === 0 ? 0 : right / words,
    macroF1: entityTags === 0 ? 0 : sum / entityTags,
    weightedF1: words === 0 ? 0 : weighted / words,
    tags,
  }
}
