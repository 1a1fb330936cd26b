/** JATS: what of an article is prose, in which order; citations without a trace; what is dropped; real articles against lxml. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CorpusRecord } from '../../../../src/data/corpus/format.js'
import { jats } from '../../../../src/data/corpus/formats/jats.js'
import { goldenOf, mutated, read } from '../../../support/corpus_xml.js'
import { noSharedData, sharedFile } from '../../../support/shared_data.js'
import { skip } from '../../../support/skip.js'

const test = suite('data/corpus/formats/jats')

interface Parts {
  type?: string
  lang?: string
  meta?: string
  title?: string
  body?: string
  back?: string
}

function article({
  type = 'research-article',
  lang,
  meta = '',
  title = 'A title',
  body = '<p>Text.</p>',
  back = '',
}: Parts): string {
  const language = lang === undefined ? '' : ` xml:lang="${lang}"`
  return `<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="${type}"${language}><front><journal-meta><journal-title>J</journal-title></journal-meta><article-meta><article-id pub-id-type="pmid">5</article-id><article-id pub-id-type="pmc">123</article-id><title-group><article-title>${title}</article-title></title-group><contrib-group><contrib><name><surname>No</surname></name></contrib></contrib-group>${meta}</article-meta></front><body>${body}</body>${back}</article>`
}

function only(parts: Parts, labels = true): CorpusRecord {
  const found = read(jats, article(parts), labels)
  assert.is(found.length, 1)
  return found[0]
}

function paragraphs(parts: Parts, labels = true): readonly string[] {
  const record = only(parts, labels)
  return record.kind === 'document' ? record.paragraphs.slice(1) : [`dropped: ${record.reason}`]
}

const cited = (text: string): string => paragraphs({ body: `<p>${text}</p>` })[0]
const x = (text: string, type = 'bibr'): string => `<xref ref-type="${type}" rid="B1">${text}</xref>`

test('an article is its title, abstracts, section titles and paragraphs in order', () => {
  const meta = `<abstract><sec><title>Background</title><p>One.</p><p>Two.</p></sec><sec><title>Results:</title><p>Three.</p></sec></abstract>
    <abstract abstract-type="graphical"><p>No.</p></abstract><abstract abstract-type="summary"><title>Author Summary</title><p>Four.</p></abstract>
    <trans-abstract xml:lang="es"><p>Nada.</p></trans-abstract><trans-abstract xml:lang="en"><p>Five.</p></trans-abstract><kwd-group><kwd>no</kwd></kwd-group>`
  const body = `<p>Before.</p><sec><title>Methods</title><p>Six.</p><sec><label>1.1</label><title>Cells <italic>in vitro</italic></title><p>Seven.</p></sec></sec><sec><p>Eight.</p></sec>`
  const back =
    '<back><ack><p>Thanks.</p></ack><ref-list><ref><mixed-citation>No</mixed-citation></ref></ref-list></back><sub-article><body><p>Review.</p></body></sub-article>'
  const record = only({ meta, body, back, title: `A title<xref ref-type="fn" rid="f">*</xref>` })
  assert.equal(record, {
    kind: 'document',
    id: 'PMC123',
    paragraphs: [
      'A title',
      'Background: One.',
      'Two.',
      'Results: Three.',
      'Four.',
      'Five.',
      'Before.',
      'Methods',
      'Six.',
      'Cells in vitro',
      'Seven.',
      'Eight.',
    ],
  })
  assert.equal(paragraphs({ meta, body }, false).slice(0, 3), ['One.', 'Two.', 'Three.'])
})

test('tables, figures, formulae, footnotes and the like are left out, the sentence around them goes on', () => {
  const body = `<p>As in<fig><label>Fig 1</label><caption><p>No.</p></caption></fig> the case<disp-formula><mml:math><mml:mi>x</mml:mi></mml:math></disp-formula>of <inline-formula><alternatives><tex-math>\\beta</tex-math><mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></alternatives></inline-formula>, so<fn><p>No.</p></fn>.</p>
    <table-wrap><caption><p>No.</p></caption><table><tbody><tr><td>1</td></tr></tbody></table></table-wrap><fig-group><fig/></fig-group><code>no()</code><p><disp-formula>y</disp-formula></p>
    <p>A line<break/>and <named-content>a</named-content><ext-link>link</ext-link>.</p><supplementary-material><p>No.</p></supplementary-material>`
  assert.equal(paragraphs({ body }), ['As in the case of x^2, so.', 'A line and alink.'])
})

test('items of lists, quotes and boxes are paragraphs of their own, also inside one', () => {
  const list =
    '<list><list-item><label>1</label><p>One;</p></list-item><list-item><p>two.</p></list-item></list>'
  assert.equal(
    paragraphs({
      body: `<p>There are: ${list} And so on.</p>${list}<boxed-text><title>Box</title><p>In it.</p></boxed-text><def-list><def-item><term>T</term><def><p>Is this.</p></def></def-item></def-list>`,
    }),
    ['There are:', 'One;', 'two.', 'And so on.', 'One;', 'two.', 'Box', 'In it.', 'T', 'Is this.'],
  )
})

test('sections that are no prose of the article are left out', () => {
  for (const title of [
    'Acknowledgements',
    'Funding',
    "Authors' contributions",
    'Authors\u2019 contributions',
    'Competing interests',
    '6. Conflicts of interest',
    'Abbreviations',
    'Supporting Information',
    'Data Availability Statement',
    'Pre-publication history',
  ])
    assert.equal(
      paragraphs({ body: `<sec><title>${title}</title><p>No.</p></sec><p>Yes.</p>` }),
      ['Yes.'],
      title,
    )
  assert.equal(
    paragraphs({
      body: '<sec sec-type="supplementary-material"><title>More</title><p>No.</p></sec><p>Yes.</p>',
    }),
    ['Yes.'],
  )
  for (const title of ['Funding of hospitals in Ghana', 'Conclusions', 'Data'])
    assert.equal(paragraphs({ body: `<sec><title>${title}</title><p>Yes.</p></sec>` }), [title, 'Yes.'])
})

test('citations by number go with their brackets', () => {
  const cases: [string, string][] = [
    [`It is so [${x('1')},${x('2')}].`, 'It is so.'],
    [`It is so [${x('1')}-${x('3')}, ${x('7')}] and so on.`, 'It is so and so on.'],
    [`It is so ${x('[1]')}, ${x('[2]')}.`, 'It is so.'],
    [`It is so ${x('[1]')}\u2013${x('[5]')}, but`, 'It is so, but'],
    [`It is so (${x('1')}; ${x('2')}).`, 'It is so.'],
    [`It is so.<sup>${x('1')},${x('2')}</sup> And so.`, 'It is so. And so.'],
    [`It is so<sup>${x('1')}\u2013${x('4')}</sup>.`, 'It is so.'],
    [`It is so ${x('<sup>1</sup>')}.`, 'It is so.'],
    [`Doe et al. [${x('7')}].`, 'Doe et al.'],
    [`(SD/MLT; [${x('7')}])`, '(SD/MLT)'],
    [`Known (reviewed in [${x('7')}]).`, 'Known.'],
    [`Known (see [${x('7')}], e.g. ${x('8')}) things`, 'Known things'],
    [`(by ${x('7')}, in mice)`, '(by, in mice)'],
    [`CD4<sup>+</sup> and 10<sup>5</sup> [${x('1')}]`, 'CD4+ and 10^5'],
    [`In [3H] and (a) ${x('Figure 1', 'fig')}`, 'In [3H] and (a) Figure 1'],
  ]
  for (const [markup, text] of cases) assert.is(cited(markup), text, markup)
})

test('citations by words go with their brackets and stay where they are part of the sentence', () => {
  const cases: [string, string][] = [
    [`It is so (${x('Smith et al., 2010')}; ${x('Doe, 2011')}).`, 'It is so.'],
    [
      `It is so (see also ${x('Smith, 2010')} for a review).`,
      'It is so (see also Smith, 2010 for a review).',
    ],
    [`It is so (e.g. ${x('Smith, 2010')}).`, 'It is so.'],
    [`As ${x('Smith et al. (2010)')} showed`, 'As Smith et al. (2010) showed'],
    [`(mice; ${x('Smith, 2010')})`, '(mice; Smith, 2010)'],
  ]
  for (const [markup, text] of cases) assert.is(cited(markup), text)
})

test('references to figures, tables and sections are text, to footnotes nothing', () => {
  assert.is(
    cited(`Shown (${x('Figure 1', 'fig')}; ${x('Table 2', 'table')})${x('a', 'fn')}.`),
    'Shown (Figure 1; Table 2).',
  )
})

test('retracted articles, notices, corrections, other languages and empty articles are dropped', () => {
  const related = (type: string): string => `<related-article related-article-type="${type}" xlink:href="1"/>`
  const cases: [Parts, string][] = [
    [{ type: 'retraction' }, 'retracted'],
    [{ title: 'RETRACTED: A title' }, 'retracted'],
    [{ title: 'Retraction: A title' }, 'retracted'],
    [{ meta: related('retracted-article') }, 'retracted'],
    [{ meta: related('retraction-forward') }, 'retracted'],
    [{ type: 'correction' }, 'article_type'],
    [{ lang: 'es' }, 'language'],
    [{ body: '<p> </p><table-wrap/>' }, 'no_text'],
  ]
  for (const [parts, reason] of cases)
    assert.equal(only(parts), { kind: 'dropped', reason, id: 'PMC123', byte: 0 })
  for (const parts of [
    { lang: 'en-GB' },
    { meta: related('companion') },
    { title: 'Retraction of the gill' },
    { type: 'letter' },
  ])
    assert.is(only(parts).kind, 'document')
})

test('ids are those of PMC, in old and new spelling, else the PMID', () => {
  const id = (ids: string): CorpusRecord =>
    read(jats, article({}).replace(/<article-id.*<\/article-id>/, ids))[0]
  const written = (type: string, text: string): string =>
    `<article-id pub-id-type="${type}">${text}</article-id>`
  assert.equal(id(written('pmcid', 'PMC77') + written('pmcid-ver', 'PMC77.2')), {
    kind: 'document',
    id: 'PMC77',
    version: 2,
    paragraphs: ['A title', 'Text.'],
  })
  assert.is(id(written('pmid', '9')).id, '9')
  assert.is(id('').id, undefined)
})

test('several articles of one file are several documents, in a set or one after the other', () => {
  const two = article({ body: '<p>One.</p>' }) + article({ body: '<p>Two.</p>' })
  const whole = (n: string): string =>
    `<?xml version="1.0"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD" "x.dtd">\n${article({ body: `<p>${n}</p>` })}\n`
  for (const text of [`<pmc-articleset>${two}</pmc-articleset>`, whole('One.') + whole('Two.')])
    assert.equal(
      read(jats, text).map((record) => (record.kind === 'document' ? record.paragraphs[1] : record.detail)),
      ['One.', 'Two.'],
    )
})

test('articles are recognised by their root', () => {
  const recognised = (name: string, head: string): boolean => jats.recognises(name, Buffer.from(head))
  assert.ok(recognised('a.nxml', '<!DOCTYPE article PUBLIC "x" "y">\n<article xmlns:xlink="z">'))
  assert.ok(recognised('a.xml', '<pmc-articleset><article>'))
  assert.not.ok(recognised('a.xml', '<PubmedArticleSet><PubmedArticle>'))
  assert.not.ok(recognised('a.txt', '<article>'))
  assert.not.ok(recognised('a.xml', '<html><body>'))
})

test('deep and wide markup takes time in proportion', () => {
  const wide = '<p>'.concat(`<sup>1</sup>[${x('1')}] `.repeat(20_000), '</p>')
  const deep = '<sup>'.repeat(240).concat('1', '</sup>'.repeat(240))
  const started = process.cpuUsage().user
  assert.is(paragraphs({ body: wide }).length, 1)
  assert.is(only({ body: `<p>${deep}</p>` }).kind, 'document')
  assert.is(
    only({ body: `<p>${x('[').repeat(5_000)} e.g. (${' e.g. see in,'.repeat(20_000)}</p>` }).kind,
    'document',
  )
  assert.ok(process.cpuUsage().user - started < 4e6)
})

const real = sharedFile('corpus', 'pmc_xml')
const name = 'real articles give the paragraphs that lxml gives, however they are cut'
if (real === undefined) skip(test, name, noSharedData)
else
  test(name, () => {
    const golden = goldenOf('pmc_xml')
    assert.ok(golden.size >= 5)
    for (const [file, documents] of golden) {
      const bytes = readFileSync(join(real, file))
      assert.ok(jats.recognises(file, bytes.subarray(0, 4096)), file)
      for (const step of [4099, 7]) assert.equal(read(jats, bytes, true, step, true), documents, file)
    }
  })

test('mutated articles end in documents and dropped records', async () => {
  const dictionary = [
    '<article>',
    '</article>',
    '<sec>',
    '</sec>',
    '<p>',
    '</p>',
    '<xref ref-type="bibr">',
    '</xref>',
    '<sup>',
    '</sup>',
    '[',
    ']',
    '(',
    '<list>',
    '<back>',
    '&',
    '<!--',
    '<![CDATA[',
    '<alternatives>',
  ]
  const seeds = [
    article({
      meta: '<abstract><sec><title>B</title><p>One.</p></sec></abstract>',
      body: `<sec><title>M</title><p>A [${x('1')},${x('2')}] b<sup>${x('3')}</sup>.</p><list><list-item><p>c</p></list-item></list></sec>`,
      back: '<back><ref-list/></back>',
    }),
    `<pmc-articleset>${article({})}${article({ body: '<p><inline-formula><mml:math><mml:mi>x</mml:mi></mml:math></inline-formula></p>' })}</pmc-articleset>`,
  ]
  await mutated(jats, seeds, dictionary)
})

test.run()
