/** PubMed's XML: what of a citation is a document, and what is dropped with which word; inline markup; real files against lxml. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CorpusRecord } from '../../../../src/data/corpus/format.js'
import { pubmedXml } from '../../../../src/data/corpus/formats/pubmed_xml.js'
import { goldenOf, mutated, read } from '../../../support/corpus_xml.js'
import { noSharedData, sharedFile } from '../../../support/shared_data.js'
import { skip } from '../../../support/skip.js'

const test = suite('data/corpus/formats/pubmed_xml')

function citation(article: string, rest = '', pmid = '<PMID Version="2">7</PMID>'): string {
  return `<PubmedArticle><MedlineCitation Status="MEDLINE">${pmid}<Article>${article}</Article>${rest}</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="pmc">PMC1</ArticleId></ArticleIdList></PubmedData></PubmedArticle>`
}

function records(inside: string, labels = true): CorpusRecord[] {
  return read(pubmedXml, `<?xml version="1.0"?>\n<PubmedArticleSet>${inside}</PubmedArticleSet>`, labels)
}

function paragraphs(article: string, labels = true): readonly string[] {
  const [record] = records(citation(article), labels)
  return record.kind === 'document' ? record.paragraphs : [`dropped: ${record.reason}`]
}

const abstract = (text: string): string =>
  `<ArticleTitle>T.</ArticleTitle><Abstract><AbstractText>${text}</AbstractText></Abstract>`

test('a citation is its title and the parts of its abstract, with id and version', () => {
  const article = `<Journal><Title>J</Title></Journal><ArticleTitle>A  title.</ArticleTitle><Abstract>
    <AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">One\n two.</AbstractText><AbstractText Label="RESULTS:">Three.</AbstractText><AbstractText Label="UNLABELLED">Four.</AbstractText>
    <AbstractText/><CopyrightInformation>Copyright 2020</CopyrightInformation></Abstract><AuthorList><Author><LastName>No</LastName></Author></AuthorList><VernacularTitle>Nein</VernacularTitle>`
  const rest =
    '<OtherAbstract Type="plain-language-summary"><AbstractText>No.</AbstractText></OtherAbstract><KeywordList><Keyword>no</Keyword></KeywordList>'
  const labelled = ['A title.', 'BACKGROUND: One two.', 'RESULTS: Three.', 'Four.']
  assert.equal(records(citation(article, rest)), [
    { kind: 'document', id: '7', version: 2, paragraphs: labelled },
  ])
  assert.equal(paragraphs(article, false), ['A title.', 'One two.', 'Three.', 'Four.'])
})

test('inline markup neither glues words nor splits them', () => {
  const cases: [string, string][] = [
    ['<i>Escherichia</i> <i>coli</i>', 'Escherichia coli'],
    ['H<sub>2</sub>O and Ca<sup>2+</sup>, CO<sub>2</sub>', 'H2O and Ca2+, CO2'],
    ['10<sup>5</sup> cells, 10<sup>-3</sup> M, 10<sup>\u22123</sup>', '10^5 cells, 10^-3 M, 10^\u22123'],
    ['<sup>14</sup>C, mm<sup>3</sup>, 4<sup>th</sup>', '14C, mm3, 4th'],
    ['log<sub>10</sub>2 and mc<sup>2</sup>155', 'log10 2 and mc2155'],
    ['<b>AIM:</b>to <u>see</u>', 'AIM:to see'],
    ['anti<i>-CD</i>4<sup>+</sup>', 'anti-CD4+'],
    ['a<unknown>b</unknown>c', 'a b c'],
    ['a<DispFormula>x</DispFormula>b', 'a b'],
    ['p \u00a0=\u200a0.05 soft\u00adhyphen', 'p = 0.05 softhyphen'],
    ['<![CDATA[5 < 6]]> &amp; &alpha;', '5 < 6 & α'],
  ]
  for (const [markup, text] of cases) assert.equal(paragraphs(abstract(markup)), ['T.', text])
})

test('MathML comes on one line, without its TeX', () => {
  const math = (inside: string): string => paragraphs(abstract(`<mml:math>${inside}</mml:math>`))[1]
  assert.is(
    math(
      '<mml:mrow><mml:mfrac><mml:mi>a</mml:mi><mml:mrow><mml:mi>b</mml:mi><mml:mo>+</mml:mo><mml:mn>1</mml:mn></mml:mrow></mml:mfrac></mml:mrow>',
    ),
    'a/(b + 1)',
  )
  assert.is(math('<mml:msup><mml:mn>10</mml:mn><mml:mn>5</mml:mn></mml:msup>'), '10^5')
  assert.is(
    math(
      '<mml:semantics><mml:msqrt><mml:mi>x</mml:mi></mml:msqrt><mml:annotation>\\sqrt{x}</mml:annotation></mml:semantics>',
    ),
    'sqrt(x)',
  )
  assert.is(math('<mml:msub><mml:mi>R</mml:mi><mml:mn>0</mml:mn></mml:msub>'), 'R0')
  assert.is(
    paragraphs(abstract('<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>'))[1],
    'x',
  )
})

test('translated titles lose their brackets, placeholders are no titles', () => {
  const title = (text: string): string => {
    const [first, second] = paragraphs(
      `<ArticleTitle>${text}</ArticleTitle><Abstract><AbstractText>B.</AbstractText></Abstract>`,
    )
    return second === undefined ? '' : first
  }
  assert.is(title('[The heart in winter].'), 'The heart in winter.')
  assert.is(title('[Is it so?]'), 'Is it so?')
  assert.is(title('[Na+] and [K+].'), '[Na+] and [K+].')
  assert.is(title('[Not Available].'), '')
  assert.is(title('[In process citation]'), '')
})

test('marks of truncation go, and an abstract that says there is none is none', () => {
  assert.equal(paragraphs(abstract('So it ends.(ABSTRACT TRUNCATED AT 250 WORDS)')), ['T.', 'So it ends.'])
  assert.equal(paragraphs(abstract('So it ends. ABSTRACT TRUNCATED')), ['T.', 'So it ends.'])
  assert.equal(paragraphs(abstract('[No abstract available].')), ['dropped: no_text'])
  assert.equal(paragraphs(abstract(' ')), ['dropped: no_text'])
  assert.equal(paragraphs('<ArticleTitle>Only a title.</ArticleTitle>'), ['dropped: no_text'])
})

test('retracted publications and notices of retraction are dropped, and what comments on them is not', () => {
  const type = (name: string): string =>
    `${abstract('Text.')}<PublicationTypeList><PublicationType>${name}</PublicationType></PublicationTypeList>`
  const comment = (kind: string): string =>
    `<CommentsCorrectionsList><CommentsCorrections RefType="${kind}"><PMID>9</PMID></CommentsCorrections></CommentsCorrectionsList>`
  const found = records(
    citation(type('Retracted Publication')) +
      citation(type('Retraction of Publication')) +
      citation(abstract('Text.'), comment('RetractionIn')) +
      citation(type('Journal Article'), comment('CommentOn')),
  )
  assert.equal(
    found.map((record) => (record.kind === 'dropped' ? `${record.reason} ${record.id}` : record.kind)),
    ['retracted 7', 'retracted 7', 'retracted 7', 'document'],
  )
})

test('lists of deleted citations give each PMID, books give their abstracts, MedlineCitationSet its citations', () => {
  const deleted = '<DeleteCitation><PMID Version="1">11</PMID><PMID Version="1">12</PMID></DeleteCitation>'
  const book =
    '<PubmedBookArticle><BookDocument><PMID Version="1">20</PMID><Book><BookTitle>The book</BookTitle></Book><Abstract><AbstractText>Of a book.</AbstractText></Abstract></BookDocument></PubmedBookArticle>'
  const found = records(deleted + book)
  const start = found[0].kind === 'dropped' ? found[0].byte : -1
  assert.equal(found, [
    { kind: 'dropped', reason: 'deleted', id: '11', byte: start },
    { kind: 'dropped', reason: 'deleted', id: '12', byte: start },
    { kind: 'document', id: '20', version: 1, paragraphs: ['The book', 'Of a book.'] },
  ])
  const medline = `<MedlineCitationSet><MedlineCitation><PMID>5</PMID><Article>${abstract('Text.')}</Article></MedlineCitation></MedlineCitationSet>`
  assert.equal(read(pubmedXml, medline), [{ kind: 'document', id: '5', paragraphs: ['T.', 'Text.'] }])
})

test('a broken citation is dropped with its byte, and those around it are read', () => {
  const good = citation(abstract('Good.'))
  const bad = citation(abstract('Bad <i>markup</b>.'))
  const found = records(good + bad + good)
  assert.equal(
    found.map(({ kind }) => kind),
    ['document', 'dropped', 'document'],
  )
  const [, dropped] = found
  if (dropped.kind !== 'dropped') throw new Error('no defect')
  assert.is(dropped.reason, 'broken')
  assert.is(dropped.byte, `<?xml version="1.0"?>\n<PubmedArticleSet>${good}${bad}`.indexOf('</b>') + 4)
  assert.match(
    dropped.detail ?? '',
    /found ".*<i>markup<\/b>" \(unexpected close tag\), expected well-formed XML/,
  )
})

test('files of PubMed are recognised, other XML is not', () => {
  const recognised = (name: string, head: string): boolean => pubmedXml.recognises(name, Buffer.from(head))
  assert.ok(
    recognised(
      'pubmed24n0001.xml',
      '<?xml version="1.0"?>\n<!DOCTYPE PubmedArticleSet SYSTEM "x">\n<PubmedArticleSet>',
    ),
  )
  assert.ok(recognised('x', '<PubmedArticleSet>'))
  assert.ok(pubmedXml.recognises('x.xml', Buffer.from('\ufeff<PubmedArticleSet>', 'utf16le')))
  assert.not.ok(recognised('x.xml', '<article><title>PubmedArticleSet</title>'))
  assert.not.ok(recognised('x.jsonl', '{"text": "<PubmedArticleSet>"}'))
})

const real = sharedFile('corpus', 'pubmed_xml')
const name = 'real files give the documents that lxml gives, however they are cut'
if (real === undefined) skip(test, name, noSharedData)
else
  test(name, () => {
    const golden = goldenOf('pubmed_xml')
    assert.ok(golden.size >= 8)
    for (const [file, documents] of golden) {
      const bytes = readFileSync(join(real, file))
      assert.ok(pubmedXml.recognises(file, bytes.subarray(0, 4096)), file)
      assert.equal(read(pubmedXml, bytes, true, 4099, true), documents, file)
      if (bytes.length < 30_000) assert.equal(read(pubmedXml, bytes, true, 1, true), documents, file)
    }
  })

test('mutated files end in documents and dropped records', async () => {
  const dictionary = [
    '<PubmedArticle>',
    '</PubmedArticle>',
    '</MedlineCitation>',
    '<AbstractText>',
    '<i>',
    '</i>',
    '<sup>',
    '&',
    '<!--',
    '<![CDATA[',
    '<AuthorList>',
    '<DeleteCitation>',
    '<PMID>',
  ]
  const seeds = [
    `<?xml version="1.0"?><!DOCTYPE PubmedArticleSet><PubmedArticleSet>${citation(abstract('A<sup>2</sup> [b].'))}${citation(abstract('<math><mi>x</mi></math>'))}<DeleteCitation><PMID>1</PMID></DeleteCitation></PubmedArticleSet>`,
    citation(
      '<ArticleTitle>[T].</ArticleTitle><AuthorList><Author/></AuthorList><Abstract><AbstractText Label="L">x</AbstractText></Abstract>',
    ),
  ]
  await mutated(pubmedXml, seeds, dictionary)
})

test.run()
