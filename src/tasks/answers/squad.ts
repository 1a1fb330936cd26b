/**
 * SQuAD's form, 1.1 and 2.0, which COVID-QA has as it is and BioASQ as BioBERT released it:
 *
 *   { data: [{ title, paragraphs: [{ context, qas: [{ id, question, answers: [{ text, answer_start }], is_impossible }] }] }] }
 *
 * `answer_start` counts Unicode characters. An answer that does not stand where its offset points is not learnt from and not
 * moved; it is named in `misplaced`, and stays right when answers are scored.
 */
import { InputError } from '../../error.js'
import type { Json } from './json.js'
import type { Passage, Span } from './question.js'

/** One question about one text. */
export interface Asked {
  readonly id: string
  readonly question: string
  readonly passage: Passage
  /** Texts of the answers in the file, each once; none where it says that there is none, absent where it says nothing. */
  readonly gold?: readonly string[]
  /** Index of its article and of its text, in the file. */
  readonly article: number
  readonly paragraph: number
}

export interface SquadFile {
  readonly asked: Asked[]
  readonly articles: number
  /** Ids of questions with an answer that is not where it should be. */
  readonly misplaced: string[]
}

/** The questions of a file. Throws an InputError that names what is missing. */
export function readSquad(json: Json): SquadFile {
  const asked: Asked[] = []
  const misplaced: string[] = []
  const ids = new Set<string>()
  const articles = json.get('data').items()
  let paragraph = 0
  articles.forEach((entry, article) => {
    for (const part of entry.get('paragraphs').items()) {
      const context = part.get('context').text()
      const units = utf16Offsets(context)
      for (const qa of part.get('qas').items()) {
        const id = qa.get('id').id()
        if (ids.has(id)) throw qa.get('id').wrong('an id that no other question has')
        ids.add(id)
        const found = answersOf(qa, context, units)
        if (found.misplaced) misplaced.push(id)
        const passage = { context, answers: found.spans }
        asked.push({ id, question: qa.get('question').text(), passage, gold: found.gold, article, paragraph })
      }
      paragraph++
    }
  })
  if (asked.length === 0)
    throw new InputError({ file: json.file, found: 'no question', expected: 'qas with questions' })
  return { asked, articles: articles.length, misplaced }
}

interface Found {
  gold?: string[]
  spans: Span[]
  misplaced: boolean
}

function answersOf(qa: Json, context: string, units: (characters: number) => number): Found {
  const impossible = qa.has('is_impossible') && qa.get('is_impossible').value === true
  if (!qa.has('answers')) return { gold: impossible ? [] : undefined, spans: [], misplaced: false }
  // BioBERT's files have one answer in place of a list of one
  const answers = qa.get('answers').isList() ? qa.get('answers').items() : [qa.get('answers')]
  if (impossible && answers.length > 0)
    throw qa.get('answers').wrong('an empty list where is_impossible is true')
  if (!impossible && answers.length === 0 && qa.has('is_impossible'))
    throw qa.get('answers').wrong('an answer where is_impossible is false')
  const gold = new Set<string>()
  const spans: Span[] = []
  let misplaced = false
  for (const answer of answers) {
    const text = answer.get('text').text()
    if (text.trim() === '') throw answer.get('text').wrong('the text of an answer')
    gold.add(text)
    const start = units(answer.get('answer_start').count())
    if (context.startsWith(text, start)) spans.push({ text, start })
    else misplaced = true
  }
  return { gold: [...gold], spans, misplaced }
}

/** From offsets in characters to offsets in UTF-16 units, which differ after a character outside the basic plane. */
function utf16Offsets(text: string): (characters: number) => number {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (characters) => characters
  const offsets: number[] = []
  for (let i = 0; i < text.length; i += (text.codePointAt(i) as number) > 0xffff ? 2 : 1) offsets.push(i)
  return (characters) => offsets[characters] ?? text.length
}
