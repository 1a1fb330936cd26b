/**
 * Scores that the papers and their rivals published, as they printed them (percent). Figures of publications, none of ours;
 * published.ts puts them beside ours. Three kinds are kept apart, for they are not the same score: entity-level F1; the figures that
 * BioALBERT's papers call F1, which look counted word by word; and those of the other tasks.
 */

/** Precision, recall, F1. */
type Triple = readonly [precision: number, recall: number, f1: number]

/** Naseem et al. 2020, table V: what it reports of BioALBERT. */
export const bioalbert2020: Readonly<Record<string, Readonly<Record<string, Triple>>>> = {
  'NCBI-disease': {
    'BioALBERT 1.0 base (PubMed)': [97.45, 94.39, 95.89],
    'BioALBERT 1.0 base (PubMed+PMC)': [96.84, 94.4, 95.61],
    'BioALBERT 1.1 large (PubMed)': [97.18, 97.18, 97.18],
    'BioALBERT 1.1 large (PubMed+PMC)': [97.38, 94.37, 95.85],
  },
  'BC5CDR-disease': {
    'BioALBERT 1.0 base (PubMed)': [99.69, 95.72, 97.66],
    'BioALBERT 1.0 base (PubMed+PMC)': [99.11, 96.17, 97.62],
    'BioALBERT 1.1 large (PubMed)': [99.27, 96.33, 97.78],
    'BioALBERT 1.1 large (PubMed+PMC)': [99.39, 95.85, 97.61],
  },
  'BC5CDR-chem': {
    'BioALBERT 1.0 base (PubMed)': [99.99, 95.89, 97.9],
    'BioALBERT 1.0 base (PubMed+PMC)': [99.99, 96.24, 98.08],
    'BioALBERT 1.1 large (PubMed)': [99.99, 95.62, 97.76],
    'BioALBERT 1.1 large (PubMed+PMC)': [99.99, 95.68, 97.79],
  },
  BC4CHEMD: {
    'BioALBERT 1.0 base (PubMed)': [97.76, 94.22, 95.96],
    'BioALBERT 1.0 base (PubMed+PMC)': [97.71, 94.83, 96.25],
    'BioALBERT 1.1 large (PubMed)': [97.71, 94.83, 96.25],
    'BioALBERT 1.1 large (PubMed+PMC)': [97.88, 94.63, 96.23],
  },
  BC2GM: {
    'BioALBERT 1.0 base (PubMed)': [97.86, 94.87, 96.34],
    'BioALBERT 1.0 base (PubMed+PMC)': [97.84, 94.27, 96.02],
    'BioALBERT 1.1 large (PubMed)': [98.26, 95.72, 96.97],
    'BioALBERT 1.1 large (PubMed+PMC)': [98.02, 94.7, 96.33],
  },
  JNLPBA: {
    'BioALBERT 1.0 base (PubMed)': [85.14, 80.43, 82.72],
    'BioALBERT 1.0 base (PubMed+PMC)': [85.6, 80.98, 83.22],
    'BioALBERT 1.1 large (PubMed)': [86.23, 81.9, 84.01],
    'BioALBERT 1.1 large (PubMed+PMC)': [85.56, 81.49, 83.53],
  },
  LINNAEUS: {
    'BioALBERT 1.0 base (PubMed)': [99.95, 99.47, 99.71],
    'BioALBERT 1.0 base (PubMed+PMC)': [99.98, 99.44, 99.72],
    'BioALBERT 1.1 large (PubMed)': [99.98, 99.48, 99.73],
    'BioALBERT 1.1 large (PubMed+PMC)': [99.92, 99.55, 99.73],
  },
  'Species-800': {
    'BioALBERT 1.0 base (PubMed)': [99.17, 98.34, 98.76],
    'BioALBERT 1.0 base (PubMed+PMC)': [98.93, 98.04, 98.49],
    'BioALBERT 1.1 large (PubMed)': [99.1, 98.95, 99.02],
    'BioALBERT 1.1 large (PubMed+PMC)': [98.75, 98.69, 98.72],
  },
}

/** The same table: what it quotes of others, who score exact entities and train on train + dev. */
export const quoted2020: Readonly<Record<string, Readonly<Record<string, Triple>>>> = {
  'NCBI-disease': {
    SOTA: [88.3, 89.0, 88.6],
    'BioBERT v1.0 (PubMed)': [86.76, 88.02, 87.38],
    'BioBERT v1.0 (PMC)': [86.16, 89.48, 87.79],
    'BioBERT v1.0 (PubMed+PMC)': [89.04, 89.69, 89.36],
    'BioBERT v1.1 (PubMed)': [88.22, 91.25, 89.71],
  },
  'BC5CDR-disease': {
    SOTA: [89.61, 83.09, 86.23],
    'BioBERT v1.0 (PubMed)': [85.8, 86.6, 86.2],
    'BioBERT v1.0 (PMC)': [84.67, 85.87, 85.27],
    'BioBERT v1.0 (PubMed+PMC)': [85.86, 87.27, 86.56],
    'BioBERT v1.1 (PubMed)': [86.47, 87.84, 87.15],
  },
  'BC5CDR-chem': {
    SOTA: [94.26, 92.38, 93.31],
    'BioBERT v1.0 (PubMed)': [92.52, 92.76, 92.64],
    'BioBERT v1.0 (PMC)': [92.46, 92.63, 92.54],
    'BioBERT v1.0 (PubMed+PMC)': [93.27, 93.61, 93.44],
    'BioBERT v1.1 (PubMed)': [93.68, 93.26, 93.47],
  },
  BC4CHEMD: {
    SOTA: [92.29, 90.01, 91.14],
    'BioBERT v1.0 (PubMed)': [91.77, 90.77, 91.26],
    'BioBERT v1.0 (PMC)': [91.65, 90.3, 90.97],
    'BioBERT v1.0 (PubMed+PMC)': [92.23, 90.61, 91.41],
    'BioBERT v1.1 (PubMed)': [92.8, 91.92, 92.36],
  },
  BC2GM: {
    SOTA: [81.81, 81.57, 81.69],
    'BioBERT v1.0 (PubMed)': [81.72, 83.38, 82.54],
    'BioBERT v1.0 (PMC)': [82.86, 84.21, 83.53],
    'BioBERT v1.0 (PubMed+PMC)': [85.16, 83.65, 84.4],
    'BioBERT v1.1 (PubMed)': [84.32, 85.12, 84.72],
  },
  JNLPBA: {
    SOTA: [74.43, 83.22, 78.58],
    'BioBERT v1.0 (PubMed)': [71.11, 83.11, 76.65],
    'BioBERT v1.0 (PMC)': [71.17, 82.76, 76.53],
    'BioBERT v1.0 (PubMed+PMC)': [72.68, 83.21, 77.59],
    'BioBERT v1.1 (PubMed)': [72.24, 83.56, 77.49],
  },
  LINNAEUS: {
    SOTA: [92.8, 94.29, 93.54],
    'BioBERT v1.0 (PubMed)': [91.83, 84.72, 88.13],
    'BioBERT v1.0 (PMC)': [91.62, 85.48, 88.45],
    'BioBERT v1.0 (PubMed+PMC)': [93.84, 86.11, 89.81],
    'BioBERT v1.1 (PubMed)': [90.77, 85.83, 88.24],
  },
  'Species-800': {
    SOTA: [74.34, 75.96, 74.98],
    'BioBERT v1.0 (PubMed)': [70.6, 75.75, 73.08],
    'BioBERT v1.0 (PMC)': [71.54, 74.71, 73.09],
    'BioBERT v1.0 (PubMed+PMC)': [72.84, 77.97, 75.31],
    'BioBERT v1.1 (PubMed)': [72.8, 75.36, 74.06],
  },
}

/** Test F1 of exact entities, as models' own releases and tables have it. */
export const entityLevel: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'BioBERT v1.1': {
    'NCBI-disease': 88.3,
    'BC5CDR-disease': 86.37,
    'BC5CDR-chem': 93.04,
    BC4CHEMD: 91.15,
    JNLPBA: 75.98,
    BC2GM: 83.41,
    LINNAEUS: 88.08,
    'Species-800': 72.38,
  },
  'BioLinkBERT base': {
    'NCBI-disease': 88.18,
    'BC5CDR-disease': 86.1,
    'BC5CDR-chem': 93.75,
    JNLPBA: 79.03,
    BC2GM: 84.9,
  },
  'PubMedBERT (BLURB)': {
    'NCBI-disease': 87.82,
    'BC5CDR-disease': 85.62,
    'BC5CDR-chem': 93.33,
    BC2GM: 84.52,
  },
}

/** Of the other tasks: micro F1; and BLURB's score. */
export const otherTasks: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  BioBERT: {
    ChemProt: 76.14,
    DDI: 80.88,
    GAD: 82.36,
    'EU-ADR': 85.13,
    HoC: 81.51,
    BLURB: 80.34,
  },
  PubMedBERT: {
    ChemProt: 77.24,
    DDI: 82.36,
    GAD: 82.34,
    HoC: 82.32,
    BLURB: 81.1,
  },
  'BioLinkBERT base': {
    ChemProt: 77.57,
    DDI: 82.72,
    GAD: 84.39,
    HoC: 84.35,
    BLURB: 83.39,
  },
}

/** Points by which BioALBERT is said to gain over the best before it. Naseem et al. 2022, text. */
export const gains2022: Readonly<Record<string, number>> = {
  'ShARe/CLEFE': 19.44,
  'BC5CDR-disease': 10.63,
  'BC5CDR-chem': 4.61,
  JNLPBA: 4.74,
  LINNAEUS: 6.19,
  'NCBI-disease': 7.47,
  'Species-800': 23.71,
  BC2GM: 12.25,
  DDI: 1.69,
  ChemProt: 0.82,
  i2b2: 0.46,
  BIOSSES: 0.5,
  MedSTS: 0.9,
  HoC: 0.62,
  'BioASQ 4b': 1.08,
  'BioASQ 5b': 2.31,
  'BioASQ 6b': 5.11,
}
