/**
 * The OpenAPI 3.1 description of a server: what it takes and answers for the task of its model. Bodies are described by the
 * schemas that check them.
 */
import { z } from 'zod'
import type { TaskContext } from '../tasks/task.js'
import { type InputForm, MAX_INPUTS } from './inputs.js'
import { array, object, resultSchema, type Schema } from './results.js'

export interface Described {
  readonly task: string
  readonly summary: string
  readonly context: Pick<TaskContext, 'labels' | 'form' | 'maxLength'>
  readonly entity: string
  readonly form: InputForm
  readonly version: string
  readonly bodyLimit: number
}

const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: Schema, example?: unknown) => ({
  'application/json': { schema, ...(example !== undefined && { example }) },
})

export function openapi(described: Described): Schema {
  const { task, summary, context, entity, form, version, bodyLimit } = described
  const [one, many] = [form.schemas.one, form.schemas.many].map(jsonSchema)
  const problem = (description: string, more: object = {}) => ({
    description,
    ...more,
    content: json(reference('Error')),
  })
  const later = {
    headers: { 'Retry-After': { description: 'seconds', schema: { type: 'integer', minimum: 1 } } },
  }
  return {
    openapi: '3.1.0',
    info: {
      title: `bioalbert ${task}`,
      version,
      summary,
      description: `Labels of the model: ${context.labels.join(', ')}. Texts of more than ${context.maxLength} pieces are read in windows or cut, as \`predict\` does.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: {
      '/v1/predict': {
        post: {
          operationId: 'predict',
          summary: `One input, or up to ${MAX_INPUTS} under \`${form.list}\``,
          description: `A body has at most ${bodyLimit} bytes. Answers do not depend on what others ask at the same time.`,
          requestBody: {
            required: true,
            content: json({ oneOf: [reference('Input'), reference('Inputs')] }, form.example),
          },
          responses: {
            200: {
              description:
                'The result; under `results` one for each input, in their order, where they came as a list',
              content: json({ oneOf: [reference('Result'), reference('Results')] }),
            },
            400: problem('The body is not what is asked for; `found` and `expected` say why'),
            408: problem('The request did not arrive in time'),
            413: problem('The body has too many bytes, or the text too many pieces'),
            415: problem('The body is not application/json in UTF-8'),
            429: problem('Too much waits; nothing of this request was kept', later),
            500: problem('A fault of the server; others are answered'),
            503: problem('No answer in time, or the server ends', later),
          },
        },
      },
      '/health': probe('health', 'Whether the process lives', { status: { const: 'ok' } }),
      '/ready': {
        get: {
          ...probe('ready', 'Whether requests are taken', { status: { const: 'ready' } }).get,
          responses: {
            200: { description: 'They are', content: json(object({ status: { const: 'ready' } })) },
            503: problem('The server ends'),
          },
        },
      },
      '/metrics': plain('metrics', "Figures in Prometheus' text format"),
      '/openapi.json': {
        get: {
          operationId: 'openapi',
          summary: 'This description',
          responses: { 200: { description: 'OpenAPI 3.1', content: json({ type: 'object' }) } },
        },
      },
      '/': plain('page', 'What is here, for people'),
    },
    components: {
      schemas: {
        Input: one,
        Inputs: many,
        Result: resultSchema(task, context, entity),
        Results: object({ results: array(reference('Result')) }),
        Error: object({
          error: object(
            {
              status: { type: 'integer', minimum: 400, maximum: 599 },
              code: { type: 'string', description: 'for programs' },
              message: { type: 'string', description: 'for people' },
            },
            {
              at: { type: 'string', description: 'where in the body' },
              found: { type: 'string' },
              expected: { type: 'string' },
            },
          ),
        }),
      },
    },
  }
}

function probe(operationId: string, summary: string, fields: Readonly<Record<string, Schema>>) {
  return {
    get: {
      operationId,
      summary,
      responses: { 200: { description: 'It does', content: json(object(fields)) } },
    },
  }
}

function plain(operationId: string, summary: string) {
  return {
    get: {
      operationId,
      summary,
      responses: { 200: { description: 'Text', content: { 'text/plain': { schema: { type: 'string' } } } } },
    },
  }
}

/** Without the dialect's name, which the document has already. */
function jsonSchema(schema: z.ZodType): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema)
  return rest
}
