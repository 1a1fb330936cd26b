/**
 * The pipeline of the corpus command: folders and archives, records of one id, the report, strictness, the number of workers, and
 * going on after a kill, all to the same bytes.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CorpusOptions, writeCorpus } from '../../../src/data/corpus/corpus.js'
import type { CorpusReport } from '../../../src/data/corpus/corpus_report.js'
import { UserError } from '../../../src/error.js'
import { random } from '../../support/random.js'
import { folderWith, temporaryFolder } from '../../support/temporary.js'

const test = suite('corpus pipeline')

const program = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const folder = temporaryFolder()
let outs = 0

async function corpus(
  inputs: string[],
  more: Partial<CorpusOptions> = {},
): Promise<{ text: string; report: CorpusReport; out: string }> {
  const out = join(folder, `out${outs++}`)
  const report = await writeCorpus({ inputs, out, workers: 1, ...more })
  return { text: readFileSync(out, 'utf8'), report, out }
}

const json = (...rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const sentence = (name: string) => `The sentence of ${name} is here.`
const record = (id: number, name: string, more: object = {}) => ({ id, text: sentence(name), ...more })
const joined = (...names: string[]) => names.map((name) => `${sentence(name)}\n`).join('\n')

async function tar(entries: Record<string, string | Uint8Array>): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(entries)) archive.entry({ name }, Buffer.from(content))
  archive.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('folders are gone through by name, with gzip and tar in them; other files are counted', async () => {
  const root = folderWith({
    'b.txt': sentence('b'),
    'a/z.jsonl.gz': gzipSync(json(record(1, 'a/z'))),
    'a/k.tar.gz': gzipSync(
      await tar({
        'x/LICENSE': sentence('no'),
        '../one.txt': sentence('one'),
        './a/._one.txt': sentence('no'),
        'two.jsonl': json(record(2, 'two')),
      }),
    ),
    'a/README': sentence('no'),
    '.hidden.txt': sentence('no'),
    'empty.txt': '',
    'picture.png': Buffer.of(0x89, 0x50, 0, 0),
    'c.nbib': `PMID- 5\nAB  - ${sentence('c')}\n`,
  })
  const { text, report } = await corpus([root, join(root, 'a', 'README')])
  assert.is(text, joined('one', 'two', 'a/z', 'b', 'c', 'no'))
  assert.is(report.otherFiles, 5)
  assert.equal(
    report.sources.map(({ file, format, lines }) => [file.slice(root.length + 1), format, lines.documents]),
    [
      ['a/k.tar.gz', 'text', 1],
      ['a/k.tar.gz', 'jsonl', 1],
      ['a/z.jsonl.gz', 'jsonl', 1],
      ['b.txt', 'text', 1],
      ['c.nbib', 'medline', 1],
      ['a/README', 'text', 1],
    ],
  )
})

test('an output inside an input folder is not read', async () => {
  const root = folderWith({ 'a.txt': sentence('a') })
  const out = join(root, 'corpus.txt')
  for (let i = 0; i < 2; i++) {
    await writeCorpus({ inputs: [root], out })
    assert.is(readFileSync(out, 'utf8'), joined('a'))
  }
  assert.equal(readdirSync(root).sort(), ['a.txt', 'corpus.txt', 'corpus.txt.report.json'])
})

test('a folder without text, and a format that is forced', async () => {
  const root = folderWith({ 'a.csv': `a,b\n${sentence('a')}\n` })
  try {
    await corpus([root])
    assert.unreachable()
  } catch (error) {
    assert.instance(error, UserError)
    assert.match(
      (error as Error).message,
      /found 1 files, none of which is text, expected one of the formats/,
    )
  }
  assert.is((await corpus([root], { format: 'text' })).report.documents, 1)
})

test('of records with one id the highest version counts, the last among equals', async () => {
  const root = folderWith({
    '1.jsonl': json(
      record(1, 'one', { version: 1 }),
      record(2, 'two', { version: 2 }),
      record(3, 'three'),
      record(4, 'four'),
      { text: sentence('no id') },
      record(5, 'five'),
    ),
    '2.jsonl': json(
      record(1, 'one again', { version: 2 }),
      record(2, 'two older', { version: 1 }),
      record(3, 'three again'),
      { id: 4, text: '' },
      { text: sentence('no id') },
      record(6, 'six'),
      { id: 5, text: 5 },
    ),
  })
  const { text, report } = await corpus([join(root, '1.jsonl'), join(root, '2.jsonl')])
  assert.is(text, joined('two', 'no id', 'five', 'one again', 'three again', 'no id', 'six'))
  assert.equal(
    report.sources.map(({ lines, dropped }) => [lines.documents, dropped]),
    [
      [3, { older_version: 1, duplicate: 2 }],
      [4, { no_text: 1, broken: 1, older_version: 1 }],
    ],
  )
  assert.equal([report.documents, report.sentences, report.words], [7, 7, 7 * 6 + 4])
  assert.is(report.characters, text.replaceAll('\n', '').length)
})

test('formats whose ids are of one kind share them, others do not', async () => {
  const root = folderWith({
    'a.nbib': `PMID- 7\nAB  - ${sentence('abstract')}\n\nPMID- 7\nAB  - ${sentence('newer')}\n`,
    'b.jsonl': json(record(7, 'json')),
    'b.xml': pubmed(7, 'update'),
    'c.csv': `ROW_ID,TEXT\n7,${sentence('note')}\n`,
  })
  assert.is((await corpus([root])).text, joined('json', 'update', 'note'))
})

test('the report lies beside the corpus and says the same', async () => {
  const root = folderWith({ 'a.jsonl': `${json(record(1, 'a'))}{"text": 5}\n${json({ text: 'Short.' })}` })
  const { report, out } = await corpus([root])
  assert.equal(JSON.parse(readFileSync(`${out}.report.json`, 'utf8')), report)
  assert.equal(report.dropped, { broken: 1, short: 1 })
  assert.is(report.short, 1)
  const [defect] = report.defects
  assert.is(defect.file, join(root, 'a.jsonl'))
  assert.is(defect.byte, Buffer.byteLength(json(record(1, 'a'))))
  assert.match(defect.detail, /^found fields "text" in line 2, expected an object/)
  assert.not.ok(existsSync(`${out}.parts`))
})

function pubmed(id: number, name: string, more = ''): string {
  const citation = `<PMID Version="1">${id}</PMID><Article><Abstract><AbstractText>${sentence(name)}</AbstractText></Abstract></Article>`
  const article = `<PubmedArticle><MedlineCitation>${citation}</MedlineCitation></PubmedArticle>`
  return `<?xml version="1.0"?>\n<PubmedArticleSet>\n${article}\n${more}</PubmedArticleSet>\n`
}

test('an update file replaces and deletes', async () => {
  const root = folderWith({
    '1.xml': pubmed(1, 'one'),
    '2.xml.gz': gzipSync(pubmed(2, 'two')),
    '3.xml': pubmed(
      1,
      'one again',
      '<DeleteCitation><PMID Version="1">2</PMID><PMID>9</PMID></DeleteCitation>\n',
    ),
    '4.xml': pubmed(9, 'nine'),
  })
  const { text, report } = await corpus([root])
  assert.is(text, joined('one again', 'nine'))
  assert.equal(report.dropped, { duplicate: 1, deleted: 1 })
})

/** Files whose records have ids in common, some with a broken one. */
function manyFiles(count: number): string {
  const root = temporaryFolder()
  const r = random(3)
  for (let i = 0; i < count; i++) {
    const rows = Array.from({ length: 60 }, (_, k) => {
      const filler = Array.from({ length: 400 }, () => `word${r.integer(1000)}`).join(' ')
      return record(r.integer(20) + 40 * i + k, `${i} ${k}`, { text: `${sentence(`${i}.${k}`)} ${filler}.` })
    })
    const broken = i % 3 === 2 ? '{"text": 1}\n' : ''
    writeFileSync(join(root, `f${String(i).padStart(3, '0')}.jsonl`), json(...rows) + broken)
  }
  return root
}

const many = manyFiles(24)
/** Two files a part, so that there is something to go on with. */
const partBytes = 500_000

test('the bytes do not depend on the number of workers', async () => {
  const one = await corpus([many], { partBytes })
  assert.ok(one.report.parts >= 12)
  assert.ok(one.report.dropped.duplicate > 50)
  for (const workers of [2, 3]) {
    const { text, report, out } = await corpus([many], { workers, partBytes })
    assert.ok(text === one.text)
    assert.equal({ ...report, out }, { ...one.report, out })
  }
})

test('strict stops at the first broken record, whatever the number of workers', async () => {
  const size = Buffer.byteLength(readFileSync(join(many, 'f002.jsonl'), 'utf8').split('{"text": 1}')[0])
  for (const workers of [1, 4]) {
    try {
      await corpus([many], { strict: true, workers, partBytes })
      assert.unreachable()
    } catch (error) {
      assert.instance(error, UserError)
      const expected = `f002.jsonl: byte ${size}: found fields "text" in line 61, expected an object`
      assert.ok((error as Error).message.includes(expected), (error as Error).message)
    }
  }
})

/** Runs a script and sends it a signal after some time; answers its status or the signal that it died of. */
function run(
  argv: string[],
  signal?: NodeJS.Signals,
  after = 0,
): Promise<{ status: number | string; error: string }> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let error = ''
  child.stderr.on('data', (chunk: Buffer) => {
    error += chunk.toString()
  })
  const timer = signal && setTimeout(() => child.kill(signal), after)
  return new Promise((resolve) => {
    child.on('close', (code, died) => {
      clearTimeout(timer)
      resolve({ status: died ?? code ?? -1, error })
    })
  })
}

test('a run that is killed at any moment goes on to the same bytes', async () => {
  const { text } = await corpus([many], { partBytes })
  const writer = fileURLToPath(new URL('../../support/corpus_writer.js', import.meta.url))
  const r = random(9)
  let killed = 0
  let reused = 0
  // more than two where a busy machine let the kills come too early or too late to tell anything
  for (let round = 0; round < 2 || (round < 8 && (killed === 0 || reused === 0)); round++) {
    const out = join(folder, `killed${round}`)
    const argv = [writer, JSON.stringify({ inputs: [many], out, workers: 2, partBytes })]
    const started = performance.now()
    const first = await run([
      writer,
      JSON.stringify({ inputs: [many], out: `${out}.whole`, workers: 2, partBytes }),
    ])
    assert.is(first.status, 0, first.error)
    const usual = performance.now() - started
    for (let k = 0; k < 2; k++) {
      const { status, error } = await run(argv, 'SIGKILL', usual * r.uniform(0.3, 1))
      if (status === 'SIGKILL') killed++
      else assert.is(status, 0, error)
      // whole or not there
      if (existsSync(out)) assert.ok(readFileSync(out, 'utf8') === text)
    }
    const { status, error } = await run(argv)
    assert.is(status, 0, error)
    assert.ok(readFileSync(out, 'utf8') === text)
    reused += (JSON.parse(readFileSync(`${out}.report.json`, 'utf8')) as CorpusReport).reusedParts
    assert.not.ok(existsSync(`${out}.parts`))
  }
  assert.ok(killed > 0, `${killed} runs were killed`)
  assert.ok(reused > 0, `${reused} parts were used again`)
})

test('a part that lost a file to a kill, while parts were removed, is made again', async () => {
  const { text } = await corpus([many], { partBytes })
  const writer = fileURLToPath(new URL('../../support/corpus_writer.js', import.meta.url))
  const out = join(folder, 'removing')
  const argv = [writer, JSON.stringify({ inputs: [many], out, workers: 2, partBytes })]
  const parts = `${out}.parts`
  const finished = () =>
    existsSync(parts) ? readdirSync(parts).filter((name) => name.endsWith('.json')) : []
  for (let wait = 60; finished().length < 2; wait *= 1.2) {
    rmSync(out, { force: true })
    await run(argv, 'SIGKILL', wait)
  }
  const [first, second] = finished()
  rmSync(join(parts, first.replace('.json', '.index')))
  rmSync(join(parts, second.replace('.json', '.text')))
  const { status, error } = await run(argv)
  assert.is(status, 0, error)
  assert.ok(readFileSync(out, 'utf8') === text)
})

test('Ctrl-C ends with status 130 and keeps finished parts', async () => {
  const root = temporaryFolder()
  // parts of one file each, of long lines that are quick to read
  const padding = json({ text: '', padding: 'x'.repeat(9 << 20) }).repeat(2)
  for (let i = 0; i < 5; i++) writeFileSync(join(root, `${i}.jsonl`), json(record(i, String(i))) + padding)
  const out = join(folder, 'interrupted')
  const argv = [program, 'corpus', root, '--out', out, '--workers', '1', '--quiet']
  const watch = async (): Promise<void> => {
    while (!existsSync(`${out}.parts`) || !readdirSync(`${out}.parts`).some((name) => name.endsWith('.json')))
      await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let error = ''
  child.stderr.on('data', (chunk: Buffer) => {
    error += chunk.toString()
  })
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve))
  await watch()
  child.kill('SIGINT')
  assert.is(await closed, 130, error)
  assert.match(error, /interrupted; the same command goes on with .*interrupted\.parts/)
  const parts = readdirSync(`${out}.parts`)
  assert.ok(
    parts.length > 0 && parts.every((name) => /^[0-9a-f]{24}\.(text|index|json)$/.test(name)),
    parts.join(),
  )
  assert.is((await run(argv)).status, 0)
  assert.is(readFileSync(out, 'utf8'), joined('0', '1', '2', '3', '4'))
})

test('parts of files or options that have changed are made again', async () => {
  const root = folderWith({
    'a.txt': sentence('a'),
    'b.txt': sentence('b'),
  })
  const out = join(folder, 'changed')
  const [a, b, bad] = ['a.txt', 'b.txt', 'c.jsonl'].map((name) => join(root, name))
  writeFileSync(bad, '{"text": 1}\n')
  const attempt = async (more: Partial<CorpusOptions> = {}) => {
    const inputs = [a, b, bad]
    await writeCorpus({ inputs, out, strict: true, workers: 1, partBytes: 40, ...more }).catch((error) => {
      if (!(error instanceof UserError)) throw error
    })
    return existsSync(`${out}.parts`)
      ? readdirSync(`${out}.parts`).filter((name) => name.endsWith('.json'))
      : []
  }
  const before = await attempt()
  assert.is(before.length, 1)
  assert.equal(await attempt(), before)
  assert.not.equal(await attempt({ maxWords: 3 }), before)
  utimesSync(a, new Date(1e12), new Date(1e12))
  const after = await attempt()
  assert.is(after.length, 1)
  assert.not.equal(after, before)
  mkdirSync(`${out}.parts`, { recursive: true })
  writeFileSync(join(`${out}.parts`, 'precious'), 'x')
  writeFileSync(bad, json(record(1, 'c')))
  await writeCorpus({ inputs: [a, b, bad], out, strict: true })
  assert.is(readFileSync(out, 'utf8'), joined('a', 'b', 'c'))
  assert.equal(readdirSync(`${out}.parts`), ['precious'])
})

test.run()
