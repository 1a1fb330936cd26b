/** What stands on an encoder, as Hugging Face names it, told by the names of the weights, and what its outputs are called. */
import type { ModelConfig, ModelType } from './config.js'

/** What Hugging Face calls a head. */
export type HeadName = 'PreTraining' | 'TokenClassification' | 'SequenceClassification' | 'QuestionAnswering'

/** `MaskedLM` is pretraining without the head of sentence pairs, `Model` an encoder alone. */
export const KINDS = [
  'PreTraining',
  'MaskedLM',
  'TokenClassification',
  'SequenceClassification',
  'QuestionAnswering',
  'Model',
] as const satisfies readonly (HeadName | 'MaskedLM' | 'Model')[]
export type ModelKind = (typeof KINDS)[number]

const FAMILY: Readonly<Record<ModelType, string>> = { albert: 'Albert', bert: 'Bert' }

/** What Hugging Face calls the class: AlbertForTokenClassification, BertModel. */
export function className({ modelType }: Pick<ModelConfig, 'modelType'>, kind: ModelKind): string {
  return `${FAMILY[modelType]}${kind === 'Model' ? '' : 'For'}${kind}`
}

/** The kind by the names of the tensors. A classifier of tokens has the names of one of sequences, but for the pooler. */
export function kindOfWeights(tensors: ReadonlyMap<string, unknown>): ModelKind {
  const names = [...tensors.keys()]
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name))
  if (has(/^qa_outputs\./)) return 'QuestionAnswering'
  if (has(/^classifier\./)) return has(/(^|\.)pooler\./) ? 'SequenceClassification' : 'TokenClassification'
  if (!has(/^(cls\.)?predictions\./)) return 'Model'
  return has(/^(sop_classifier|cls\.seq_relationship)\./) ? 'PreTraining' : 'MaskedLM'
}

/** The names of outputs to which the configuration gives none; transformers leaves out those that are its own. */
export function unnamedLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`)
}
