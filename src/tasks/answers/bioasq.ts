/**
 * BioASQ's task B. Its own files say what is right:
 *
 *   { questions: [{ id, type: 'factoid' | 'yesno' | ..., body, exact_answer, snippets: [{ text }] }] }
 *
 * For factoid questions `exact_answer` is a list of answers, each a text or a list of synonyms; for yes and no it is the word.
 * BioBERT released the factoid questions once more in SQuAD's form, a question for every snippet, under ids such as
 * `<id of the question>_001`; here the snippets of a question come together again. Where there are only BioASQ's own files
 * the answers are looked for in the snippets.
 */
import type { Json } from './json.js'
import type { Passage, Question, Span } from './question.js'
import type { Asked } from './squad.js'

/** Of a question and one of its snippets. */
const SNIPPET_ID = /^(.+)_\d{3,}$/

/** Whether questions are BioASQ's, cut into one for each snippet. */
export function fromBioasq(asked: readonly Asked[]): boolean {
  return asked.every(({ id }) => SNIPPET_ID.test(id))
}

/** Questions with all their snippets, in the order in which they begin. `gold` has what BioASQ's own files say. */
export function groupSnippets(
  asked: readonly Asked[],
  gold: ReadonlyMap<string, readonly string[]>,
): Question[] {
  const groups = new Map<string, Asked[]>()
  for (const one of asked) {
    const id = SNIPPET_ID.exec(one.id)?.[1] ?? one.id
    const group = groups.get(id)
    if (group) group.push(one)
    else groups.set(id, [one])
  }
  return [...groups].map(([id, snippets]) => {
    const own = [...new Set(snippets.flatMap((snippet) => snippet.gold ?? []))]
    const right = gold.get(id) ?? (own.length > 0 ? own : undefined)
    const passages = snippets.map(({ passage }) => passage)
    return { kind: 'bioasq', id, question: snippets[0].question, passages, gold: right }
  })
}

export interface BioasqFile {
  readonly factoid: Question[]
  readonly yesno: Question[]
  /** Ids of factoid questions none of whose snippets has an answer. */
  readonly unfound: string[]
  /** Questions of other types, and questions without an answer or a snippet. */
  readonly left: number
}

/** One of BioASQ's own files. Throws an InputError that names what is missing. */
export function readBioasq(json: Json): BioasqFile {
  const file: BioasqFile & { left: number } = { factoid: [], yesno: [], unfound: [], left: 0 }
  for (const entry of json.get('questions').items()) {
    const type = entry.has('type') ? entry.get('type').text() : ''
    const snippets = entry.has('snippets')
      ? entry
          .get('snippets')
          .items()
          .map((s) => s.get('text').text())
      : []
    const known = entry.has('exact_answer') && snippets.length > 0
    if (!known || (type !== 'factoid' && type !== 'yesno')) file.left++
    else if (type === 'yesno') file.yesno.push(yesNo(entry, snippets))
    else file.factoid.push(factoid(entry, snippets))
  }
  const found = ({ passages }: Question) => passages.some(({ answers }) => answers.length > 0)
  file.unfound.push(...file.factoid.filter((question) => !found(question)).map(({ id }) => id))
  return file
}

function factoid(entry: Json, snippets: string[]): Question {
  const gold = synonyms(entry.get('exact_answer'))
  const passages = snippets.map((context): Passage => ({ context, answers: findAnswers(context, gold) }))
  return { kind: 'bioasq', ...head(entry), passages, gold }
}

function yesNo(entry: Json, snippets: string[]): Question {
  const exact = entry.get('exact_answer')
  const gold = yesOrNo(exact.isList() ? (exact.items()[0] ?? exact) : exact)
  return {
    kind: 'yesno',
    ...head(entry),
    passages: snippets.map((context) => ({ context, answers: [] })),
    gold: [gold],
  }
}

function head(entry: Json): { id: string; question: string } {
  return { id: entry.get('id').id(), question: entry.get('body').text() }
}

/** `yes` or `no`, however it is written. */
export function yesOrNo(value: Json): string {
  const word = /^(yes|no)\.?$/.exec(value.text().trim().toLowerCase())?.[1]
  if (word === undefined) throw value.wrong('yes or no')
  return word
}

/** All synonyms of all answers, each once. */
function synonyms(value: Json): string[] {
  const list = value.isList() ? value.items() : [value]
  const texts = list.flatMap((one) => (one.isList() ? one.items() : [one])).map((one) => one.text().trim())
  const some = [...new Set(texts)].filter((text) => text !== '')
  if (some.length === 0) throw value.wrong('an answer')
  return some
}

/** Where each of the texts first stands in a context as a word of its own, in any case; the longest text first. */
export function findAnswers(context: string, texts: readonly string[]): Span[] {
  const longest = [...texts].sort((a, b) => b.length - a.length)
  return longest.flatMap((text): Span[] => {
    const literal = text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replace(/\s+/g, '\\s+')
    const found = new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, 'iu').exec(context)
    return found ? [{ text: found[0], start: found.index }] : []
  })
}
