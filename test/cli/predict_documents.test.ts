/** `predict` on files and folders of documents as a person runs it: what is written, what fails, and what a kill leaves to go on with. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { documentsOf, readAll } from '../support/documents_case.js'
import { commandLine } from '../support/paths.js'
import { toyFolder } from '../support/toy_run.js'

const test = suite('predict on documents')
const folder = toyFolder({ train: 120, devel: 40, test: 10 }, 'Sign')

function bioalbert(argv: string[], input = ''): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [commandLine, ...argv], { cwd: folder, encoding: 'utf8', input })
}

/** Of a run that went well. */
function predicted(...argv: string[]): string {
  const { stdout, stderr, status } = bioalbert(['predict', '--model', 'o', ...argv])
  assert.is(status, 0, stderr)
  return stdout
}

const at = (path: string) => join(folder, path)
const read = (path: string) => readFileSync(at(path), 'utf8')
function put(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), content)
  }
}

const BIOC = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>s</source><date>d</date><key>k</key><document><id>7</id><infon key="year">1999</infon><passage><infon key="type">title</infon><offset>0</offset><text>The \u{1f912} patient had fever &amp; cafe\u0301.</text><annotation id="T1"><infon key="type">Food</infon><location offset="26" length="5"/><text>cafe\u0301</text></annotation></passage><passage><infon key="type">abstract</infon><offset>33</offset><text>The patients had&#13;
cough, and \u{1d7d8} was treated with &lt;zinc&gt;. Cough was treated.</text><relation id="R1"><infon key="type">eats</infon><node refid="T1" role="what"/></relation></passage></document>
</collection>
`

test.before(() => {
  const trained = bioalbert(
    'finetune ner --preset nano --data d --tokenizer v --out o --batch 16 --learning-rate 1e-3 --total-steps 120 --eval-every 40 --quiet'.split(
      ' ',
    ),
  )
  assert.is(trained.status, 0, trained.stderr)
  put({ 'b.xml': BIOC })
})

/** Entities of the model in a BioC file that it wrote: place and text. */
function biocSpans(xml: string): [number, number, string][] {
  const found =
    /<annotation id="P\d+"><infon key="type">Sign<\/infon><infon key="score">[\d.]+<\/infon><location offset="(\d+)" length="(\d+)"\/><text>([^<]*)</g
  return [...xml.matchAll(found)].map(([, offset, length, text]) => [
    Number(offset),
    Number(offset) + Number(length),
    text,
  ])
}

test('BioC to BioC adds annotations and changes nothing else', () => {
  const written = predicted('b.xml', '--format', 'bioc-xml')
  const spans = biocSpans(written)
  assert.ok(spans.some(([, , text]) => text === 'cough'))
  assert.is(
    written.replace(/<annotation id="P\d+">.*?<\/annotation>/g, '').replace('</key>\n', '</key>'),
    BIOC,
  )
})

test('BioC to brat and back: the same spans', () => {
  const spans = biocSpans(predicted('b.xml', '--format', 'bioc-xml'))
  predicted('b.xml', '--format', 'brat', '--out', 'brat')
  assert.equal(readdirSync(at('brat')), ['7.ann', '7.txt'])
  const characters = [...read('brat/7.txt')]
  const rows = read('brat/7.ann')
    .split('\n')
    .filter((row) => /^T\d+\tSign /.test(row))
    .map((row): [number, number, string] => {
      const [, place, text] = row.split('\t')
      const [, start, end] = place.split(' ')
      assert.is(characters.slice(Number(start), Number(end)).join(''), text)
      return [Number(start), Number(end), text]
    })
  assert.equal(rows, spans)
  assert.match(read('brat/7.ann'), /^T1\tFood 26 31\tcafe\u0301$/m)
  // as a text of its own, in which places are the same
  const text = read('brat/7.txt')
  put({ 'again.jsonl': `${JSON.stringify({ id: '7', text })}\n` })
  for (const one of documentsOf(readAll('jsonl', predicted('again.jsonl', '--format', 'jsonl'))))
    assert.is(one.passages[0].text, text)
})

test('all formats say the same spans', () => {
  const spans = biocSpans(predicted('b.xml', '--format', 'bioc-xml'))
  const { text, entities } = JSON.parse(predicted('b.xml', '--json'))
  const own = (list: { start: number; end: number; type: string; text: string }[]) =>
    list.filter(({ type }) => type === 'Sign').map(({ start, end, text }) => [start, end, text])
  assert.equal(own(entities), spans)
  for (const [start, end, words] of spans) assert.is([...text].slice(start, end).join(''), words)
  const pubtator = predicted('b.xml', '--format', 'pubtator')
  const rows = pubtator.split('\n').map((row) => row.split('\t'))
  const signs = rows.filter((row) => row[4] === 'Sign').map((row) => [Number(row[1]), Number(row[2]), row[3]])
  assert.equal(signs, spans)
  const json = JSON.parse(predicted('b.xml', '--format', 'bioc-json'))
  const biocJson = json.documents[0].passages.flatMap(
    ({ annotations }: { annotations: unknown[] }) => annotations,
  )
  assert.is(biocJson.length, spans.length + 1)
  const page = predicted('b.xml', '--format', 'html')
  assert.is(page.match(/<mark class="e0">.*?<small>/g)?.length, spans.length)
  assert.match(page, /<span class="given">cafe\u0301<\/span>/)
})

test('--replace leaves what is predicted alone', () => {
  const written = predicted('b.xml', '--format', 'bioc-xml', '--replace')
  assert.not.match(written, /Food|eats/)
  assert.ok(biocSpans(written).length > 0)
  assert.match(written, /<infon key="year">1999<\/infon>/)
})

test('folders are read whole, in order, whatever their files are; what is none is left out and counted', () => {
  put({
    'in/b/2.pubtator': '20|t|The patient had fever.\n20|a|\n\n',
    'in/a.jsonl': '{"id":"1","text":"cough was treated ."}\n',
    'in/c.txt.gz': gzipSync('the patients had fever .\n'),
    'in/d.xml':
      '<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>30</PMID><Article><ArticleTitle>The <i>fever</i>.</ArticleTitle><Abstract><AbstractText Label="AIM">Had cough.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>',
    'in/e.bin': Buffer.from([0, 1, 2, 3]),
    'in/.hidden.txt': 'fever',
  })
  const { stdout, stderr, status } = bioalbert('predict in b.xml --model o --format jsonl'.split(' '))
  assert.is(status, 0, stderr)
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((row) => JSON.parse(row))
  assert.equal(
    rows.map(({ id }) => id),
    ['1', '20', undefined, '30', '7'],
  )
  assert.is(rows[3].text, 'The fever.\nAIM: Had cough.')
  assert.match(stderr, /1 files are of no format, and left out/)
})

test('a document that fails is named, and the rest is done', () => {
  put({
    'bad/1.jsonl': '{"id":"1","text":"fever ."}\n{"id":2}\n{"id":"3","text":"cough ."}\n',
    'bad/2.pubtator': '4|t|x\n4|a|y\n4\t0\t99\tx\tT\n\n5|t|fever\n5|a|\n\n',
    'bad/3.xml': `${BIOC.slice(0, -80)}`,
    'bad/4.txt.gz': gzipSync('fever '.repeat(10_000)).subarray(0, 60),
  })
  const { stdout, stderr, status } = bioalbert('predict bad --model o --format jsonl --quiet'.split(' '))
  assert.is(status, 1)
  const ids = stdout
    .trimEnd()
    .split('\n')
    .map((row) => JSON.parse(row).id)
  assert.equal(ids, ['1', '3', '5'])
  for (const said of [
    /^bioalbert: bad\/1\.jsonl:2: document 2: found no text, expected \{"id": "\.\.\.", "text": "\.\.\."\}$/m,
    /^bioalbert: bad\/2\.pubtator:1: document 4: found .*99.*, expected a mention inside/m,
    /^bioalbert: bad\/3\.xml: byte \d+: found the end of the file, expected <\/document>$/m,
    /^bioalbert: bad\/4\.txt\.gz: found gzip that is broken \(unexpected end of file\)/m,
    /^bioalbert: 4 of 7 documents failed, see above$/m,
  ])
    assert.match(stderr, said)
})

test('a file is asked for, a folder for brat; other uses are refused', () => {
  const cases: [string, RegExp, number?][] = [
    ['b.xml --format brat', /brat is a folder of files: want --out DIR/],
    ['b.xml --format brat --out d', /d: is there already and not empty/],
    ['b.xml --format words', /--format is words \(want one of text, jsonl, conll, .*bioc-xml/],
    ['b.xml --format conll --replace', /--replace says nothing to conll/],
    ['b.xml --input-format brat', /Allowed choices are pubmed-xml, bioc-xml/],
    ['nowhere', /nowhere: found no such file, expected a file or folder of documents/, 1],
    ['in/b --text x', /want either FILE or --text/],
  ]
  for (const [argv, said, wanted = 2] of cases) {
    const { stderr, status } = bioalbert(['predict', '--model', 'o', ...argv.split(' ')])
    assert.is(status, wanted, stderr)
    assert.match(stderr, said)
  }
})

test('standard input is looked at as a file is', () => {
  const { stdout, status } = bioalbert(
    'predict --model o --format pubtator'.split(' '),
    '1|t|The patient had fever.\n1|a|\n',
  )
  assert.is(status, 0)
  assert.match(stdout, /^1\|t\|The patient had fever\.\n1\|a\|\n1\t16\t21\tfever\tSign\t-\n\n$/)
})

test('--out is a whole file by the ending of its name, and its result an object', () => {
  const result = JSON.parse(predicted('b.xml', '--out', 'b.jsonl', '--json'))
  const { entities } = JSON.parse(read('b.jsonl'))
  assert.equal([result.format, result.documents, result.failed], ['jsonl', 1, 0])
  assert.is(result.found, entities.length - 1)
  assert.not.ok(existsSync(at('b.jsonl.partial')))
  predicted('b.xml', '--out', 'b.html')
  assert.match(read('b.html'), /^<!doctype html>.*<\/html>\n$/s)
})

/** Few words and much text: a part is full soon. */
function longDocuments(): string {
  return Array.from({ length: 500 }, (_, i) => {
    const text = `The patient had ${i % 3 === 0 ? 'fever' : 'zinc'}${' '.repeat(25_000)}.`
    return i === 200 ? '{"id":200}' : JSON.stringify({ id: String(i % 300), text })
  }).join('\n')
}

async function killed(
  argv: readonly string[],
  partial: string,
  until: (names: string[]) => boolean,
): Promise<void> {
  const child = spawn(process.execPath, [commandLine, 'predict', '--model', 'o', ...argv], {
    cwd: folder,
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.on('close', (_, signal) => resolve(signal)))
  const look = setInterval(() => {
    const path = at(partial)
    if (existsSync(path) && until(readdirSync(path))) child.kill('SIGKILL')
  }, 2)
  const signal = await ended
  clearInterval(look)
  assert.is(signal, 'SIGKILL', 'ended before it was killed')
}

for (const [format, out] of [
  ['bioc-json', 'long.json'],
  ['brat', 'long'],
])
  test(`a run to ${format} that is killed twice goes on and ends in the same bytes`, async () => {
    put({ 'long.jsonl': longDocuments() })
    const argv = (name: string) => ['long.jsonl', '--format', format, '--out', name]
    const run = (name: string) => bioalbert(['predict', '--model', 'o', ...argv(name)])
    const whole = run(`whole-${out}`)
    assert.is(whole.status, 1)
    assert.match(whole.stderr, /long\.jsonl:201: document 200: found no text/)
    const progress = () => JSON.parse(read(`${out}.partial/progress.json`)).records as number
    await killed(argv(out), `${out}.partial`, (names) => names.includes('progress.json') && progress() > 60)
    const first = progress()
    await killed(
      argv(out),
      `${out}.partial`,
      (names) => names.includes('progress.json') && progress() > first + 60,
    )
    assert.ok(first < 500)
    const other = bioalbert(['predict', '--model', 'o', ...argv(out), '--replace'])
    assert.is(other.status, 2)
    assert.match(other.stderr, /is of a run with other inputs, another model or other options/)
    const resumed = run(out)
    assert.is(resumed.status, 1, resumed.stderr)
    assert.match(resumed.stderr, /going on behind [\d,]+ documents/)
    assert.match(resumed.stderr, /^bioalbert: 1 of 500 documents failed/m)
    const list = (name: string) => (format === 'brat' ? readdirSync(at(name)).sort() : [''])
    assert.equal(list(out), list(`whole-${out}`))
    assert.is(list(out).length, format === 'brat' ? 2 * 499 : 1)
    for (const name of list(out))
      assert.ok(readFileSync(at(join(out, name))).equals(readFileSync(at(join(`whole-${out}`, name)))), name)
    assert.not.ok(existsSync(at(`${out}.partial`)))
    for (const name of [out, `whole-${out}`]) rmSync(at(name), { recursive: true })
  })

test('labels of documents are read over passages; tasks of lines refuse documents by name', () => {
  const rows = 'index\ttext\tlabels\n1\tthe fever .\ta\n2\tthe cough .\t\n3\tthe zinc .\tb\n'
  put({ 'c/train.tsv': rows, 'c/dev.tsv': rows, 'c/test.tsv': rows })
  const trained = bioalbert(
    'finetune documents --preset nano --data c --tokenizer v --out oc --total-steps 2 --quiet'.split(' '),
  )
  assert.is(trained.status, 0, trained.stderr)
  const run = (...argv: string[]) => bioalbert(['predict', 'b.xml', '--model', 'oc', ...argv])
  const { id, text, labels, probabilities } = JSON.parse(run('--json').stdout)
  assert.is(id, '7')
  assert.match(text, /caf.*\n.*cough/s)
  assert.ok(Array.isArray(labels))
  assert.is(probabilities.length, 2)
  assert.match(
    run('--format', 'bioc-xml').stdout,
    /<infon key="labels">[ab,]*<\/infon><infon key="probabilities">a=0\.\d{4},b=/,
  )
  const refused = run('--format', 'pubtator')
  assert.is(refused.status, 2)
  assert.match(refused.stderr, /want one of text, jsonl, bioc-xml, bioc-json for documents/)
})

test.run()
