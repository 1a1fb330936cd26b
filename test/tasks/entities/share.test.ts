/** ShARe/CLEF's notes and gold, written here in the forms of its release: what tags say, and what is said of the rest. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InputError, UserError } from '../../../src/error.js'
import type { NerSummary } from '../../../src/tasks/entities/core.js'
import type { NerSentence } from '../../../src/tasks/entities/sentence.js'
import { entities } from '../../../src/tasks/entities.js'
import { folderWith } from '../../support/temporary.js'

const test = suite("ShARe/CLEF's notes")

const read = (files: Record<string, string>, form = 'words') =>
  entities.read(folderWith(files), { form, seed: 1 })

/** A gold line: `of` are the stretches as they stand in the note, each found after the one before. */
function gold(document: string, text: string, ...mentions: string[][]): string {
  return mentions
    .map((stretches) => {
      let at = 0
      const offsets = stretches.map((stretch) => {
        const start = text.indexOf(stretch, at)
        if (start < 0) throw new Error(`no ${stretch}`)
        at = start + stretch.length
        return `||${start}||${at}`
      })
      return `${document}||Disease_Disorder||C0000001${offsets.join('')}\n`
    })
    .join('')
}

function knowtator(document: string, spans: [number, number][][]): string {
  const mentions = spans.map(
    (stretches, i) =>
      `  <annotation>\n    <mention id="M_${i}" />\n    <annotator id="A">A</annotator>\n${stretches
        .map(([start, end]) => `    <span start="${start}" end="${end}" />\n`)
        .join(
          '',
        )}    <spannedText>x</spannedText>\n  </annotation>\n  <classMention id="M_${i}">\n    <hasSlotMention id="S_${i}" />\n    <mentionClass id="Disease_Disorder">x</mentionClass>\n  </classMention>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<annotations textSource="${document}">\n${mentions.join('')}</annotations>\n`
}

const plain = 'The patient had fever. No cough was seen.\n'
const fever: [number, number][] = [[16, 21]]

/** The release of 2013: XML for training, lines for the test; `test` is what the test note has. */
function release(text = plain, lines = gold('t.txt', text, ['cough'])): Record<string, string> {
  const files: Record<string, string> = {
    'Task1TestSetCorpus100/ALLREPORTS/t.txt': text,
    'Task1Gold_SN2012/Gold_SN2012/t.txt': lines,
  }
  for (let i = 0; i < 20; i++) {
    files[`Task1TrainSetCorpus199/ALLREPORTS/n${i}.txt`] = plain
    files[`Task1TrainSetGOLD199knowtatorehost/ALLSAVED/n${i}.txt.knowtator.xml`] = knowtator(`n${i}.txt`, [
      fever,
    ])
  }
  return files
}

const rows = (items: readonly { words: string[]; tags?: string[] }[]) =>
  items.map(({ words, tags }) =>
    words.map((word, i) => (tags?.[i] === 'O' ? word : `${word}/${tags?.[i]}`)).join(' '),
  )

const testOf = (text: string, ...mentions: string[][]) => {
  const data = read(release(text, gold('t.txt', text, ...mentions)))
  const { test: facts } = data.facts.mentions as Record<string, Record<string, number>>
  return {
    items: data.test.items as NerSentence[],
    facts,
    notes: data.notes.filter((note) => /^test:/.test(note)),
  }
}

test('the folders of 2013 are told by themselves; without a dev part a tenth of the notes is held out', () => {
  const data = read(release())
  assert.is(data.form, 'share')
  assert.equal(data.labels, ['O', 'B', 'I'])
  assert.equal(rows(data.test.items), ['The patient had fever .', 'No cough/B was seen .'])
  assert.is(data.train.items.length, 2 * 18)
  assert.is(data.dev.items.length, 2 * 2)
  for (const { items } of [data.train, data.dev])
    assert.equal([...new Set(rows(items))], ['The patient had fever/B .', 'No cough was seen .'])
  assert.is(data.facts.held_out, 2)
  assert.match(data.notes.join('\n'), /no dev part: 2 of 20 training notes are held out \(a tenth, seed 1\)/)
  assert.equal(read(release(), 'share').train.items, data.train.items)
})

test("BLUE's division beside ALLREPORTS, and SemEval's .text and .pipe, say what is dev", () => {
  const files = release()
  files['Task1TrainSetCorpus199/DEV_REPORTS/n3.txt'] = plain
  const data = read(files)
  assert.equal([data.train.items.length, data.dev.items.length], [38, 2])
  const semeval: Record<string, string> = {}
  for (const part of ['train', 'dev', 'test']) {
    semeval[`2014/${part}/discharge/${part}-1.text`] = plain
    semeval[`2014/${part}/discharge/${part}-1.pipe`] = gold(`${part}-1.text`, plain, ['fever'])
  }
  assert.equal(
    (['train', 'dev', 'test'] as const).flatMap((part) => rows(read(semeval)[part].items)),
    [0, 1, 2].flatMap(() => ['The patient had fever/B .', 'No cough was seen .']),
  )
})

test('sentences end at blank lines too, and lines are counted in the note', () => {
  const text = 'Allergies:\nnone known\n\nHistory\n \nHad asthma. Had\nchest pain.\n'
  const { items } = testOf(text, ['asthma'], ['chest pain'])
  assert.equal(rows(items), ['Allergies : none known', 'History', 'Had asthma/B .', 'Had chest/B pain/I .'])
  assert.equal(
    items.map(({ line }) => line),
    [1, 4, 6, 6],
  )
})

test('a discontinuous mention is tagged by stretches, named, and no prediction can be it', () => {
  const text = 'The left atrium is mildly dilated. There is fever.'
  const { items, facts, notes } = testOf(text, ['left atrium', 'dilated'], ['fever'])
  assert.equal(rows(items), ['The left/B atrium/I is mildly dilated/B .', 'There is fever/B .'])
  assert.equal(items[0].mentions, [null])
  assert.equal(items[1].mentions, [{ start: 2, end: 3, type: '' }])
  assert.equal(
    [facts.mentions, facts.discontinuous, facts.discontinuous_notes, facts.inexpressible],
    [2, 1, 1, 1],
  )
  assert.equal(notes, [
    'test: 2 mentions in 1 notes',
    'test: 1 mentions in 1 notes discontinuous, which IOB2 cannot say: each stretch is tagged as an entity of its own, the mention counts as gold that is missed (t 4-15, 26-33)',
  ])
})

test('stretches with no word between them are one mention', () => {
  const { items, facts } = testOf('Severe chest\npain today.', ['chest', 'pain'])
  assert.equal(rows(items), ['Severe chest/B pain/I today .'])
  assert.equal([facts.adjacent, facts.discontinuous, facts.inexpressible], [1, 0, 0])
})

test('of mentions that share words the longer is tagged, both are gold', () => {
  const { items, facts, notes } = testOf(
    'Had chest wall pain.',
    ['chest wall'],
    ['chest wall pain'],
    ['pain'],
  )
  assert.equal(rows(items), ['Had chest/B wall/I pain/I .'])
  assert.is(items[0].mentions?.length, 3)
  assert.equal([facts.overlapping, facts.inexpressible], [2, 0])
  assert.match(notes.join('\n'), /2 mentions in 1 notes sharing words .* \(t 4-14; t 15-19\)/)
})

test('a continuous mention goes before a longer discontinuous one', () => {
  const text = 'Left upper arm and right arm pain.'
  const { items, facts } = testOf(text, ['Left upper arm', 'pain'], ['right arm pain'])
  assert.equal(rows(items), ['Left upper arm and right/B arm/I pain/I .'])
  assert.equal([facts.overlapping, facts.discontinuous, facts.inexpressible], [1, 1, 1])
})

test('several types are read as one, which is said', () => {
  const lines = `${gold('t.txt', plain, ['fever'])}t.txt||Finding||C1||26||31\n`
  const data = read(release(plain, lines))
  assert.equal(rows(data.test.items), ['The patient had fever/B .', 'No cough/B was seen .'])
  assert.match(data.notes.join('\n'), /mentions of Disease_Disorder, Finding are read as one type/)
})

test('a mention of half a word takes the word, and is not what was annotated', () => {
  const { items, facts, notes } = testOf('Found pneumothorax here.', ['thorax'])
  assert.equal(rows(items), ['Found pneumothorax/B here .'])
  assert.equal([facts.word_cut, facts.inexpressible], [1, 1])
  assert.match(notes.join('\n'), /within a word: the whole word is tagged.*\(t 12-18\)/)
})

test('white space at the edges of a mention is no part of a word', () => {
  const { items, facts } = testOf('Had  fever  today.', [' fever '])
  assert.equal(rows(items), ['Had fever/B today .'])
  assert.equal([facts.word_cut, facts.inexpressible], [0, 0])
})

test('a mention across two sentences is tagged in both and counts as missed', () => {
  const { items, facts } = testOf('Has pain. Swelling too.', ['pain. Swelling'])
  assert.equal(rows(items), ['Has pain/B ./I', 'Swelling/B too .'])
  assert.equal([facts.across_sentences, facts.discontinuous, facts.inexpressible], [1, 0, 1])
})

test('offsets beyond the text are named, not tagged, and stay gold', () => {
  const lines = 't.txt||Disease_Disorder||C1||36||400\nt.txt||Disease_Disorder||C1||3||4\n'
  const data = read(release(plain, lines))
  const items = data.test.items as NerSentence[]
  assert.equal(rows(items), ['The patient had fever .', 'No cough was seen .'])
  assert.equal(items[1].mentions, [null, null])
  assert.match(
    data.notes.join('\n'),
    /test: 2 mentions in 1 notes whose offsets do not fit the text.*t 36-400; t 3-4/,
  )
})

test('a mention with two concepts counts once', () => {
  const { facts, notes } = testOf(plain, ['fever'], ['fever'])
  assert.equal([facts.mentions, facts.duplicate], [1, 1])
  assert.match(notes.join('\n'), /marked twice/)
})

test('scores against all mentions stand beside those of the tags', () => {
  const text = 'The left atrium is mildly dilated. There is fever.'
  const { items } = testOf(text, ['left atrium', 'dilated'], ['fever'])
  const answers = items.map(({ tags }) => ({ tags, scores: new Float32Array(tags.length) }))
  const scores = entities.score(items, answers, ['O', 'B', 'I']) as NerSummary
  assert.equal([scores.f1, scores.gold], [1, 3])
  // 3 entities predicted, 1 of them a mention, of 2 that are annotated
  const { correct, predicted, gold: all, precision, recall, f1, inexpressible } = scores.all_mentions ?? {}
  assert.equal(
    [correct, predicted, all, precision, recall, f1, inexpressible],
    [1, 3, 2, 1 / 3, 1 / 2, 2 / 5, 1],
  )
  const table = new Map(entities.rows([scores]).map(([name, value]) => [name, value]))
  assert.is(table.get('entity recall, of all annotated mentions'), '50.00')
  assert.is(table.get('annotated mentions that tags cannot say'), '1')
})

test('a nested mention that was predicted in place of the longer is right, by the annotation', () => {
  const { items } = testOf('Had chest wall pain.', ['chest wall pain'], ['pain'])
  const answers = [{ tags: ['O', 'O', 'O', 'B', 'O'], scores: new Float32Array(5) }]
  const scores = entities.score(items, answers, ['O', 'B', 'I']) as NerSummary
  assert.equal([scores.correct, scores.all_mentions?.correct, scores.all_mentions?.gold], [0, 1, 2])
})

test('a folder of notes can be evaluated', () => {
  const folder = folderWith(release())
  const context = { form: 'share', labels: ['O', 'B', 'I'] }
  const split = entities.readFile(join(folder, 'Task1TrainSetCorpus199/..'), context)
  assert.is(split.items.length, 42)
  assert.match(split.notes?.[0] ?? '', /data: 21 mentions in 21 notes/)
  assert.throws(
    () => entities.readFile(folder, { form: 'words', labels: ['O', 'B-X', 'I-X'] }),
    (error: Error) =>
      error instanceof UserError && /mentions of one type, the model has .* B-X/.test(error.message),
  )
})

test('notes without gold and gold without a note are left out and named; an empty gold file is no mention', () => {
  const files = release()
  files['Task1TestSetCorpus100/ALLREPORTS/lone.txt'] = plain
  files['Task1TestSetCorpus100/ALLREPORTS/calm.txt'] = plain
  files['Task1Gold_SN2012/Gold_SN2012/calm.txt'] = ''
  files['Task1Gold_SN2012/Gold_SN2012/gone.txt'] = 'gone.txt||Disease_Disorder||C1||1||2\n'
  const data = read(files)
  assert.is(data.test.items.length, 4)
  assert.match(data.notes.join('\n'), /notes without a gold file: lone\n.*gold without a note: gone/)
})

const bad: [name: string, change: (files: Record<string, string>) => void, message: RegExp][] = [
  [
    'a gold line without an end',
    (files) => (files['Task1Gold_SN2012/Gold_SN2012/t.txt'] += 't.txt||Disease_Disorder||C1||5\n'),
    /Gold_SN2012\/t\.txt:2: found "t\.txt\|\|Disease_Disorder\|\|C1\|\|5", expected document\|\|type\|\|CUI/,
  ],
  [
    'XML without annotations',
    (files) => (files['Task1TrainSetGOLD199knowtatorehost/ALLSAVED/n1.txt.knowtator.xml'] = '<a/>'),
    /n1\.txt\.knowtator\.xml: found no <annotations>/,
  ],
  [
    'an annotation without a span',
    (files) =>
      (files['Task1TrainSetGOLD199knowtatorehost/ALLSAVED/n1.txt.knowtator.xml'] =
        '<annotations>\n<annotation>\n<mention id="a"/>\n</annotation></annotations>'),
    /n1\.txt\.knowtator\.xml:2: found an annotation without a mention or a span/,
  ],
  [
    'gold twice and otherwise',
    (files) => (files['gold/t.pipe'] = 't.txt||Disease_Disorder||C1||1||2\n'),
    /t\.pipe: found other mentions of t than another file has/,
  ],
  [
    'a note of train and of test',
    (files) => (files['Task1TrainSetCorpus199/ALLREPORTS/t.txt'] = plain),
    /found a note of the name of/,
  ],
]
for (const [name, change, message] of bad)
  test(`${name} is refused`, () => {
    const files = release()
    change(files)
    assert.throws(
      () => read(files),
      (error: Error) => {
        assert.instance(error, InputError)
        assert.match(error.message, message)
        return true
      },
    )
  })

test('what is no folder, and a folder of other texts, are refused', () => {
  const folder = folderWith({ 'a.txt': plain })
  const asked = { form: 'share', seed: 1 }
  assert.throws(
    () => entities.read(join(folder, 'a.txt'), asked),
    /a\.txt: found no folder, expected one with notes/,
  )
  assert.throws(() => entities.read(folder, asked), /found no note with gold mentions for train/)
  assert.throws(
    () => entities.read(folder, { ...asked, form: 'words' }),
    /found neither devel\.tsv nor dev\.tsv/,
  )
})

test('a part without notes and folds are refused', () => {
  const files = Object.fromEntries(Object.entries(release()).filter(([path]) => !/Test/.test(path)))
  assert.throws(
    () => read(files),
    (error: Error) =>
      error instanceof UserError && /found no note with gold mentions for test/.test(error.message),
  )
  assert.throws(
    () => entities.read(folderWith(release()), { form: 'share', seed: 1, fold: 2 }),
    /has no folds/,
  )
})

test.run()
