/** What every task is asked and answers over HTTP: the lines that predict prints, as the server's own description says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { tasks } from '../../src/tasks/index.js'
import { root } from '../support/paths.js'
import { get, openServerCase, post, predicted } from '../support/server_case.js'
import { type TaskModelOptions, taskModel } from '../support/task_model.js'

const test = suite('server, tasks')

interface Asked {
  readonly task: string
  readonly options?: TaskModelOptions
  readonly list: string
  readonly fields: readonly string[]
  readonly lines: readonly string[]
}

const texts = [
  'The patient had fever and cough. Patients had fever.',
  '\u{1f912} fever \u{1d4d0} cough, e\u0301 zinc \u00e9 fever .',
  '',
  'x'.repeat(300),
  `${'the patient had zinc and '.repeat(60)}cough .`,
  'fever\u0007 and \u202e cough \u0000 .',
]
const pairs = [
  'the patient had fever\tthe patient was treated .',
  'cough\tfever and \u{1f912} cough',
  `${'the patient had zinc and '.repeat(30)}cough .\t${'fever and cough '.repeat(30)}`,
]
const cases: readonly Asked[] = [
  { task: 'entities', list: 'texts', fields: ['text'], lines: texts },
  {
    task: 'entities',
    options: { labels: ['O', 'B-Sign', 'I-Sign', 'B-Drug', 'I-Drug'] },
    list: 'texts',
    fields: ['text'],
    lines: texts,
  },
  { task: 'relations', list: 'texts', fields: ['text'], lines: texts },
  { task: 'similarity', list: 'pairs', fields: ['sentence1', 'sentence2'], lines: pairs },
  { task: 'inference', list: 'pairs', fields: ['sentence1', 'sentence2'], lines: pairs },
  { task: 'documents', list: 'texts', fields: ['text'], lines: texts },
  { task: 'documents', options: { form: 'sentence' }, list: 'texts', fields: ['text'], lines: texts },
  { task: 'documents', options: { form: 'single' }, list: 'texts', fields: ['text'], lines: texts },
  { task: 'answers', list: 'questions', fields: ['question', 'context'], lines: pairs },
  {
    task: 'answers',
    options: { labels: ['yes', 'no'] },
    list: 'questions',
    fields: ['question', 'context'],
    lines: pairs,
  },
]

const isOpenapi = new Ajv2020({ strict: false, validateFormats: false }).compile(
  JSON.parse(readFileSync(join(root, 'test/golden/openapi/schema_3.1.json'), 'utf8')),
)

test('every task is tried here', () => {
  for (const { name } of tasks)
    assert.ok(
      cases.some(({ task }) => task === name),
      name,
    )
})

for (const { task, options = {}, list, fields, lines } of cases) {
  const { form, labels } = options
  test(`${[task, form, labels?.join(' ')].filter(Boolean).join(', ')}: answers are predict's, and as described`, async () => {
    const folder = await taskModel(task, options)
    const want = predicted(folder, lines)
    const one = await openServerCase(folder)
    try {
      const described = await get(one.url, '/openapi.json')
      assert.ok(isOpenapi(described.json), JSON.stringify(isOpenapi.errors?.slice(0, 3)))
      const judge = schemasOf(described.json)
      const inputs = lines.map((line) => {
        const values = line.split('\t')
        return Object.fromEntries(fields.map((field, i) => [field, values[i]]))
      })
      const many = { [list]: fields.length === 1 ? lines : inputs }
      holds(judge('Inputs'), many)
      const all = await post(one.url, many)
      assert.is(all.status, 200, all.text)
      holds(judge('Results'), all.json)
      assert.is(all.text, `{"results":[${want.join(',')}]}`)
      for (const [i, input] of inputs.entries()) {
        holds(judge('Input'), input)
        const { status, text, json } = await post(one.url, input)
        assert.is(status, 200, text)
        assert.is(text, want[i])
        holds(judge('Result'), json)
      }
      assert.not(judge('Result')({ ...all.json }), 'the schema of a result takes anything')
      const bad = await post(one.url, { [list]: 7 })
      assert.is(bad.status, 400)
      holds(judge('Error'), bad.json)
      assert.not(judge('Inputs')({ [list]: 7 }))
    } finally {
      await one.close()
    }
  })
}

/** Validators of the schemas that a description names. */
function schemasOf(description: unknown): (name: string) => ValidateFunction {
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema(description as object, 'described')
  return (name) => ajv.compile({ $ref: `described#/components/schemas/${name}` })
}

function holds(validate: ValidateFunction, value: unknown): void {
  assert.ok(validate(value), JSON.stringify({ errors: validate.errors, value }).slice(0, 2000))
}

test('an entity is cut out of the text by its offsets in characters', async () => {
  const one = await openServerCase(await taskModel('entities'))
  try {
    const text = texts[1]
    const { json } = await post(one.url, { text })
    const found = json.entities as { start: number; end: number; text: string }[]
    assert.ok(found.length > 0)
    for (const { start, end, text: part } of found) assert.is([...text].slice(start, end).join(''), part)
  } finally {
    await one.close()
  }
})

test('a tab in a field is read as a space, so that fields stay as they are', async () => {
  const one = await openServerCase(await taskModel('similarity'))
  try {
    const [tab, space] = ['\t', ' '].map((c) => ({ sentence1: `fever${c}and`, sentence2: `${c}cough` }))
    const [a, b] = [await post(one.url, tab), await post(one.url, space)]
    assert.is(a.status, 200, a.text)
    assert.is(a.text, b.text)
  } finally {
    await one.close()
  }
})

test.run()
