/** BLURB's score by its definition, and no score from a part of it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { blurbScore, blurbSets } from '../../src/evaluation/blurb.js'

const test = suite('evaluation: BLURB')

test('its thirteen sets are those of the paper’s table 1', () => {
  const byType: Record<string, string[]> = {}
  for (const { name, type } of blurbSets) byType[type] = [...(byType[type] ?? []), name].sort()
  assert.equal(byType, {
    NER: ['BC2GM', 'BC5CDR-chem', 'BC5CDR-disease', 'JNLPBA', 'NCBI-disease'],
    RE: ['ChemProt', 'DDI', 'GAD'],
    STS: ['BIOSSES'],
    documents: ['HoC'],
    PICO: ['EBM PICO'],
    QA: ['BioASQ (yes/no)', 'PubMedQA'],
  })
})

test('PubMedBERT’s thirteen scores make the score that was published for it', () => {
  // as Yasunaga et al. 2022 (LinkBERT) list it beside theirs, with 81.10 for the whole
  const printed: Record<string, number> = {
    'BC5CDR-chem': 93.33,
    'BC5CDR-disease': 85.62,
    'NCBI-disease': 87.82,
    BC2GM: 84.52,
    JNLPBA: 80.06,
    'EBM PICO': 73.38,
    ChemProt: 77.24,
    DDI: 82.36,
    GAD: 82.34,
    BIOSSES: 92.3,
    HoC: 82.32,
    PubMedQA: 55.84,
    'BioASQ (yes/no)': 87.56,
  }
  const { score, types } = blurbScore(new Map(Object.entries(printed)))
  assert.is(score?.toFixed(2), '81.10')
  assert.is(types.NER?.toFixed(2), '86.27')
})

test('with one set missing there is no score; the types that are whole are there, and the missing one is named', () => {
  const means = new Map(blurbSets.filter(({ name }) => name !== 'GAD').map(({ name }) => [name, 0.5]))
  const { score, types, note } = blurbScore(means)
  assert.is(score, null)
  assert.is(types.RE, null)
  assert.is(types.NER, 0.5)
  assert.match(note, /1 of its 13 sets are missing, GAD \(RE\)/)
})

test('the mean is over types, not over sets', () => {
  const means = new Map(blurbSets.map(({ name, type }) => [name, type === 'NER' ? 1 : 0]))
  assert.ok(Math.abs((blurbScore(means).score ?? 0) - 1 / 6) < 1e-12)
})

test.run()
