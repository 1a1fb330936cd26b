/**
 * Public models by name: repositories of Hugging Face's hub, what each is for, and about how large. Sizes are of the
 * weights, four bytes a parameter; the exact ones, the licence and all checksums are what the hub says when it is asked.
 * The published BioALBERT weights stand here with the way to them, for they lie behind no plain address.
 */
import type { Named } from './entry.js'

interface Repository {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly repository: string
  readonly licence: string
  /** Bytes, about. */
  readonly size: number
  readonly purpose: string
}

const repositories: readonly Repository[] = [
  {
    name: 'albert-base-v2',
    repository: 'albert/albert-base-v2',
    licence: 'apache-2.0',
    size: 47e6,
    purpose: 'ALBERT base, 12 M parameters: what BioALBERT base started from',
  },
  {
    name: 'albert-large-v2',
    repository: 'albert/albert-large-v2',
    licence: 'apache-2.0',
    size: 71e6,
    purpose: 'ALBERT large, 18 M parameters: what BioALBERT large started from',
  },
  {
    name: 'bert-base-uncased',
    repository: 'google-bert/bert-base-uncased',
    licence: 'apache-2.0',
    size: 440e6,
    purpose: 'BERT base, lower case',
  },
  {
    name: 'bert-base-cased',
    repository: 'google-bert/bert-base-cased',
    licence: 'apache-2.0',
    size: 436e6,
    purpose: 'BERT base, cased: what BioBERT started from',
  },
  {
    name: 'biobert-v1.1',
    aliases: ['biobert', 'biobert-base-cased-v1.1'],
    repository: 'dmis-lab/biobert-base-cased-v1.1',
    licence: 'not stated',
    size: 433e6,
    purpose: 'BioBERT base, PubMed 1M steps: the rival of both papers',
  },
  {
    name: 'biobert-v1.2',
    aliases: ['biobert-base-cased-v1.2'],
    repository: 'dmis-lab/biobert-base-cased-v1.2',
    licence: 'not stated',
    size: 436e6,
    purpose: 'BioBERT base with its MLM head',
  },
  {
    name: 'biomedbert-abstract',
    aliases: ['pubmedbert-abstract'],
    repository: 'microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract',
    licence: 'mit',
    size: 440e6,
    purpose: 'BiomedBERT (PubMedBERT), from scratch on PubMed abstracts',
  },
  {
    name: 'biomedbert',
    aliases: ['pubmedbert', 'biomedbert-fulltext'],
    repository: 'microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext',
    licence: 'mit',
    size: 440e6,
    purpose: 'BiomedBERT (PubMedBERT), from scratch on PubMed and PMC',
  },
  {
    name: 'minilm',
    aliases: ['all-MiniLM-L6-v2', 'minilm-l6'],
    repository: 'sentence-transformers/all-MiniLM-L6-v2',
    licence: 'apache-2.0',
    size: 91e6,
    purpose: 'MiniLM, 6 layers of 384: small and quick to fine-tune',
  },
]

const BIOALBERT = 'https://github.com/usmaann/BioALBERT'
const published = ['PubMed', 'PubMed + PMC', 'PubMed + MIMIC-III', 'PubMed + PMC + MIMIC-III']

/** Their README links to Google Drive, which hands a browser a page to confirm, not a file, and states no checksum. */
const bioalberts: readonly Named[] = ['Base v1.0', 'Large v1.1'].flatMap((size) =>
  published.map((corpora) => {
    const name = `bioalbert-${size.split(' ')[0]}-${corpora.replaceAll(' + ', '-')}`.toLowerCase()
    return {
      kind: 'model',
      name,
      aliases: [],
      licence: 'not stated',
      address: BIOALBERT,
      purpose: `BioALBERT ${size} (${corpora}), a TensorFlow checkpoint`,
      refusal:
        'lies at Google Drive, which hands out no plain address and no checksum: download it by the link in the README ' +
        'there, unpack it, and take it over with `bioalbert import`',
    } as const
  }),
)

export const models: readonly Named[] = [
  ...repositories.map(
    ({ aliases = [], repository, ...rest }) => ({ kind: 'model', aliases, repository, ...rest }) as const,
  ),
  ...bioalberts,
]
