/** The parameters of an encoder: what albert.ts and bert.ts declare, and encoder.ts computes with. */
import type { Parameter } from '../graph/parameters.js'
import type { Affine, BlockParameters } from './block.js'

export interface EncoderParameters {
  readonly word: Parameter
  readonly segment: Parameter
  readonly position: Parameter
  readonly embeddingNorm: Affine
  /** E to H. */
  readonly projection?: Affine
  readonly block: BlockParameters
  /** Every layer has its own slice of the parameters of the block; else all share them. */
  readonly stacked: boolean
  readonly pooler?: Affine
}
