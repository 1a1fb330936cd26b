/**
 * Everything that is reported of a named entity recogniser, side by side: exact entities by conlleval's reading
 * and by strict IOB2, and the word-level figures that published scores resemble. Called after every evaluation.
 */
import { type EntityScores, scoreEntities } from './entities.js'
import { scoreTokens, type TokenScores } from './tokens.js'

/** What the word-level scores are called wherever they are shown. */
export const paperStyle = 'paper style (inferred)'

export interface NerScores {
  sentences: number
  /** Words scored: all words of the file. */
  words: number
  /** The scores to compare by. */
  conlleval: EntityScores
  iob2: EntityScores
  token: TokenScores & { label: typeof paperStyle }
}

/**
 * Scores `predicted[i]`, the tags of sentence i, against `gold[i]`.
 * Throws unless every gold word has exactly one predicted tag.
 */
export function scoreNer(gold: string[][], predicted: string[][]): NerScores {
  if (predicted.length !== gold.length) {
    throw new Error(`scoreNer: ${predicted.length} predicted sentences, want ${gold.length}`)
  }
  gold.forEach((tags, i) => {
    if (predicted[i].length !== tags.length) {
      throw new Error(
        `scoreNer: sentence ${i} has ${predicted[i].length} predicted tags, want ${tags.length}`,
      )
    }
  })
  const token = scoreTokens(gold, predicted)
  return {
    sentences: gold.length,
    words: token.words,
    conlleval: scoreEntities(gold, predicted, 'conlleval'),
    iob2: scoreEntities(gold, predicted, 'iob2'),
    token: { label: paperStyle, ...token },
  }
}

/** The scores as lines for people, in percent. */
export function nerTable({ sentences, words, conlleval, iob2, token }: NerScores): string {
  const rows = [
    ['', 'precision', 'recall', 'F1', 'gold', 'predicted', 'correct'],
    entityRow('entities, exact (conlleval)', conlleval),
    entityRow('entities, exact (strict IOB2)', iob2),
  ]
  const types = Object.entries(conlleval.types)
  if (types.length > 1)
    for (const [type, counts] of types) rows.push(entityRow(`  ${type} (conlleval)`, counts))
  const first = Math.max(...rows.map((row) => row[0].length))
  const lines = rows.map(
    (row) =>
      row[0].padEnd(first) +
      row
        .slice(1)
        .map((cell) => cell.padStart(11))
        .join(''),
  )
  return [
    ...lines,
    `${token.label}: token accuracy ${percent(token.accuracy)}, macro F1 of B and I ${percent(token.macroF1)}, ` +
      `weighted F1 with O ${percent(token.weightedF1)}`,
    `scored ${words} words in ${sentences} sentences`,
  ].join('\n')
}

function entityRow(name: string, counts: EntityScores | EntityScores['types'][string]): string[] {
  const { precision, recall, f1, gold, predicted, correct } = counts
  return [name, percent(precision), percent(recall), percent(f1), `${gold}`, `${predicted}`, `${correct}`]
}

function percent(fraction: number): string {
  return (100 * fraction).toFixed(2)
}
