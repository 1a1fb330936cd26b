/**
 * The sets of the other four tasks: similarity, inference, documents and answers, seven of the 2022 paper and COVID-QA,
 * which anyone may have, in place of BioASQ.
 */
import type { KnownSet } from './known.js'

const BIOASQ = {
  task: 'answers',
  unit: 'questions',
  licence: 'of BioASQ, for those who have registered',
  source: 'http://participants-area.bioasq.org; in SQuAD form: https://github.com/dmis-lab/biobert',
  publication: 'Tsatsaronis et al. 2015, BMC Bioinformatics 16:138',
  agreement: 'a registration with BioASQ',
  notes: ['factoid questions; BLURB’s BioASQ is yes/no accuracy, which is another score'],
} as const

function bioasq(year: string, train: number, test: number): KnownSet {
  return {
    ...BIOASQ,
    name: `BioASQ ${year}`,
    aliases: [`BioASQ-${year}`, `BioASQ-${year}-factoid`, `BioASQ-factoid-${year}`, year],
    releases: [],
    paper: {
      unit: 'questions',
      counts: { train, test },
      note: 'factoid questions; a question comes with several snippets, and one without its answer in any is left out of training',
    },
    small: `${test} test questions: one is ${(100 / test).toFixed(1)} points, and a difference of a few points is within chance`,
  }
}

export const otherSets: readonly KnownSet[] = [
  {
    name: 'MedSTS',
    aliases: ['clinicalSTS', 'n2c2-2018-sts'],
    task: 'similarity',
    unit: 'pairs',
    releases: [{ by: 'BLUE', items: { train: 675, dev: 75, test: 318 } }],
    paper: { unit: 'pairs', counts: { train: 675, dev: 75, test: 318 }, note: 'equal' },
    licence: 'data use agreement with Mayo Clinic',
    source: 'https://n2c2.dbmi.hms.harvard.edu',
    publication: 'Wang et al. 2020, Lang Resour Eval 54',
    agreement: 'a data use agreement with Mayo Clinic',
    notes: [],
  },
  {
    name: 'BIOSSES',
    aliases: [],
    task: 'similarity',
    unit: 'pairs',
    releases: [
      { by: 'the files of BLUE', items: { train: 70, dev: 16, test: 14 } },
      { by: 'BLURB', items: { train: 64, dev: 16, test: 20 } },
    ],
    paper: {
      unit: 'pairs',
      counts: { train: 64, dev: 16, test: 20 },
      note: 'BLUE’s paper divides 64 / 16 / 20, its files 70 / 16 / 14',
    },
    licence: 'GPL-3.0 (gizemsogancioglu/biosses); BLUE’s files: public domain notice of the NCBI',
    source: 'https://github.com/ncbi-nlp/BLUE_Benchmark (blue_plus/rowdata/biosses)',
    publication: 'Sogancioglu, Öztürk, Özgür 2017, Bioinformatics 33',
    small:
      '14 to 20 test pairs: a correlation of 0.90 over 14 pairs has a 95% interval of 0.71 to 0.97, so that no ' +
      'difference between two good models can be seen here; read several seeds and the interval',
    blurb: { type: 'STS', metric: 'Pearson' },
    notes: [],
  },
  {
    name: 'MedNLI',
    aliases: ['mednli-1.0.0'],
    task: 'inference',
    unit: 'pairs',
    releases: [{ by: 'PhysioNet', items: { train: 11232, dev: 1395, test: 1422 } }],
    paper: { unit: 'pairs', counts: { train: 11232, dev: 1395, test: 1422 }, note: 'equal' },
    licence: 'PhysioNet Credentialed Health Data License',
    source: 'https://physionet.org/content/mednli/1.0.0/',
    publication: 'Romanov, Shivade 2018, EMNLP',
    agreement: 'credentialed access at PhysioNet (MIMIC-III)',
    notes: [],
  },
  {
    name: 'HoC',
    aliases: ['hallmarks-of-cancer', 'hallmarks'],
    task: 'documents',
    unit: 'documents',
    releases: [
      { by: 'cancer-hallmark-cnn', items: { train: 1303, dev: 183, test: 366 } },
      { by: 'cancer-hallmark-cnn, documents with a label', items: { train: 1112, dev: 156, test: 312 } },
      { by: 'BLURB', items: { train: 1295, dev: 186, test: 371 } },
      { by: 'BLUE', items: { train: 1108, dev: 157, test: 315 } },
    ],
    paper: {
      unit: 'documents',
      counts: { train: 1108, dev: 157, test: 315 },
      note: 'as BLUE, which leaves out the 272 documents without a label and divides the 1,580 others itself',
    },
    licence: 'GPL-3.0 (texts and labels), MIT (division)',
    source:
      'https://github.com/sb895/Hallmarks-of-Cancer; division: https://github.com/cambridgeltl/cancer-hallmark-cnn',
    publication: 'Baker et al. 2016, Bioinformatics 32',
    blurb: { type: 'documents', metric: 'micro F1' },
    notes: [],
  },
  bioasq('4b', 327, 161),
  bioasq('5b', 486, 150),
  bioasq('6b', 618, 161),
  {
    name: 'COVID-QA',
    aliases: ['covidqa'],
    task: 'answers',
    unit: 'questions',
    heldOut: true,
    releases: [
      { by: 'deepset, 92 articles under CC BY', items: { total: 1235 } },
      { by: 'deepset, all 147 articles', items: { total: 2019 } },
    ],
    licence: 'Apache-2.0',
    source: 'https://github.com/deepset-ai/COVID-QA',
    publication: 'Möller et al. 2020, ACL workshop on NLP for COVID-19',
    beside: 'stands in for BioASQ, which wants a registration',
    notes: ['no division was released: dev and test are held out here'],
  },
]
