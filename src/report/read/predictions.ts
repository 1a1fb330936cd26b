/**
 * Reads the predictions of a run's test set. Named entities: `word<TAB>gold<TAB>predicted`, a blank line after a sentence.
 * Other tasks: a table with a header, or JSON lines, in which one column is what was right, one what was answered, and the
 * rest are texts. Answers to questions: the JSON that SQuAD's and BioASQ's own measures read.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { InputError } from '../../error.js'
import { TAG_FORM } from '../../tasks/entities/tag_scheme.js'
import type { AnsweredItem, Predictions, TaggedSentence } from '../model.js'

const GOLD = ['gold', 'label', 'labels', 'score', 'answers', 'answer']
const PREDICTED = ['predicted', 'prediction', 'predictions']

/** The file of the test set's predictions in a run's folder. */
export function predictionsFile(dir: string): string | undefined {
  const found = readdirSync(dir).filter((file) => /^test_predictions\.(tsv|jsonl|json)$/.test(file))
  return found.length === 0 ? undefined : join(dir, found.sort()[0])
}

export function readPredictions(file: string): Predictions {
  const text = readText(file, 'predictions of a test set')
  const lines = text.replaceAll('\r\n', '\n').split('\n')
  if (file.endsWith('.json')) return { kind: 'items', items: readAnswers(file, text) }
  if (file.endsWith('.jsonl')) return { kind: 'items', items: readObjects(file, lines) }
  const header = lines[0].split('\t')
  const isTable =
    PREDICTED.some((name) => header.includes(name)) && GOLD.some((name) => header.includes(name))
  return isTable
    ? { kind: 'items', items: readTable(file, lines, header) }
    : { kind: 'tags', sentences: readTags(file, lines) }
}

function readTags(file: string, lines: readonly string[]): TaggedSentence[] {
  const sentences: TaggedSentence[] = []
  let open: { words: string[]; gold: string[]; predicted: string[] } | undefined
  lines.forEach((line, i) => {
    if (line === '') {
      open = undefined
      return
    }
    const cells = line.split('\t')
    const [word, gold, predicted] = cells
    if (cells.length !== 3 || !TAG_FORM.test(gold) || !TAG_FORM.test(predicted))
      throw new InputError({
        file,
        line: i + 1,
        found: quote(line),
        expected: 'a word, its tag and the predicted tag, tabs between them',
      })
    if (open === undefined) {
      open = { words: [], gold: [], predicted: [] }
      sentences.push(open)
    }
    open.words.push(word)
    open.gold.push(gold)
    open.predicted.push(predicted)
  })
  return sentences
}

function readTable(file: string, lines: readonly string[], header: readonly string[]): AnsweredItem[] {
  return lines.slice(1).flatMap((line, i) => {
    if (line === '') return []
    const cells = line.split('\t')
    if (cells.length !== header.length)
      throw new InputError({
        file,
        line: i + 2,
        found: `${cells.length} columns`,
        expected: `the ${header.length} of the header`,
      })
    return [itemOf(header.map((name, column) => [name, cells[column]]))]
  })
}

function readObjects(file: string, lines: readonly string[]): AnsweredItem[] {
  return lines.flatMap((line, i) => {
    if (line === '') return []
    const entries = parse(line)
    const names = entries?.map(([name]) => name) ?? []
    if (entries === undefined || !PREDICTED.some((name) => names.includes(name)))
      throw new InputError({
        file,
        line: i + 1,
        found: quote(line),
        expected: 'a JSON object with gold and predicted',
      })
    return [itemOf(entries.map(([name, value]) => [name, show(value)]))]
  })
}

function parse(line: string): [string, unknown][] | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return value !== null && typeof value === 'object' ? Object.entries(value) : undefined
  } catch {
    return undefined
  }
}

/** The first of the names that is there decides what is gold, and so for the answer. */
function itemOf(entries: readonly (readonly [name: string, value: string])[]): AnsweredItem {
  const find = (names: readonly string[]) =>
    names.flatMap((name) => entries.filter(([key]) => key === name)).at(0)
  const [gold, predicted] = [find(GOLD), find(PREDICTED)]
  const texts = entries
    .filter((entry) => entry !== gold && entry !== predicted && entry[1] !== '' && !isProbability(entry[0]))
    .map(([name, text]) => ({ name, text }))
  return { texts, gold: gold?.[1], predicted: predicted?.[1] ?? '' }
}

/** Columns such as `p(effect)`. */
function isProbability(name: string): boolean {
  return /^p\(.*\)$/.test(name)
}

/** Answers to questions: by the names of SQuAD (an answer for each id) or of BioASQ (a list of `questions`). */
function readAnswers(file: string, text: string): AnsweredItem[] {
  const entries = parse(text)
  if (entries === undefined)
    throw new InputError({ file, found: quote(text.slice(0, 80)), expected: 'a JSON object of answers' })
  const [list] = entries.filter(([key, value]) => key === 'questions' && Array.isArray(value))
  if (list === undefined) {
    const details = membersOf(membersOf(Object.fromEntries(entries)).get('n_best'))
    return entries.flatMap(([id, answer]) => {
      if (typeof answer !== 'string') return []
      const known = membersOf(details.get(id))
      const gold = known.get('gold')
      return [
        {
          texts: [{ name: 'question', text: show(known.get('question') ?? id) }],
          gold: gold === undefined ? undefined : show(gold),
          predicted: answer,
        },
      ]
    })
  }
  return (list[1] as unknown[]).map((question) => {
    const known = membersOf(question)
    const gold = GOLD.map((name) => known.get(name)).find((value) => value !== undefined)
    return {
      texts: [{ name: 'question', text: show(known.get('body') ?? known.get('id')) }],
      gold: gold === undefined ? undefined : show(gold),
      predicted: show(known.get('exact_answer')),
    }
  })
}

function membersOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(value !== null && typeof value === 'object' ? Object.entries(value) : [])
}

function show(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(show).join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
