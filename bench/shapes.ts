/**
 * Named shapes that benches share. Letters as everywhere: B sequences, S length, N = B S rows, H hidden,
 * E embedding, A heads, D head size, I intermediate, V vocabulary, L layers. The names say model_BxS.
 */
export { ncbiDisease } from '../src/profile/ncbi_disease.js'

export interface ModelShape {
  H: number
  L: number
  A: number
  D: number
  I: number
  E: number
  V: number
}

export interface StepShape extends ModelShape {
  name: string
  B: number
  S: number
  /** Rows: B S. */
  N: number
  /** Masked positions of the whole batch. */
  masked: number
}

const base: ModelShape = { H: 768, L: 12, A: 12, D: 64, I: 3072, E: 128, V: 30000 }
const large: ModelShape = { H: 1024, L: 24, A: 16, D: 64, I: 4096, E: 128, V: 30000 }
const mini: ModelShape = { H: 256, L: 4, A: 4, D: 64, I: 1024, E: 128, V: 30000 }
/** Small enough for an emulator, with heads as large as base's. */
const nano: ModelShape = { H: 64, L: 2, A: 1, D: 64, I: 256, E: 32, V: 500 }

function step(name: string, model: ModelShape, B: number, S: number, maskedEach: number): StepShape {
  return { name, ...model, B, S, N: B * S, masked: B * maskedEach }
}

/** Training steps, by name. Masked positions are 15% of S, as in pretraining. */
export const steps = {
  mini_8x128: step('mini_8x128', mini, 8, 128, 20),
  base_8x128: step('base_8x128', base, 8, 128, 20),
  base_2x512: step('base_2x512', base, 2, 512, 77),
  base_32x128: step('base_32x128', base, 32, 128, 20),
  base_8x512: step('base_8x512', base, 8, 512, 77),
  large_2x512: step('large_2x512', large, 2, 512, 77),
  base_64x512: step('base_64x512', base, 64, 512, 77),
  base_256x128: step('base_256x128', base, 256, 128, 20),
  nano_2x16: step('nano_2x16', nano, 2, 16, 3),
  nano_8x32: step('nano_8x32', nano, 8, 32, 5),
} as const

export type StepName = keyof typeof steps

/** Matrix products y [M,N] = x [M,K] w [K,N] that a base step consists of, and square ones to see the ceiling. */
export const products = {
  base_attention_1024: { M: 1024, K: 768, N: 768 },
  base_intermediate_1024: { M: 1024, K: 768, N: 3072 },
  base_output_1024: { M: 1024, K: 3072, N: 768 },
  base_embedding_1024: { M: 1024, K: 128, N: 768 },
  base_intermediate_4096: { M: 4096, K: 768, N: 3072 },
  square_512: { M: 512, K: 512, N: 512 },
  square_1024: { M: 1024, K: 1024, N: 1024 },
  odd_333: { M: 333, K: 257, N: 415 },
} as const

/** Rows of normalisations and pointwise ops. */
export const rows = {
  base_1024: { N: 1024, H: 768 },
  base_4096: { N: 4096, H: 768 },
  base_intermediate_1024: { N: 1024, H: 3072 },
  base_intermediate_4096: { N: 4096, H: 3072 },
} as const

/** Attention over B full sequences. */
export const attentions = {
  base_8x128: { B: 8, S: 128, A: 12, D: 64 },
  base_2x512: { B: 2, S: 512, A: 12, D: 64 },
  base_32x27: { B: 32, S: 27, A: 12, D: 64 },
  base_32x128: { B: 32, S: 128, A: 12, D: 64 },
  base_8x512: { B: 8, S: 512, A: 12, D: 64 },
} as const

/** Attention beside peers: about 1024 rows of every length. */
export const attentionRaces = {
  base_51x20: { B: 51, S: 20, A: 12, D: 64 },
  base_16x64: { B: 16, S: 64, A: 12, D: 64 },
  base_8x128: attentions.base_8x128,
  base_4x256: { B: 4, S: 256, A: 12, D: 64 },
  base_2x512: attentions.base_2x512,
} as const

/** Rows that meet the vocabulary: the masked ones of 1024 and 4096. */
export const vocabularies = {
  vocabulary_160: { M: 160, E: 128, V: 30000 },
  vocabulary_640: { M: 640, E: 128, V: 30000 },
} as const
