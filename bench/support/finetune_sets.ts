/**
 * The data sets on which whole fine-tuning runs are compared with PyTorch's, with settings for small BERTs (MiniLM, 6 layers of 384):
 * higher rates and fewer epochs than the papers have for base, so that a run is minutes on two cores. Dev is scored seldom where it is
 * as large as the training part (ChemProt, COVID-QA).
 */

export interface ComparedSet {
  readonly name: string
  /** The task that reads it, and its form where it is not the usual one. */
  readonly task: string
  readonly form?: string
  /** Folder within that of all data. */
  readonly folder: string
  readonly learningRate: number
  readonly batch: number
  readonly maxLength?: number
  /** Either. */
  readonly epochs?: number
  readonly totalSteps?: number
  /** How often dev is scored in a run. */
  readonly evaluations: number
}

export const COMPARED_SETS: readonly ComparedSet[] = [
  {
    name: 'NCBI-disease',
    task: 'entities',
    folder: 'ner/NCBI-disease',
    learningRate: 2e-4,
    batch: 32,
    epochs: 3,
    evaluations: 6,
  },
  {
    name: 'ChemProt',
    task: 'relations',
    folder: 're/chemprot-5class',
    // at 1e-4, after 300 steps of 32, every sentence is still called negative
    learningRate: 5e-5,
    batch: 16,
    maxLength: 256,
    epochs: 1,
    evaluations: 1,
  },
  {
    name: 'HoC',
    task: 'documents',
    folder: 'doc_cls/hoc',
    learningRate: 2e-4,
    batch: 16,
    maxLength: 512,
    epochs: 6,
    evaluations: 3,
  },
  {
    name: 'BIOSSES',
    task: 'similarity',
    folder: 'sts/biosses',
    learningRate: 1e-4,
    batch: 8,
    epochs: 20,
    evaluations: 10,
  },
  {
    name: 'COVID-QA',
    task: 'answers',
    folder: 'qa/covid-qa',
    learningRate: 1e-4,
    batch: 16,
    maxLength: 384,
    totalSteps: 300,
    evaluations: 1,
  },
]
