/** Windows and positions against transformers' (test/golden/answers.py made the file). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import type { Question } from '../../../src/tasks/answers/question.js'
import { windowQuestions } from '../../../src/tasks/answers/windows.js'
import { root } from '../../support/paths.js'
import { folderWith } from '../../support/temporary.js'

interface Case {
  length: number
  question: string
  context: string
  answer: string
  /** In characters. */
  start: number
  windows: number[][]
}

const golden = JSON.parse(readFileSync(join(root, 'test', 'golden', 'answers.json'), 'utf8')) as {
  tokenizer: unknown
  cases: Case[]
}
const tokenizer = loadTokenizer(folderWith({ 'tokenizer.json': JSON.stringify(golden.tokenizer) }))

const test = suite("windows as transformers' example has them")

test('pieces and positions of all windows are the same', () => {
  let found = 0
  golden.cases.forEach(({ length, question, context, answer, start, windows }, i) => {
    const units = [...context].slice(0, start).join('').length
    const passages = [{ context, answers: [{ text: answer, start: units }] }]
    const item: Question = { kind: 'squad', id: `${i}`, question, passages, gold: [answer] }
    const examples = windowQuestions([item], { tokenizer, maxLength: length }, false)
    const actual = examples.map(({ ids, targets }) =>
      [ids.length, ...ids, ...(targets as Int32Array)].join(' '),
    )
    assert.is(actual.join('\n'), windows.map((row) => row.join(' ')).join('\n'), `case ${i}`)
    found += windows.filter((row) => row[row.length - 1] > 0).length
  })
  assert.ok(found > 40, `${found} windows with an answer`)
})

test.run()
