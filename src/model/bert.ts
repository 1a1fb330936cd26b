/**
 * The parameters of BERT (Devlin et al. 2019), which BioBERT is: embeddings of the hidden size, and for every layer a
 * transformer block of its own. Names as in Hugging Face's BertModel; encoder.ts computes with them.
 */
import { type ParameterSet, truncatedNormal } from '../graph/parameters.js'
import { type BlockNames, declareBlock, declareDense, declareNorm } from './block.js'
import type { ModelConfig } from './config.js'
import type { EncoderParameters } from './encoder_parameters.js'

function blockNames(layer: number | '*'): BlockNames {
  const name = `bert.encoder.layer.${layer}`
  return {
    qkv: `${name}.attention.self.qkv`,
    query: `${name}.attention.self.query`,
    key: `${name}.attention.self.key`,
    value: `${name}.attention.self.value`,
    attentionOutput: `${name}.attention.output.dense`,
    attentionNorm: `${name}.attention.output.LayerNorm`,
    ffn: `${name}.intermediate.dense`,
    ffnOutput: `${name}.output.dense`,
    outputNorm: `${name}.output.LayerNorm`,
  }
}

/** Declares the parameters of the encoder, with or without its pooler. */
export function declareBert(set: ParameterSet, config: ModelConfig, pooler: boolean): EncoderParameters {
  const { hiddenSize: H, initializerRange: range } = config
  const init = truncatedNormal(range)
  return {
    word: set.add('bert.embeddings.word_embeddings.weight', [config.vocabularySize, H], { init }),
    segment: set.add('bert.embeddings.token_type_embeddings.weight', [config.segmentTypes, H], { init }),
    position: set.add('bert.embeddings.position_embeddings.weight', [config.maxPositions, H], { init }),
    embeddingNorm: declareNorm(set, 'bert.embeddings.LayerNorm', H),
    block: declareBlock(set, config, blockNames, true),
    stacked: true,
    pooler: pooler ? declareDense(set, 'bert.pooler.dense', H, H, range) : undefined,
  }
}
