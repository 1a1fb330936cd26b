import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseTsv, readTsv } from '../../../src/data/files/tsv.js'
import { InputError } from '../../../src/error.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('tsv')

const cells = (text: string) => parseTsv(text).map((row) => row.cells)

test('cells stand between tabs, rows on lines, blank lines are left out and counted', () => {
  assert.equal(parseTsv('a\tb\n\n  \nc\t\n'), [
    { cells: ['a', 'b'], line: 1 },
    { cells: ['c', ''], line: 4 },
  ])
})

test('CRLF and a missing last line feed change nothing', () => {
  assert.equal(parseTsv('a\tb\r\n\r\nc\td'), parseTsv('a\tb\n\nc\td\n'))
  assert.equal(cells('a\t"b"\r\nc\t"d"'), [
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('a quoted cell may hold tabs and doubled quotes', () => {
  assert.equal(cells('1\t"a\tb"\t"c ""d"" e"\n'), [['1', 'a\tb', 'c "d" e']])
  assert.equal(cells('""\t"x"\n'), [['', 'x']])
})

test('a quotation mark that quotes nothing stays in its cell', () => {
  assert.equal(cells('s0\t" Slow progressor " melanomas .\tx\n'), [
    ['s0', '" Slow progressor " melanomas .', 'x'],
  ])
  assert.equal(cells('s0\t"open\tx\ns1\tb\ty"\n'), [
    ['s0', '"open', 'x'],
    ['s1', 'b', 'y"'],
  ])
  assert.equal(cells('a "b"\tc\n'), [['a "b"', 'c']])
})

test('a quoted cell reaches into further lines where its row has too few cells otherwise', () => {
  assert.equal(parseTsv('h1\th2\th3\n1\t"two\n\nlines"\tx\n2\tb\ty\n'), [
    { cells: ['h1', 'h2', 'h3'], line: 1 },
    { cells: ['1', 'two\n\nlines', 'x'], line: 2 },
    { cells: ['2', 'b', 'y'], line: 5 },
  ])
  assert.equal(cells('h1\th2\n1\t"open\n2\tclose"\n'), [
    ['h1', 'h2'],
    ['1', '"open'],
    ['2', 'close"'],
  ])
})

test('a file that is not there is named with what it should be', () => {
  const path = `${folderWith({})}/a.tsv`
  assert.throws(
    () => readTsv(path, 'a table'),
    (error: Error) =>
      error instanceof InputError && /a\.tsv: found no such file, expected a table/.test(error.message),
  )
})

test.run()
