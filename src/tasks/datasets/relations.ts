/**
 * The sets of relations between two entities, five of the 2022 paper and ChemProt's positive pairs beside. Items are
 * sentences with one marked pair; the papers quote BLUE, which counts pairs that have a relation.
 */
import type { KnownSet } from './known.js'

const BIOBERT = 'BioBERT (https://github.com/dmis-lab/biobert, RE data sets)'
const BLURB_RE = { type: 'RE', metric: 'micro F1' } as const

const base = { task: 'relations', unit: 'pairs' } as const

export const relationSets: readonly KnownSet[] = [
  {
    ...base,
    name: 'DDI',
    aliases: ['DDI-2013', 'ddi2013-type', 'DDICorpus'],
    releases: [{ by: 'BLURB', items: { train: 25296, dev: 2496, test: 5716 } }],
    paper: {
      unit: 'pairs with a relation',
      counts: { train: 2937, dev: 1004, test: 979 },
      note: 'BLUE holds out another dev part (2,937 + 1,004; BLURB 3,552 + 469 of the same corpus); test is the same',
    },
    licence: 'CC BY-NC 4.0',
    source: 'https://github.com/isegura/DDICorpus',
    publication: 'Herrero-Zazo et al. 2013, J Biomed Inform 46',
    blurb: BLURB_RE,
    notes: [],
  },
  {
    ...base,
    name: 'ChemProt',
    aliases: ['chemprot-5class', 'chemprot-blurb', 'chemprot-blue'],
    holds: ['train.tsv'],
    releases: [
      { by: 'bio_electra', items: { train: 16521, dev: 10361, test: 14396 } },
      { by: 'BLURB', items: { train: 18035, dev: 11268, test: 15745 } },
    ],
    paper: {
      unit: 'pairs with a relation',
      counts: { train: 4154, dev: 2416, test: 3458 },
      note: 'as BLUE; bio_electra’s files have 4,132 / 2,412 / 3,441 of the five classes',
    },
    licence: 'not stated',
    source: 'https://github.com/SciCrunch/bio_electra (finetuning_data/chemprot); the corpus: BioCreative VI',
    publication: 'Krallinger et al. 2017, BioCreative VI',
    blurb: BLURB_RE,
    notes: ['micro F1 is over CPR:3, 4, 5, 6 and 9; False is the negative class'],
  },
  {
    ...base,
    name: 'GAD',
    aliases: [],
    folds: 10,
    releases: [
      { by: 'BioBERT, fold 1', items: { total: 5330, test: 534 } },
      { by: 'BLURB', items: { train: 4261, dev: 535, test: 534 } },
    ],
    paper: { unit: 'sentences', counts: { total: 5330 }, note: 'equal' },
    licence: 'not stated',
    source: BIOBERT,
    publication: 'Bravo et al. 2015, BMC Bioinformatics 16:55',
    blurb: BLURB_RE,
    notes: [
      '5,122 of the 5,330 rows are distinct: some are in train and test of a fold',
      'a model that always says yes has F1 0.69 (2,801 of 5,330)',
    ],
  },
  {
    ...base,
    name: 'EU-ADR',
    aliases: ['euadr'],
    folds: 10,
    releases: [{ by: 'BioBERT, fold 1', items: { total: 355, test: 37 } }],
    paper: { unit: 'sentences', counts: { total: 355 }, note: 'equal' },
    licence: 'not stated',
    source: BIOBERT,
    publication: 'van Mulligen et al. 2012, J Biomed Inform 45',
    small:
      '355 sentences in all, 37 in the test part of a fold: one sentence is 2.7 points of accuracy, and a model that ' +
      'always says yes has F1 0.85 (262 of 355); read all ten folds, several seeds, and no difference of a few points',
    notes: [],
  },
  {
    ...base,
    name: 'i2b2',
    aliases: ['i2b2-2010', 'n2c2-2010', 'i2b2-2010-relations'],
    releases: [],
    paper: {
      unit: 'pairs with a relation',
      counts: { train: 3110, dev: 11, test: 6293 },
      note: 'as BLUE divides it; pairs without a relation come on top',
    },
    licence: 'n2c2 data use agreement',
    source: 'https://portal.dbmi.hms.harvard.edu/projects/n2c2-nlp/',
    publication: 'Uzuner et al. 2011, JAMIA 18',
    agreement: 'a data use agreement with n2c2',
    notes: [],
  },
  {
    ...base,
    name: 'ChemProt-13',
    aliases: ['chemprot', 'chemprot-13class', 'chemprot-scibert'],
    holds: ['train.jsonl', 'train.txt'],
    releases: [{ by: 'SciBERT', items: { train: 4169, dev: 2427, test: 3469 } }],
    licence: 'not stated (repository: Apache-2.0)',
    source: 'https://github.com/allenai/scibert (text_classification/chemprot)',
    publication: 'Krallinger et al. 2017, BioCreative VI',
    beside: 'ChemProt’s pairs that have a relation, in 13 classes',
    variantOf: 'ChemProt',
    notes: ['there is no negative class: F1 here and on ChemProt are not the same score'],
  },
]
