/**
 * Tagged notes of one part, counted: how many mentions tags cannot say and why, as facts for scripts and as lines for people that
 * name the first of each.
 */
import { InputError } from '../../error.js'
import { counted } from '../shared/parts.js'
import type { Split } from '../task.js'
import type { NerSentence } from './sentence.js'
import { FINDINGS, type Finding, type Note, type TaggedNote, tagNote } from './share_note.js'

const NAMED = 3
/** What is said of each finding, after its count. */
const SAYS: Record<Finding, string> = {
  discontinuous:
    'discontinuous, which IOB2 cannot say: each stretch is tagged as an entity of its own, the mention counts as gold that is missed',
  overlapping: 'sharing words with a longer or continuous one, which alone is tagged',
  across_sentences: 'across two sentences: each part is tagged, the mention counts as missed',
  word_cut: 'beginning or ending within a word: the whole word is tagged, the mention counts as missed',
  misfit: 'whose offsets do not fit the text: not tagged, counted as missed',
  adjacent: 'in stretches with no word between them, taken as one',
  duplicate: 'marked twice over the same words, counted once',
}

export function tagAll(notes: readonly Note[]): TaggedNote[] {
  return notes.map((note) => {
    const found = tagNote(note)
    if (found.sentences.length === 0 && found.mentions > 0)
      throw new InputError({ file: note.path, found: 'no word', expected: 'the text of its gold mentions' })
    return found
  })
}

export function splitOf(path: string, notes: readonly TaggedNote[]): Split<NerSentence> {
  return { path, items: notes.flatMap(({ sentences }) => sentences) }
}

/** Counts for scripts. */
export function summary(notes: readonly TaggedNote[]) {
  const sum = (value: (note: TaggedNote) => number) => notes.reduce((n, note) => n + value(note), 0)
  const count = (finding: Finding) =>
    sum(({ findings }) => findings.filter((one) => one.finding === finding).length)
  return {
    notes: notes.length,
    mentions: sum(({ mentions }) => mentions),
    inexpressible: sum(({ inexpressible }) => inexpressible),
    ...Object.fromEntries(FINDINGS.map((finding) => [finding, count(finding)])),
    discontinuous_notes: notes.filter(({ findings }) =>
      findings.some((one) => one.finding === 'discontinuous'),
    ).length,
  }
}

/** The same for people, the first of each by name. */
export function says(notes: readonly TaggedNote[], part: string, unit = 'notes'): string[] {
  const mentions = notes.reduce((n, note) => n + note.mentions, 0)
  const lines = FINDINGS.flatMap((finding) => {
    const hit = notes
      .map(({ findings }) => findings.filter((one) => one.finding === finding).map(({ where }) => where))
      .filter(({ length }) => length > 0)
    const all = hit.flat()
    if (all.length === 0) return []
    return [
      `${part}: ${counted(all.length)} mentions in ${counted(hit.length)} ${unit} ${SAYS[finding]} (${listed(all)})`,
    ]
  })
  return [`${part}: ${counted(mentions)} mentions in ${counted(notes.length)} ${unit}`, ...lines]
}

export function listed(names: readonly string[]): string {
  const rest = names.length - NAMED
  return names.slice(0, NAMED).join('; ') + (rest > 0 ? `; and ${counted(rest)} more` : '')
}
