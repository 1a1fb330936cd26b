/**
 * The sets of named entities: eight of the 2022 paper and BC4CHEMD of the 2020 one. Items are sentences of the two-column
 * files as BioBERT released them (of ShARe/CLEFE, of its notes); the papers count mentions.
 */
import type { KnownSet } from './known.js'

const BIOBERT = 'BioBERT (https://github.com/dmis-lab/biobert, NER data sets)'
const MTL = 'Crichton et al. 2017 (https://github.com/cambridgeltl/MTL-Bioinformatics-2016, data/NAME-IOB)'
const CC_BY = 'CC BY 4.0, by the README of MTL-Bioinformatics-2016'
const NER = { type: 'NER', metric: 'entity F1' } as const

const base = { task: 'entities', unit: 'sentences' } as const

function repeated(count: number, what: string): string {
  return `${count} test sentences are in train too${what === '' ? '' : ` (${what})`}, as released`
}

export const entitySets: readonly KnownSet[] = [
  {
    ...base,
    name: 'NCBI-disease',
    aliases: ['NCBI', 'ncbi_disease', 'NCBI-disease-IOB'],
    releases: [{ by: 'BioBERT', items: { train: 5424, dev: 923, test: 940 } }],
    paper: { unit: 'mentions', counts: { total: 6881 }, note: 'equal: 5,134 + 787 + 960' },
    licence: CC_BY,
    source: `${BIOBERT}, ${MTL}`,
    publication: 'Dogan, Leaman, Lu 2014, J Biomed Inform 47',
    blurb: NER,
    notes: [repeated(1, '')],
  },
  {
    ...base,
    name: 'BC5CDR-disease',
    aliases: ['BC5-disease', 'BC5CDR-disease-IOB', 'bc5dr-disease'],
    releases: [{ by: 'BioBERT', items: { train: 4560, dev: 4581, test: 4797 } }],
    paper: {
      unit: 'mentions',
      counts: { total: 12694 },
      note: '12,852 in the released files (4,182 + 4,246 + 4,424), 158 more; BLUE counts two fewer in dev',
    },
    licence: CC_BY,
    source: `${BIOBERT}, ${MTL}`,
    publication: 'Li et al. 2016, Database baw068',
    blurb: NER,
    notes: [repeated(8, '')],
  },
  {
    ...base,
    name: 'BC5CDR-chem',
    aliases: ['BC5CDR-chemical', 'BC5-chem', 'BC5CDR-chem-IOB', 'bc5dr-chem'],
    releases: [{ by: 'BioBERT', items: { train: 4560, dev: 4581, test: 4797 } }],
    paper: {
      unit: 'mentions',
      counts: { total: 15411 },
      note: '15,935 in the released files (5,203 + 5,347 + 5,385, as BLUE counts), 524 more',
    },
    licence: CC_BY,
    source: `${BIOBERT}, ${MTL}`,
    publication: 'Li et al. 2016, Database baw068',
    blurb: NER,
    notes: [repeated(8, '')],
  },
  {
    ...base,
    name: 'BC2GM',
    aliases: ['BC2GM-IOB', 'BioCreative-II-GM'],
    releases: [{ by: 'BioBERT', items: { train: 12574, dev: 2519, test: 5038 } }],
    paper: {
      unit: 'mentions',
      counts: { total: 20703 },
      note: '24,583 in the released files (15,197 + 3,061 + 6,325), 3,880 more',
    },
    licence: CC_BY,
    source: `${BIOBERT}, ${MTL}`,
    publication: 'Smith et al. 2008, Genome Biol 9:S2',
    blurb: NER,
    notes: [repeated(33, 'whole sentences')],
  },
  {
    ...base,
    name: 'JNLPBA',
    aliases: ['JNLPBA-IOB', 'BioNLP-2004'],
    releases: [{ by: 'BioBERT', items: { train: 14690, dev: 3856, test: 3856 } }],
    paper: {
      unit: 'mentions',
      counts: { total: 35460 },
      note:
        '46,994 in the released files: protein, DNA and RNA are one type there (in test 5,067 + 1,056 + 118), ' +
        'and train and dev are the 18,546 training sentences of the shared task, divided',
    },
    licence: 'GENIA Project License for Annotated Corpora',
    source: `${BIOBERT}, ${MTL} (another division)`,
    publication: 'Kim et al. 2004, JNLPBA shared task',
    blurb: NER,
    notes: [
      repeated(94, 'whole sentences'),
      'BLURB counts 46,750 / 4,551 / 8,662 mentions: another division',
    ],
  },
  {
    ...base,
    name: 'LINNAEUS',
    aliases: ['linnaeus-IOB'],
    releases: [{ by: 'BioBERT', items: { train: 11935, dev: 4078, test: 7142 } }],
    paper: {
      unit: 'mentions',
      counts: { total: 4077 },
      note: '4,263 in the released files (2,119 + 711 + 1,433), 186 more',
    },
    licence: 'not stated',
    source: `${BIOBERT}, ${MTL} (slightly other tokens)`,
    publication: 'Gerner, Nenadic, Bergman 2010, BMC Bioinformatics 11:85',
    notes: [repeated(144, 'nearly all headings and stock phrases')],
  },
  {
    ...base,
    name: 'Species-800',
    aliases: ['s800', 'species800', 's800-IOB'],
    releases: [{ by: 'BioBERT', items: { train: 5733, dev: 830, test: 1630 } }],
    paper: { unit: 'mentions', counts: { total: 3708 }, note: 'equal: 2,557 + 384 + 767' },
    licence: 'not stated',
    source: BIOBERT,
    publication: 'Pafilis et al. 2013, PLoS ONE 8:e65390',
    notes: [repeated(8, '')],
  },
  {
    ...base,
    name: 'ShARe/CLEFE',
    aliases: [
      'share-clef',
      'shareclefe',
      'clefe',
      'ShARe-CLEF-2013',
      'clef',
      'shareclefehealth2013',
      'shareclef-ehealth-2013-natural-language-processing-and-information-retrieval-for-clinical-care-1.0',
    ],
    releases: [],
    paper: {
      unit: 'mentions',
      counts: { train: 4628, dev: 1075, test: 5195 },
      note: 'as BLUE divides it, words tagged B, discontinuous mentions among them; released without a dev part',
    },
    licence: 'PhysioNet Credentialed Health Data License',
    source: 'https://physionet.org/content/shareclefehealth2013/1.0/',
    publication: 'Suominen et al. 2013, CLEF eHealth',
    agreement: 'a data use agreement with PhysioNet',
    notes: [
      "read from the released notes and gold (form share) or BLUE's columns (form blue); which it is, is told by itself",
      'discontinuous mentions are tagged by their stretches, as in BLUE; recall and F1 of all annotated mentions stand beside',
    ],
  },
  {
    ...base,
    name: 'BC4CHEMD',
    aliases: ['BC4CHEMD-IOB', 'CHEMDNER'],
    releases: [{ by: 'BioBERT', items: { train: 30682, dev: 30639, test: 26364 } }],
    paper: { unit: 'mentions', counts: { total: 79842 }, note: 'of the 2020 paper' },
    licence: CC_BY,
    source: `${BIOBERT}, ${MTL}`,
    publication: 'Krallinger et al. 2015, J Cheminform 7:S2',
    beside: 'of the 2020 paper only',
    notes: [
      "read from the columns or, with other sentences and words, from BioCreative's abstracts and annotations (form chemdner)",
    ],
  },
]
