/** Tag schemes are told apart, and conversion keeps every entity: spans by hand and by an encoder of the test's own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError } from '../../../src/error.js'
import { readNerFolder } from '../../../src/tasks/entities/folder.js'
import { readNer } from '../../../src/tasks/entities/reader_node.js'
import { entitySpans } from '../../../src/tasks/metrics/entities.js'
import { random } from '../../support/random.js'
import { folderWith } from '../../support/temporary.js'

const test = suite('tag schemes')

type Span = [first: number, last: number, type: string]

/** Rows of words w0, w1, ... with these tags; `|` ends a sentence. */
function rows(tags: string): string {
  let word = 0
  return tags
    .split(' ')
    .map((tag) => (tag === '|' ? '\n' : `w${word++}\t${tag}\n`))
    .join('')
}
const read = (tags: string) => readNer(`${folderWith({ 'a.tsv': rows(tags) })}/a.tsv`)
const folder = (train: string, devel: string, test: string) =>
  readNerFolder(folderWith({ 'train.tsv': rows(train), 'devel.tsv': rows(devel), 'test.tsv': rows(test) }))

function refuses(call: () => unknown, ...says: RegExp[]): void {
  assert.throws(call, (error: Error) => {
    assert.instance(error, InputError)
    for (const pattern of says) assert.match(error.message, pattern)
    return true
  })
}

// words:      0      1      2      3      4      5      6      7
// entities:  [0, 1] X, [2] X, [4] Y, [5] X, [7] X
const oneText = {
  IOB1: 'I-X I-X B-X O I-Y I-X O I-X',
  IOB2: 'B-X I-X B-X O B-Y B-X O B-X',
  IOE1: 'I-X E-X I-X O I-Y I-X O I-X',
  IOE2: 'I-X E-X E-X O E-Y E-X O E-X',
  IOBES: 'B-X E-X S-X O S-Y S-X O S-X',
  BILOU: 'B-X L-X U-X O U-Y U-X O U-X',
}
for (const [scheme, tags] of Object.entries(oneText))
  test(`${scheme} is told by its tags and converted`, () => {
    const file = read(tags)
    assert.is(file.scheme, scheme)
    assert.equal(file.sentences[0].tags, oneText.IOB2.split(' '))
    assert.equal(file.tagsAsRead[0], tags.split(' '))
    assert.equal(file.tagSet, ['O', 'B-X', 'I-X', 'B-Y'])
  })

test('IO: adjacent words of one type are one entity, of two types two', () => {
  const file = read('I-X I-X I-Y O I-X | I-X')
  assert.is(file.scheme, 'IO')
  assert.equal(
    file.sentences.map(({ tags }) => tags.join(' ')),
    ['B-X I-X B-Y O B-X', 'B-X'],
  )
})

test('plain letters are converted as those with a type', () => {
  assert.equal(read('B E S O S').sentences[0].tags, ['B', 'I', 'B', 'O', 'B'])
  assert.equal(read('B L U O U').sentences[0].tags, ['B', 'I', 'B', 'O', 'B'])
  assert.equal(read('I I B O I').sentences[0].tags, ['B', 'I', 'B', 'O', 'B'])
  assert.equal(read('I E E O E').sentences[0].tags, ['B', 'I', 'B', 'O', 'B'])
})

test('an entity never reaches across the end of a sentence', () => {
  const converted = (tags: string) => read(tags).sentences.map((sentence) => sentence.tags.join(' '))
  assert.equal(converted('I-X | I-X I-X B-X'), ['B-X', 'B-X I-X B-X'])
  assert.equal(converted('I-X E-X | E-X'), ['B-X I-X', 'B-X'])
})

test('text without a tagged word is of no scheme', () => {
  assert.is(read('O O | O').scheme, undefined)
})

/** Tags of a sentence of `length` words with these entities, written from the definitions of the schemes. */
const encoders: Record<string, (length: number, spans: Span[]) => string[]> = {
  IOB2: (length, spans) => fill(length, spans, (w, [first]) => (w === first ? 'B' : 'I')),
  IOB1: (length, spans) =>
    fill(length, spans, (w, [first, , type]) =>
      w === first && spans.some(([, last, other]) => last === first - 1 && other === type) ? 'B' : 'I',
    ),
  IOE2: (length, spans) => fill(length, spans, (w, [, last]) => (w === last ? 'E' : 'I')),
  IOE1: (length, spans) =>
    fill(length, spans, (w, [, last, type]) =>
      w === last && spans.some(([first, , other]) => first === last + 1 && other === type) ? 'E' : 'I',
    ),
  IOBES: (length, spans) => fill(length, spans, chunk('BIES')),
  BILOU: (length, spans) => fill(length, spans, chunk('BILU')),
  IO: (length, spans) => fill(length, spans, () => 'I'),
}
function fill(length: number, spans: Span[], letter: (word: number, span: Span) => string): string[] {
  const tags = new Array<string>(length).fill('O')
  for (const span of spans)
    for (let w = span[0]; w <= span[1]; w++) tags[w] = letter(w, span) + (span[2] && `-${span[2]}`)
  return tags
}
function chunk([begin, inside, end, single]: string): (word: number, span: Span) => string {
  return (w, [first, last]) => {
    if (first === last) return single
    if (w === first) return begin
    return w === last ? end : inside
  }
}

/** Entities of IOB2 tags, by the definition. */
function decode(tags: string[]): Span[] {
  const spans: Span[] = []
  tags.forEach((tag, w) => {
    if (tag[0] === 'B') spans.push([w, w, tag.slice(2)])
    if (tag[0] !== 'I') return
    const open = spans[spans.length - 1]
    assert.ok(open && open[1] === w - 1 && open[2] === tag.slice(2), `word ${w} of ${tags.join(' ')}`)
    open[1] = w
  })
  return spans
}

/** In IO two entities of a type side by side are one. */
function merged(spans: Span[]): Span[] {
  const joined: Span[] = []
  for (const [first, last, type] of spans) {
    const before = joined[joined.length - 1]
    if (before && before[1] === first - 1 && before[2] === type) before[1] = last
    else joined.push([first, last, type])
  }
  return joined
}

function sentences(seed: number, types: string[]): { length: number; spans: Span[] }[] {
  const { integer, pick } = random(seed)
  return Array.from({ length: 400 }, () => {
    const length = integer(1, 12)
    const spans: Span[] = []
    for (let w = integer(0, 3); w < length; ) {
      const last = Math.min(length - 1, w + integer(0, 3))
      spans.push([w, last, pick(types)])
      w = last + 1 + pick([0, 0, 1, 3])
    }
    return { length, spans }
  })
}

for (const [scheme, encode] of Object.entries(encoders))
  for (const types of [[''], ['Gene', 'Cell-Line', 'O']])
    test(`${scheme} with ${types.length} types: 400 random sentences keep their entities`, () => {
      const drawn = sentences(7, types)
      const tags = drawn.map(({ length, spans }) => encode(length, spans))
      const file = read(tags.map((row) => row.join(' ')).join(' | '))
      assert.is(file.scheme, scheme)
      file.sentences.forEach((sentence, i) => {
        const expected = scheme === 'IO' ? merged(drawn[i].spans) : drawn[i].spans
        assert.equal(decode(sentence.tags), expected)
        for (const reading of ['conlleval', 'iob2'] as const)
          assert.equal(
            entitySpans(sentence.tags, reading).map(({ start, end, type }) => [start, end - 1, type]),
            expected,
          )
      })
    })

test('the whole folder decides where one file could be of several schemes', () => {
  for (const [train, scheme] of [
    ['I-X I-X B-X O', 'IOB1'],
    ['I-X E-X I-X O', 'IOE1'],
    ['I-X I-X O I-X', 'IO'],
  ]) {
    const data = folder(train, 'I-X O', 'O O')
    assert.equal([data.scheme, data.train.scheme, data.devel.scheme], [scheme, scheme, scheme])
    assert.is(data.test.scheme, undefined)
    assert.equal(data.devel.sentences[0].tags, ['B-X', 'O'])
  }
  assert.is(folder('S-X O', 'B-X E-X', 'O').scheme, 'IOBES')
  assert.is(folder('B-X O', 'B-X I-X', 'O').scheme, 'IOB2')
  assert.equal(folder('I-X O', 'I-X I-X', 'O').labels, ['O', 'B-X', 'I-X'])
})

test('a mixture names file, line, tag and what was expected', () => {
  refuses(
    () => read('B-X I-X O | B-X O | I-X O'),
    /a\.tsv:8: found tag "I-X" first in its sentence, before "O", expected B-X \(.*IOB2 fits best, 1 of 4 /,
  )
  refuses(
    () => read('I-X I-X B-X O I-X | O B-X'),
    /a\.tsv:8: found tag "B-X" after "O", .* expected I-X .*IOB1/,
  )
  refuses(
    () => read('B-X E-X S-X O S-X L-X'),
    /a\.tsv:6: found tag "L-X" .* expected O or one of B-X, I-X, E-X, S-X/,
  )
  refuses(
    () => read('B-X E-X S-X O B-X O'),
    /a\.tsv:5: found tag "B-X" after "O", before "O", expected S-X .*IOBES/,
  )
  refuses(() => read('B-X L-X U-X O B-X I-X O'), /a\.tsv:6: .* expected L-X .*BILOU/)
  refuses(() => read('U-X U-X O I-X L-X'), /a\.tsv:4: .* expected B-X .*BILOU/)
  refuses(() => read('S-X S-X O I-X O'), /a\.tsv:4: .* expected S-X /)
  refuses(
    () => read('B-X E-X B-Y E-X S-X'),
    /a\.tsv:3: found tag "B-Y" after "E-X", before "E-X", expected S-Y/,
  )
  refuses(() => read('I-X E-X E-X I-X O | E-X'), /a\.tsv:4: .* expected E-X .*IOE2/)
})

test('a file in another scheme than the rest of its folder is named', () => {
  refuses(
    () => folder('B-X E-X O S-X', 'S-X O', 'O B-X I-X O'),
    /test\.tsv:3: found tag "I-X" .* expected E-X .*IOBES/,
  )
  refuses(
    () => folder('B-X I-X O B-X', 'B-X O', 'I-X O'),
    /test\.tsv:1: found tag "I-X" .* expected B-X .*IOB2/,
  )
})

test('a type that only the test file has is named with its tag as it stands there', () => {
  refuses(() => folder('B-X E-X S-X', 'S-X', 'O S-Y'), /test\.tsv:2: found tag "S-Y", expected a type that/)
})

test('comments as in CoNLL-U are refused with a hint, the word # is not', () => {
  const from = (content: string) => readNer(`${folderWith({ 'a.tsv': content })}/a.tsv`)
  const hint = /remove the lines that begin with #/
  refuses(
    () => from('# sent_id = a1\nword\tO\n'),
    /a\.tsv:1: found "# sent_id = a1", a comment, expected/,
    hint,
  )
  refuses(() => from('w O\n\n# text = word O\nword O\n'), /a\.tsv:3: found "# text/, hint)
  refuses(() => from('# text = O\nw x y O\n'), /a\.tsv:1: /, hint)
  refuses(() => from('w\tO\n# newdoc\nword\tO\n'), /a\.tsv:2: found tag "newdoc"|a\.tsv:2: .*column/, hint)
  refuses(() => from('w\tO\n#\nword\tO\n'), /a\.tsv:2: found "#", one column/, hint)
  assert.equal(from('#\tO\n#2 B\n').sentences[0], { words: ['#', '#2'], tags: ['O', 'B'], line: 1 })
})

test('lines of -DOCSTART- end a sentence and have no tag, in any number of columns', () => {
  const file = readNer(
    `${folderWith({ 'a.tsv': '-DOCSTART-\na\tB-X\n-DOCSTART- -X- O O\nb\tB-X\n-DOCSTART-\tO\n' })}/a.tsv`,
  )
  assert.equal(file.sentences, [
    { words: ['a'], tags: ['B-X'], line: 2 },
    { words: ['b'], tags: ['B-X'], line: 4 },
  ])
})

test.run()
