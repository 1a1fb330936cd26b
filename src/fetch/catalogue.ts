/**
 * All names that `fetch` knows: models, the papers' data sets, vocabularies, and what can only be had after signing
 * something. Data sets take licence, source and agreement from src/tasks/datasets, files from catalogue/files.ts.
 */
import type { KnownSet } from '../tasks/datasets/known.js'
import { dataSets } from '../tasks/datasets.js'
import type { CataloguedFile, Named } from './catalogue/entry.js'
import { setFiles, setNotes, vocabularyFiles } from './catalogue/files.js'
import { models } from './catalogue/models.js'

export type { CataloguedFile, Named } from './catalogue/entry.js'

const vocabularies: readonly Named[] = [
  vocabulary('albert', 'of ALBERT and BioALBERT, 30,000 pieces', 'Adapter-Hub/adapter-transformers'),
  vocabulary('bert-base-cased', 'of BERT cased and BioBERT, 28,996 pieces', 'NVIDIA/DeepLearningExamples'),
  vocabulary('bert-base-uncased', 'of BERT in lower case, 30,522 pieces', 'graykode/ALBERT-Pytorch'),
]

const corpora: readonly Named[] = [
  {
    kind: 'corpus',
    name: 'MIMIC-III',
    aliases: ['mimic', 'mimiciii'],
    licence: 'PhysioNet Credentialed Health Data License',
    purpose: 'clinical notes (NOTEEVENTS.csv), which the papers pretrain on',
    address: 'https://physionet.org/content/mimiciii/1.4/',
    refusal: agreementText('credentialed access at PhysioNet', 'https://physionet.org/content/mimiciii/1.4/'),
  },
]

export const catalogue: readonly Named[] = [...models, ...dataSets.map(setEntry), ...vocabularies, ...corpora]

/** The entry of that name or alias; case, hyphens and the like do not matter, and a name goes before an alias. */
export function catalogued(name: string): Named | undefined {
  const same = (other: string) => plain(other) === plain(name)
  return (
    catalogue.find((entry) => same(entry.name) || entry.repository === name) ??
    catalogue.find((entry) => entry.aliases.some(same))
  )
}

/** Names that begin or end like one that is not known, or hold it. */
export function similarNames(name: string): string[] {
  const asked = plain(name)
  const near = (other: string) => {
    const known = plain(other)
    return (
      asked.length > 2 &&
      (known.includes(asked) || asked.includes(known) || known.slice(0, 4) === asked.slice(0, 4))
    )
  }
  return catalogue.filter((entry) => [entry.name, ...entry.aliases].some(near)).map((entry) => entry.name)
}

/** Bytes of all files, where every one is known. */
export function knownSize({ size, files }: Named): number | undefined {
  if (size !== undefined || files === undefined) return size
  return files.reduce<number | undefined>(
    (sum, file) => (sum === undefined || file.size === undefined ? undefined : sum + file.size),
    0,
  )
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function setEntry(set: KnownSet): Named {
  const { name, aliases, licence, agreement, source, task } = set
  const files: readonly CataloguedFile[] | undefined = setFiles[name]
  const address = /https?:\/\/[^\s;,)]+/.exec(source)?.[0]
  const purpose = `${task}${set.beside === undefined ? '' : `, ${set.beside}`}`
  const common = { kind: 'data set', name, aliases, licence, purpose, address } as const
  if (agreement !== undefined) return { ...common, refusal: agreementText(agreement, address ?? source) }
  if (files === undefined)
    return {
      ...common,
      refusal: `is not released in files that \`finetune\` reads: it is made from ${source}`,
    }
  return { ...common, files, note: setNotes[name] }
}

function agreementText(agreement: string, address: string): string {
  return `wants ${agreement}: ${address}`
}

function vocabulary(name: keyof typeof vocabularyFiles, purpose: string, repository: string): Named {
  return {
    kind: 'vocabulary',
    name: `${name}-vocab`,
    aliases: [],
    licence: 'apache-2.0',
    purpose: `vocabulary ${purpose}`,
    address: `https://github.com/${repository}`,
    files: vocabularyFiles[name],
  }
}
