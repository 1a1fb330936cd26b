/**
 * A whole model as ONNX. Inputs are input_ids, attention_mask and token_type_ids, int64 [batch_size, sequence_length], both of any
 * size. Outputs have the names that transformers gives them, as Optimum does: `logits` of classifiers and of a masked language
 * model, `start_logits` and `end_logits`, `prediction_logits` and `sop_logits` (BERT: `seq_relationship_logits`),
 * and of an encoder alone `last_hidden_state` and, where it has a pooler, `pooler_output`.
 */
import type { WholeModel } from '../whole_model.js'
import { partOf } from '../whole_model.js'
import {
  activated,
  BATCH,
  dense,
  encoderGraph,
  LENGTH,
  layernorm,
  type OnnxContext,
  poolerGraph,
} from './onnx_encoder.js'
import { OnnxGraph } from './onnx_graph.js'
import type { OnnxModel } from './onnx_proto.js'

/** Operator sets that a model can be written in: the first has layer normalisation. */
export const OPSETS = { first: 17, last: 21 } as const

/** The graph of a model; weights stay in its arena until the file is written. */
export function onnxModel(model: WholeModel, opset: number): OnnxModel {
  const graph = new OnnxGraph(opset)
  const context: OnnxContext = {
    graph,
    config: model.config,
    weights: { of: (parameter, part) => partOf(parameter, model.data, part) },
  }
  build(context, model)
  return graph.finish(model.architecture, metadata(model))
}

function build(context: OnnxContext, model: WholeModel): void {
  const { graph, config } = context
  const { kind, encoder } = model
  const alone = kind === 'Model'
  const hidden = encoderGraph(context, encoder, alone ? 'last_hidden_state' : undefined)
  if (alone) graph.output(hidden, [BATCH, LENGTH, config.hiddenSize])
  if (kind === 'PreTraining' || kind === 'MaskedLM') {
    const words = kind === 'PreTraining' ? 'prediction_logits' : 'logits'
    graph.within('predictions', () => wordLogits(context, model, hidden, words))
    graph.output(words, [BATCH, LENGTH, config.vocabularySize])
  }
  if (kind === 'TokenClassification') classifier(context, model, hidden, [BATCH, LENGTH])
  if (kind === 'QuestionAnswering') spanLogits(context, model, hidden)
  if (!encoder.pooler) return
  const pooled = poolerGraph(context, encoder.pooler, hidden, alone ? 'pooler_output' : undefined)
  if (alone) graph.output(pooled, [BATCH, config.hiddenSize])
  if (kind === 'SequenceClassification') classifier(context, model, pooled, [BATCH])
  if (!model.pairs) return
  const pairs = config.modelType === 'bert' ? 'seq_relationship_logits' : 'sop_logits'
  graph.within('pairs', () => dense(context, pooled, [model.pairs!, 0], pairs))
  graph.output(pairs, [BATCH, 2])
}

function classifier(context: OnnxContext, model: WholeModel, x: string, free: readonly string[]): void {
  const { graph } = context
  graph.within('classifier', () => dense(context, x, [model.classifier!, 0], 'logits'))
  graph.output('logits', [...free, model.labels!.length])
}

/** Two logits a row, each an output of its own, [B,S]. */
function spanLogits(context: OnnxContext, model: WholeModel, hidden: string): void {
  const { graph } = context
  graph.within('qa_outputs', () => {
    const both = dense(context, hidden, [model.classifier!, 0])
    for (const [i, name] of ['start_logits', 'end_logits'].entries()) {
      graph.node('Gather', [both, graph.integers(i)], { axis: 2 }, name)
      graph.output(name, [BATCH, LENGTH])
    }
  })
}

/**
 * Logits of the vocabulary, [B,S,V]. The weight is that of the word embeddings, [V,E], which Gemm takes as it is: rows
 * become one dimension for it.
 */
function wordLogits(context: OnnxContext, model: WholeModel, hidden: string, result: string): void {
  const { graph, weights, config } = context
  const { dense: inner, norm, bias } = model.mlm!
  const x = layernorm(context, activated(context, dense(context, hidden, [inner, 0])), [norm, 0])
  const words = graph.weight(weights.of(model.encoder.word))
  const rows = graph.node('Flatten', [x], { axis: 2 })
  const logits = graph.node('Gemm', [rows, words, graph.weight(weights.of(bias))], { transB: 1 })
  const sizes = [graph.node('Shape', ['input_ids']), graph.integers([config.vocabularySize])]
  graph.node('Reshape', [logits, graph.node('Concat', sizes, { axis: 0 })], {}, result)
}

function metadata({ architecture, config, labels, folder }: WholeModel): Record<string, string> {
  return {
    architecture,
    model_type: config.modelType,
    max_position_embeddings: `${config.maxPositions}`,
    ...(labels && { id2label: JSON.stringify(Object.fromEntries(labels.map((label, i) => [i, label]))) }),
    ...(folder.problemType && { problem_type: folder.problemType }),
    ...(folder.vocabularyDigest && { vocabulary_digest: folder.vocabularyDigest }),
  }
}
