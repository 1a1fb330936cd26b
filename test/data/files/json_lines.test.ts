import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseJsonLines, readJsonLines } from '../../../src/data/files/json_lines.js'
import { InputError } from '../../../src/error.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('JSON lines')

test('every object has its line, blank lines are left out', () => {
  const path = `${folderWith({ 'a.jsonl': '{"x": 1}\r\n\n{"y": "é"}' })}/a.jsonl`
  assert.equal(readJsonLines(path, 'objects'), [
    { value: { x: 1 }, line: 1 },
    { value: { y: 'é' }, line: 3 },
  ])
})

const bad: [name: string, text: string, says: RegExp][] = [
  ['half an object', '{"x": 1}\n{"y": ', /^f:2: found "\{\\"y\\": ", expected a JSON object on a line$/],
  ['a list', '[1]', /^f:1: found "\[1\]", expected a JSON object$/],
  ['null', '{}\n\nnull', /^f:3: found "null", expected a JSON object$/],
  ['a number', '7', /^f:1: found "7", expected a JSON object$/],
]
for (const [name, text, says] of bad)
  test(`${name} is refused with file and line`, () => {
    assert.throws(
      () => parseJsonLines(text, 'f'),
      (error: Error) => error instanceof InputError && says.test(error.message),
    )
  })

test.run()
