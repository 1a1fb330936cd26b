/** The page as text: what it says, how it is built, and that no text from data changes how it is built. */
import { createHash } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pictureSvg, SERIES } from '../../src/profile/picture.js'
import { reportPage } from '../../src/report/page.js'
import { readFolders } from '../../src/report/read/folders.js'
import { MARKUP } from '../support/hostile.js'
import { checkPicture } from '../support/picture.js'
import { benchmarkFolder, finetuningRun, pretrainingRun, underFolder } from '../support/report_case.js'
import { harmlessFolder, hostileFolder } from '../support/report_folders.js'
import { folderWith } from '../support/temporary.js'

const test = suite('page of a report')

const options = {
  title: 'A title',
  examples: 5,
  command: ['bioalbert', 'report', 'x y'],
  versions: [['bioalbert', '9.9.9']] as const,
}

const made = new Map<string, Promise<string>>()
const harmlessPage = () => once('harmless', () => page(harmlessFolder()))
const hostilePage = () => once('hostile', () => page(hostileFolder(), MARKUP))

/** Pages that several tests look at are made once. */
function once(name: string, make: () => Promise<string>): Promise<string> {
  const promise = made.get(name) ?? make()
  made.set(name, promise)
  return promise
}

function page(folder: string, title = options.title): Promise<string> {
  return reportPage(readFolders([folder]), { ...options, title })
}

/** Tags in their order, each with the names of its attributes; attribute values in double quotes hold no angle. */
function tags(html: string): string[] {
  const body = html.replace(/<style>[^<]*<\/style>/, '<style></style>')
  return [...body.matchAll(/<([^>]*)>/g)].map(([, inside]) => inside.replace(/="[^"]*"/g, ''))
}

function text(html: string): string {
  const bare = html.replace(/<style>[^<]*<\/style>/, '').replace(/<[^>]*>/g, '')
  return bare
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&')
}

test('hostile names change no tag and no attribute of the page', async () => {
  const [harmless, hostile] = [await harmlessPage(), await hostilePage()]
  const [wanted, found] = [tags(harmless), tags(hostile)]
  const at = wanted.findIndex((tag, i) => tag !== found[i])
  assert.ok(
    at < 0,
    `tag ${at}: ${found
      .slice(at, at + 3)
      .join(' ')
      .slice(0, 300)}, want ${wanted.slice(at, at + 3).join(' ')}`,
  )
  assert.is(found.length, wanted.length)
  assert.ok(wanted.length > 1000, 'there is a page')
  assert.match(text(hostile), MARKUP)
  assert.match(text(hostile), '[U+202E]gnp.exe')
  for (const unseen of ['\u202e', '\u2066', '\u0000', '\u001b', '\ud800'])
    assert.not(hostile.includes(unseen))
})

test('the tags would differ if one text were not escaped', async () => {
  const harmless = await harmlessPage()
  assert.not.equal(tags(harmless.replace('name 1', '<b>name 1</b>')), tags(harmless))
  assert.not.equal(tags(harmless.replace('aria-label="', 'aria-label="" onload="')), tags(harmless))
})

test('no script, no handler, no style attribute, nothing to load; the policy says so and knows the one style sheet', async () => {
  const html = await hostilePage()
  for (const tag of tags(html)) {
    assert.not.match(tag, /^\/?(script|iframe|object|embed|link|form|base|foreignObject|use|a .*href.*href)/)
    assert.not.match(tag, /\s(on\w+|style|srcdoc|xlink:href)\b/)
  }
  for (const [, name, value] of html.matchAll(/ (href|src)="([^"]*)"/g))
    assert.match(value, name === 'href' ? /^#[a-z0-9-]+$/ : /^data:image\/svg\+xml;base64,[\w+/=]+$/)
  const style = html.match(/<style>([^<]*)<\/style>/)?.[1] ?? ''
  const digest = createHash('sha256').update(style).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${digest}'; img-src data:; base-uri 'none'; form-action 'none'`
  assert.match(
    html,
    `<meta http-equiv="Content-Security-Policy" content="${policy.replaceAll("'", '&#39;')}">`,
  )
  assert.ok(html.indexOf('Content-Security-Policy') < html.indexOf('<style>'), 'the policy comes first')
  assert.not.match(style, /url\(|@import|expression/)
})

test('headings go down one level at a time, tables have captions and scopes, pictures a text', async () => {
  const html = await harmlessPage()
  const levels = [...html.matchAll(/<h(\d)/g)].map(([, level]) => Number(level))
  assert.equal(levels.filter((level) => level === 1).length, 1)
  for (const [i, level] of levels.entries())
    assert.ok(i === 0 || level <= levels[i - 1] + 1, `h${level} after h${levels[i - 1]}`)
  const tables = html.match(/<table[\s\S]*?<\/table>/g) ?? []
  assert.ok(tables.length > 10)
  for (const one of tables) {
    assert.match(one, /<caption><span>[^<]+<\/span><\/caption>/)
    assert.not.match(one, /<th\b(?![^>]* scope=")/)
    const widths = [...one.matchAll(/<tr>([\s\S]*?)<\/tr>/g)].map(([, row]) => row.match(/<t[hd]/g)?.length)
    assert.is(new Set(widths).size, 1, `rows of ${widths.join(', ')} cells`)
  }
  for (const [tag] of html.matchAll(/<(svg|img)\b[^>]*>/g))
    assert.match(tag, /(role="img" aria-label="[^"]+"|aria-hidden="true"|alt="[^"]+")/)
  const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
  assert.is(new Set(ids).size, ids.length, 'no anchor twice')
  for (const [, anchor] of html.matchAll(/href="#([^"]*)"/g)) assert.ok(ids.includes(anchor), anchor)
})

test('the same folders give the same bytes', async () => {
  const folder = harmlessFolder()
  assert.is(await page(folder), await page(folder))
})

const sets = [
  { name: 'NCBI-disease', task: 'entities', metric: 'f1' },
  { name: 'BIOSSES', task: 'similarity', metric: 'pearson', note: '14 pairs tell little' },
]

test('scores stand with deviation and interval beside published ones, entity-level and paper-style apart', async () => {
  const values = [0.801, 0.805]
  const score = {
    model: 'ours',
    values,
    mean: 0.803,
    sd: 0.0028,
    interval: [0.79, 0.815],
    others: { recall: 0.79 },
  }
  const more = { scores: sets.map(({ name, metric }) => ({ ...score, set: name, metric })) }
  const said = text(
    await page(folderWith(benchmarkFolder({ models: ['ours', 'theirs'], sets, seeds: [1, 2], more }))),
  )
  for (const wanted of [
    '80.30 ± 0.28',
    '79.00 to 81.50',
    '80.10, 80.50',
    '74.00BioBERT v1.1',
    '97.18BioALBERT large',
    'few sentences',
    '14 pairs tell little',
    'Published, entity-level',
    'not to be compared',
    'Lee et al. 2020, table 6',
    '+3.00',
    '+1.00 to +5.00',
    'ours is better',
    'not told apart',
    'bioalbert benchmark --model ours theirs --out B',
    "bioalbert report 'x y'",
    '9.9.9',
    'two of its sets are missing',
  ])
    assert.match(said, wanted)
})

test('what has not ended or has learnt nothing is said', async () => {
  const collapsed = finetuningRun({ task: 'entities', metric: 'f1', value: 0, seed: 1 })
  const scores = JSON.parse(collapsed['scores.json']) as object
  collapsed['scores.json'] = JSON.stringify({ ...scores, collapsed: 'found no entity' })
  const folder = folderWith({
    ...underFolder('bad', collapsed),
    ...underFolder('half', pretrainingRun(30, 40)),
    ...underFolder('bench', benchmarkFolder({ models: ['m'], sets, seeds: [1], more: { left: 3 } })),
  })
  const said = text(await page(folder))
  assert.match(said, 'collapsedfound no entity')
  assert.match(said, 'not finished30 of 40')
  assert.match(said, 'Not finished: 3 runs that were planned have not ended')
})

test('an empty benchmark, a run without a log and a log without a step make a page', async () => {
  const empty = { sets: [], scores: [], runs: [], differences: [], averages: [], published: [] }
  const folder = folderWith({
    ...underFolder('b', benchmarkFolder({ models: ['m'], sets: [], seeds: [1], more: empty })),
    'run/checkpoint-3/state.json': '{"step": 3}',
    'new/log.jsonl': '',
  })
  const html = await page(folder)
  assert.match(text(html), 'stopped before its first step')
  assert.not.match(html, /NaN|undefined|Infinity|\[object/)
  assert.not.match(await harmlessPage(), /NaN|undefined|Infinity|\[object/)
})

test('a picture with all colours of lines has each in its style sheet for dark pages', async () => {
  const values = SERIES.map((_, i) => ({ x: i, y: i, colour: String(i) }))
  const scale = { domain: values.map(({ colour }) => colour), range: SERIES.map(([light]) => light) }
  const encoding = { x: { field: 'x' }, y: { field: 'y' }, color: { field: 'colour', scale, legend: null } }
  const spec = { data: { values }, mark: 'point', encoding } as Parameters<typeof pictureSvg>[0]
  checkPicture(await pictureSvg(spec, 'colours'))
  assert.is(new Set(SERIES.map(([light]) => light)).size, SERIES.length)
})

test('scores of checkpoints are drawn over the steps of pretraining', async () => {
  const models = ['P@300', 'P@100', 'Q@100', 'Q@300', 'plain']
  const files = benchmarkFolder({
    models,
    sets: [{ name: 'NCBI', task: 'entities', metric: 'f1' }],
    seeds: [1],
    more: {
      models: models.map((name) => {
        const [, step] = name.split('@')
        return { name, dir: 'd', parameters: 1, ...(step && { step: Number(step) }) }
      }),
    },
  })
  const { scores } = JSON.parse(`${files['benchmark.json']}`) as { scores: { mean: number }[] }
  const [at300, at100] = scores.map(({ mean }) => Number((100 * mean).toPrecision(4)))
  const html = await page(folderWith(files))
  const about = /aria-label="NCBI: F1 in %: ([^"]*)"/.exec(html)?.[1] ?? ''
  assert.match(
    about,
    new RegExp(`^P .*from ${at100} at step 100 to ${at300} at step 300.*; Q .* at step 300`),
  )
  assert.not.match(about, /plain/)
  assert.not.match(await harmlessPage(), /Scores along pretraining/)
})

test.run()
