/**
 * One file of questions in whatever form it is, and the questions of several files that belong together. Forms: `squad`, one
 * text a question; `bioasq`, factoid questions with their snippets; `yesno`, BioASQ's, or a pair of sentences and its label a line
 * ({ id, sentence1, sentence2, label }: the question, its snippets, yes or no), as BLURB's data are passed on.
 */
import { InputError, UserError } from '../../error.js'
import { type BioasqFile, fromBioasq, groupSnippets, readBioasq, yesOrNo } from './bioasq.js'
import { type Json, readJson } from './json.js'
import type { Kind, Question } from './question.js'
import { readSquad, type SquadFile } from './squad.js'

export const FORMS = ['auto', 'squad', 'bioasq', 'yesno'] as const
export type Form = (typeof FORMS)[number]

const EXPECTED = 'JSON of SQuAD (data), of BioASQ (questions), or lines of sentence1, sentence2 and label'
/** Fewer articles than this do not divide well; their texts do. */
const FEW_ARTICLES = 10

/** A file as it is; one of the three is there. */
export interface Source {
  readonly file: string
  readonly squad?: SquadFile
  readonly bioasq?: BioasqFile
  readonly pairs?: Question[]
}

/** Questions of files that belong together, and what is to be said of them. */
export interface Part {
  readonly questions: Question[]
  readonly articles: number
  /** Ids of questions whose answer is not where its offset points; of those whose answer is in none of their snippets. */
  readonly misplaced: string[]
  readonly unfound: string[]
  /** Ids of questions that BioASQ's own file has and the files of snippets have not. */
  readonly missing: string[]
  /** Questions of other types or without an answer, left out. */
  readonly left: number
}

/** Reads one file. Throws an InputError where it is of no form. */
export function readSource(file: string): Source {
  const json = readJson(file, EXPECTED)
  if (Array.isArray(json)) return { file, pairs: json.map((line, i) => pair(line, i)) }
  if (json.has('data')) return { file, squad: readSquad(json) }
  if (json.has('questions')) return { file, bioasq: readBioasq(json) }
  if (json.has('sentence1')) return { file, pairs: [pair(json, 0)] }
  throw new InputError({ file, found: 'neither data nor questions', expected: EXPECTED })
}

function pair(line: Json, index: number): Question {
  const context = line.get('sentence2').text()
  return {
    kind: 'yesno',
    id: line.has('id') ? line.get('id').id() : String(index + 1),
    question: line.get('sentence1').text(),
    passages: [{ context, answers: [] }],
    gold: [yesOrNo(line.get('label'))],
  }
}

/** The kind of questions that files hold, where a form does not say it. */
export function kindOf(form: string, sources: readonly Source[]): Kind {
  if (form === 'squad' || form === 'bioasq' || form === 'yesno') return form
  if (sources.some(({ pairs }) => pairs)) return 'yesno'
  const asked = sources.flatMap(({ squad }) => squad?.asked ?? [])
  if (asked.length > 0) return fromBioasq(asked) ? 'bioasq' : 'squad'
  return sources.some(({ bioasq }) => bioasq && bioasq.factoid.length > 0) ? 'bioasq' : 'yesno'
}

/** The questions of one kind. Throws a UserError where there are none, or an id twice, and for a question without an answer. */
export function partOf(kind: Kind, sources: readonly Source[]): Part {
  const own = sources.flatMap(({ bioasq }) => bioasq ?? [])
  const squads = sources.flatMap(({ squad }) => squad ?? [])
  const questions =
    kind === 'squad'
      ? spanQuestions(sources)
      : kind === 'bioasq'
        ? factoids(squads, own)
        : [...sources.flatMap(({ pairs }) => pairs ?? []), ...own.flatMap(({ yesno }) => yesno)]
  const names = sources.map(({ file }) => file).join(', ')
  if (questions.length === 0)
    throw new UserError(`${names}: found no question of the form ${kind}, expected some`)
  checkQuestions(questions, names)
  const ids = new Set(questions.map(({ id }) => id))
  return {
    questions,
    articles: squads.reduce((n, { articles }) => n + articles, 0),
    misplaced: kind === 'yesno' ? [] : squads.flatMap(({ misplaced }) => misplaced),
    unfound: kind === 'bioasq' && squads.length === 0 ? own.flatMap(({ unfound }) => unfound) : [],
    missing:
      kind === 'bioasq'
        ? own.flatMap(({ factoid }) => factoid.map(({ id }) => id)).filter((id) => !ids.has(id))
        : [],
    left: own.reduce((n, file) => n + file.left + (kind === 'yesno' ? file.factoid : file.yesno).length, 0),
  }
}

function spanQuestions(sources: readonly Source[]): Question[] {
  const squads = sources.flatMap(({ squad }) => squad ?? [])
  const byArticle = squads.reduce((n, { articles }) => n + articles, 0) >= FEW_ARTICLES
  let before = 0
  return squads.flatMap(({ asked }) => {
    const first = before
    before += 1 + Math.max(...asked.map(({ article, paragraph }) => (byArticle ? article : paragraph)))
    return asked.map(({ id, question, passage, gold, article, paragraph }): Question => {
      const group = first + (byArticle ? article : paragraph)
      return { kind: 'squad', id, question, passages: [passage], gold, group }
    })
  })
}

/** From the files of snippets where there are some, with what BioASQ's own say of them; else from BioASQ's own alone. */
function factoids(squads: readonly SquadFile[], own: readonly BioasqFile[]): Question[] {
  const known = own.flatMap(({ factoid }) => factoid)
  if (squads.length === 0) return known
  const gold = new Map(known.map((question) => [question.id, question.gold ?? []]))
  return groupSnippets(
    squads.flatMap(({ asked }) => asked),
    gold,
  )
}

function checkQuestions(questions: readonly Question[], names: string): void {
  const ids = new Set<string>()
  for (const { id, gold, kind } of questions) {
    if (ids.has(id)) throw new UserError(`${names}: found two questions ${id}, expected one`)
    ids.add(id)
    if (gold !== undefined) continue
    const hint = kind === 'bioasq' ? ", in the file or in BioASQ's own (questions) beside it" : ''
    throw new UserError(`${names}: found question ${id} without an answer, expected answers${hint}`)
  }
}
