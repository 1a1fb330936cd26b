/**
 * The parameters of ALBERT (Lan et al. 2020): factorised embeddings, V x E and E x H, and one transformer block that all
 * layers share. Names as in Hugging Face's AlbertModel; encoder.ts computes with them.
 */
import { type ParameterSet, truncatedNormal } from '../graph/parameters.js'
import { declareBlock, declareDense, declareNorm } from './block.js'
import type { ModelConfig } from './config.js'
import type { EncoderParameters } from './encoder_parameters.js'

/** Declares the parameters of the encoder, with or without its pooler. */
export function declareAlbert(set: ParameterSet, config: ModelConfig, pooler: boolean): EncoderParameters {
  const { embeddingSize: E, hiddenSize: H, initializerRange: range } = config
  const init = truncatedNormal(range)
  const layer = 'albert.encoder.albert_layer_groups.0.albert_layers.0'
  const names = {
    qkv: `${layer}.attention.qkv`,
    query: `${layer}.attention.query`,
    key: `${layer}.attention.key`,
    value: `${layer}.attention.value`,
    attentionOutput: `${layer}.attention.dense`,
    attentionNorm: `${layer}.attention.LayerNorm`,
    ffn: `${layer}.ffn`,
    ffnOutput: `${layer}.ffn_output`,
    outputNorm: `${layer}.full_layer_layer_norm`,
  }
  return {
    word: set.add('albert.embeddings.word_embeddings.weight', [config.vocabularySize, E], { init }),
    segment: set.add('albert.embeddings.token_type_embeddings.weight', [config.segmentTypes, E], { init }),
    position: set.add('albert.embeddings.position_embeddings.weight', [config.maxPositions, E], { init }),
    embeddingNorm: declareNorm(set, 'albert.embeddings.LayerNorm', E),
    projection: declareDense(set, 'albert.encoder.embedding_hidden_mapping_in', H, E, range),
    block: declareBlock(set, config, () => names, false),
    stacked: false,
    pooler: pooler ? declareDense(set, 'albert.pooler', H, H, range) : undefined,
  }
}
