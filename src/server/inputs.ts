/**
 * What a request holds, by task: a text, a pair of sentences, or a question with its text; one of them or many. Each becomes a
 * line as `predict` reads lines, so that the task's own `parse` makes items of it. The same schemas check bodies and stand in
 * the OpenAPI description.
 */
import { z } from 'zod'
import { complain, kindOf, zodComplaint } from './refusal.js'

/** Most inputs of one request. */
export const MAX_INPUTS = 256

/** Lines of a request, and whether they came as a list. */
export interface RequestLines {
  readonly lines: readonly string[]
  readonly many: boolean
}

export interface InputForm {
  /** The field that holds a list of inputs. */
  readonly list: string
  /** The fields of one input. */
  readonly fields: readonly string[]
  /** A body with one input, and one with many. */
  readonly schemas: { readonly one: z.ZodType; readonly many: z.ZodType }
  /** For the page and the description. */
  readonly example: Readonly<Record<string, string>>
  /** Throws a Refusal for a body that is none of this form. */
  read(body: unknown): RequestLines
}

const texts = form(
  'texts',
  { text: z.string().describe('offsets in the answer count its Unicode characters') },
  { text: 'Mutations in BRCA1 cause familial breast cancer.' },
)
const sentence = z.string().describe('a tab is read as a space')
const pairs = form(
  'pairs',
  { sentence1: sentence, sentence2: sentence },
  { sentence1: 'The patient has diabetes.', sentence2: 'The patient has a disease.' },
)
const questions = form(
  'questions',
  {
    question: z.string().regex(/\S/, 'a question').describe('a tab is read as a space'),
    context: z
      .string()
      .regex(/\S/, 'a text')
      .describe('the text that holds the answer; a tab is read as a space'),
  },
  { question: 'Which gene is mutated?', context: 'Mutations in BRCA1 cause familial breast cancer.' },
)

/** By the task's name; a task that is not here reads texts. */
const forms: Readonly<Record<string, InputForm>> = {
  similarity: pairs,
  inference: pairs,
  answers: questions,
}

export function inputForm(task: string): InputForm {
  return forms[task] ?? texts
}

/** One input is an object of these fields; many are under `list`, bare strings where there is one field alone. */
function form(
  list: string,
  shape: Readonly<Record<string, z.ZodString>>,
  example: Readonly<Record<string, string>>,
): InputForm {
  const fields = Object.keys(shape)
  const one = z.strictObject(shape)
  const entry = fields.length === 1 ? shape[fields[0]] : one
  const many = z.strictObject({ [list]: z.array(entry).min(1).max(MAX_INPUTS) })
  const expected = `${fields.join(' and ')}, or ${list}`
  const lineOf = (input: unknown): string =>
    typeof input === 'string'
      ? input
      : joined(fields.map((field) => (input as Record<string, string>)[field]))
  return {
    list,
    fields,
    schemas: { one, many },
    example,
    read(body) {
      if (body === null || typeof body !== 'object' || Array.isArray(body))
        throw complain({
          found: body === undefined ? 'no body' : kindOf(body),
          expected: `an object with ${expected}`,
        })
      const isMany = Object.hasOwn(body, list)
      if (!isMany && !fields.some((field) => Object.hasOwn(body, field)))
        throw complain({ found: fieldsOf(body), expected })
      if (isMany && fields.some((field) => Object.hasOwn(body, field)))
        throw complain({ found: fieldsOf(body), expected: `either ${expected}` })
      const checked = (isMany ? many : one).safeParse(body)
      if (!checked.success) throw complain(zodComplaint(checked.error, body))
      const inputs = isMany ? (checked.data as Record<string, unknown[]>)[list] : [checked.data]
      return { lines: inputs.map(lineOf), many: isMany }
    },
  }
}

/** Fields as `predict` has them on a line; a tab would divide them anew, and a space keeps every offset. */
function joined(values: readonly string[]): string {
  return values.length === 1 ? values[0] : values.map((value) => value.replaceAll('\t', ' ')).join('\t')
}

function fieldsOf(body: object): string {
  const names = Object.keys(body)
  if (names.length === 0) return 'no fields'
  const shown = names.slice(0, 4).map((name) => JSON.stringify(name.slice(0, 40)))
  return `${shown.join(', ')}${names.length > 4 ? ', ...' : ''}`
}
