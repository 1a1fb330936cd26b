/**
 * What a result is, by task, as JSON Schema: the objects that `predict --json` prints. The tests hold them against answers of
 * every task.
 */
import type { TaskContext } from '../tasks/task.js'

export type Schema = { readonly [key: string]: unknown }

const text: Schema = { type: 'string' }
const share: Schema = { type: 'number', minimum: 0, maximum: 1 }
const offset: Schema = { type: 'integer', minimum: 0, description: 'counts Unicode characters' }

export function resultSchema(
  task: string,
  { labels, form }: Pick<TaskContext, 'labels' | 'form'>,
  entity: string,
): Schema {
  const label: Schema = { type: ['string', 'null'], enum: [...labels, null] }
  const choice = (fields: Record<string, Schema>) => object({ ...fields, label }, { probability: share })
  const pair = { sentence1: text, sentence2: text }
  switch (task) {
    case 'entities':
      return object({
        text,
        entities: array(
          object({
            start: offset,
            end: offset,
            type: { enum: entityTypes(labels, entity) },
            text,
            score: share,
          }),
        ),
      })
    case 'relations':
      return choice({ text })
    case 'inference':
      return choice(pair)
    case 'similarity':
      return object({ ...pair, score: { type: ['number', 'null'] } })
    case 'documents':
      return documentSchema(labels, form)
    case 'answers':
      return object({
        question: text,
        answer: { ...text, description: 'empty where the text has no answer' },
        probability: share,
        n_best: array(object({ text, probability: share }, { start: offset, end: offset })),
      })
    default:
      return { type: 'object' }
  }
}

function documentSchema(labels: readonly string[], form: string): Schema {
  const found = array({ enum: [...labels] })
  const probabilities = {
    ...array(share),
    minItems: labels.length,
    maxItems: labels.length,
    description: labels.join(', '),
  }
  const sentence = object({ text, labels: found, probabilities })
  return object(
    {
      text,
      labels: { anyOf: [found, { type: 'null' }] },
    },
    {
      probabilities: { ...probabilities },
      ...(form === 'sentence' && { sentences: array(sentence) }),
    },
  )
}

/** The types that answers can have: those of the labels, and the name of what has none. */
function entityTypes(labels: readonly string[], entity: string): string[] {
  const types = labels.filter((label) => label !== 'O').map((label) => label.slice(2) || entity)
  return [...new Set(types)]
}

export function array(items: Schema): Schema {
  return { type: 'array', items }
}

/** An object with these fields and no others. */
export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  }
}
