/** Sentence splitting on sentences of the kinds that biomedical text is full of; `|` marks the borders wanted. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sentenceSpans, splitSentences } from '../../../src/data/corpus/sentences.js'

const test = suite('sentences')

const cases: Record<string, string[]> = {
  'plain prose': [
    'Lidocaine was given.|The patient recovered.',
    'Why?|Because it is so!|Really.',
    'One sentence without a mark',
    'It rose.|  It fell.  ',
  ],
  'Latin abbreviations': [
    'Others, e.g. Jones et al., disagree.|We do not.',
    'Some drugs (i.e. opiates, cf. Table 2) act vs. placebo.|Others do not.',
    'Use i.e. this, viz. that, etc. and so on.|Then stop.',
    'It weighed ca. 5 g and approx. 3 cm.|It was cut.',
  ],
  'et al.': [
    'As shown by Smith et al. (1999), mice died.|Rats lived.',
    'This agrees with Smith et al. The results differ from others.'.replace('. The', '.|The'),
    'Findings by Kim et al. [12] were confirmed.',
  ],
  'figures, numbers and references': [
    'Results are in Fig. 2 and Figs. 3-5.|They agree with eq. 4 of ref. 5.',
    'See no. 5 and Nos. 6-7.|Vol. 3 is missing.',
    'This was reported previously.[12]|The authors agree.',
    'We followed refs. 3 and 4.|Nothing was found.',
  ],
  'titles and initials': [
    'Treatment was started by Dr. Brown.|Prof. J. A. Smith agreed.',
    'J. A. Smith et al. saw it.|We did not.',
    "St. John's wort was tried.|It failed.",
  ],
  species: [
    'E. coli and S. aureus were grown.|We used S. aureus ATCC 25923.',
    'Isolates of Candida spp. were found, among them C. albicans and C. krusei.|None was resistant.',
    'We saw Leishmania sp.|The parasite grew.',
    'Bacillus subtilis subsp. subtilis was used.|P. falciparum-infected cells were not.',
    'Infection with H. pylori. This was treated.'.replace('. This', '.|This'),
  ],
  'decimals and statistics': [
    'The rate was .05 and p < .05 vs. control.|It fell by 0.5.|Then it rose.',
    'P was 0.001.|95% of patients lived.',
    'A mean of 3.4 (SD 1.2) was seen; n = 12.|Median 3.',
  ],
  'units and routes': [
    'Drugs were given i.v. or i.p. at 5 mg/kg.|Controls got saline p.o. twice daily.',
    'Incubated for 5 min.|Cells were lysed.',
    'It weighed 5 g.|Bacillus was found.',
    'At 37 degrees C. for 5 h it grew.',
    'Dosing was b.i.d. for 3 wk.|Then it stopped.',
  ],
  'letters that end a name': [
    'They had hepatitis C.|Patients recovered.',
    'All were given vitamin D.|We measured it.',
    'This was seen in group A.|Serum was drawn.',
  ],
  'names in lower case that open a sentence': [
    'It was phosphorylated.|p53 was unchanged.',
    'Levels rose.|mRNA did not.',
    'It aggregates.|alpha-Synuclein does too.',
    'It was low.|c-Myc was high.|pH was 7.4.',
  ],
  'lower case goes on': ['It was bound to Prot. kinase and so on.', 'The prot. was bound.'],
  brackets: [
    'Patients (n = 12; mean 3.4 vs. 5.6. Not shown) improved.|Others did not.',
    'It rose (p < 0.05).|It fell [see below].|Done.',
    'We saw it. (It was small.) Then it grew.'.replaceAll(/\. \(|\) T/g, (m) =>
      m === ') T' ? ')|T' : '.|(',
    ),
  ],
  quotes: ['"Is it so?" he asked.|Nobody knew.', 'He said "no."|She said “yes.”|They left.'],
  lists: ['1. Aims of the study.|2. Methods.', 'Aims: 1. to see, 2. to hear.'],
  countries: ['The U.S. Food and Drug Administration approved it in the U.S.|This was new.'],
}

for (const [kind, texts] of Object.entries(cases)) {
  test(kind, () => {
    for (const marked of texts) {
      const expected = marked.split('|').map((sentence) => sentence.trim())
      assert.equal(splitSentences(expected.join(' ')), expected)
    }
  })
}

test('spans are offsets into the text, in order, without the white space around', () => {
  const text = '  A first one.\t\nA second\u00a0one?  Third '
  const spans = sentenceSpans(text)
  assert.equal(
    spans.map(({ start, end }) => text.slice(start, end)),
    ['A first one.', 'A second\u00a0one?', 'Third'],
  )
  assert.ok(spans.every(({ start }, i) => i === 0 || start >= spans[i - 1].end))
})

test('nothing but white space is lost', () => {
  for (const texts of Object.values(cases)) {
    for (const marked of texts) {
      const text = marked.replaceAll('|', ' ')
      assert.is(splitSentences(text).join('').replace(/\s/g, ''), text.replace(/\s/g, ''))
    }
  }
})

test('empty text has no sentences', () => {
  assert.equal(splitSentences(''), [])
  assert.equal(splitSentences(' \n\t '), [])
})

test('time is linear in the text', () => {
  const start = performance.now()
  splitSentences('( a. B '.repeat(100_000))
  splitSentences('. '.repeat(300_000))
  splitSentences('a'.repeat(1_000_000))
  splitSentences(`${'x '.repeat(300_000)}.`)
  assert.ok(performance.now() - start < 5000)
})

test.run()
