/** Lines of bytes in pieces: line ends, byte order mark, faults by line and byte, bounds. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LineSplitter, readLines } from '../../../src/data/files/lines.js'
import { InputError } from '../../../src/error.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('lines')

function split(bytes: Uint8Array, size: number, longest?: number): unknown[][] {
  const seen: unknown[][] = []
  const lines = new LineSplitter((...line) => seen.push(line), longest)
  for (let at = 0; at < bytes.length; at += size) lines.write(bytes.subarray(at, at + size))
  lines.end()
  return seen
}

test('lines end with LF or CRLF, the last one with the file', () => {
  const bytes = Buffer.from('\ufeffone\r\n\ntwo\rβ\n\r\nlast')
  const want = [
    ['one', 0, 1],
    ['', 8, 2],
    ['two\rβ', 9, 3],
    ['', 16, 4],
    ['last', 18, 5],
  ]
  for (const size of [1, 2, 3, 7, 100]) assert.equal(split(bytes, size), want, `pieces of ${size}`)
  assert.equal(split(Buffer.from('a\n'), 9), [['a', 0, 1]])
  assert.equal(split(Buffer.alloc(0), 9), [])
})

test('a line that is too long or not UTF-8 is named, and the next one read', () => {
  const bytes = Buffer.concat([
    Buffer.from('short\n'),
    Buffer.alloc(30, 'x'),
    Buffer.from('\nb'),
    Buffer.of(0xff, 10),
    Buffer.from('end'),
  ])
  const want = [
    ['short', 0, 1],
    [undefined, 6, 2, 'length'],
    [undefined, 37, 3, 'encoding'],
    ['end', 40, 4],
  ]
  for (const size of [1, 5, 10, 100]) assert.equal(split(bytes, size, 10), want, `pieces of ${size}`)
})

test('a file gives its lines, and its first fault as an error', () => {
  const path = join(temporaryFolder(), 'lines.txt')
  writeFileSync(path, 'one\ntwo\r\nthree')
  assert.equal([...readLines(path)], ['one', 'two', 'three'])
  writeFileSync(
    path,
    Buffer.concat([Buffer.from('one\n'.repeat(300_000)), Buffer.of(0xc3), Buffer.from('\n')]),
  )
  assert.throws(
    () => [...readLines(path)],
    (error: Error) =>
      error instanceof InputError && /:300001: found bytes that are not UTF-8/.test(error.message),
  )
  assert.throws(() => [...readLines(`${path}.absent`)], /lines\.txt\.absent: cannot be read \(no such file/)
})

test.run()
