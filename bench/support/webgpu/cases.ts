/** What is raced on WebGPU: ALBERT's ops at sizes that the adapter can do, and a whole training step; the same in every process and page. */
import { type StepShape, steps } from '../../shapes.js'
import type { WebgpuCase } from './contract.js'
import { layernormCases, residualNormCases } from './norm_cases.js'
import { attentionCases, crossEntropyCase, lambCase, productCases, vocabularyLossCase } from './op_cases.js'
import { stepCase } from './step_case.js'

/** How large: for checks alone, for an adapter in software, for a GPU. */
export const SIZES = ['quick', 'software', 'hardware'] as const
export type Size = (typeof SIZES)[number]

/** Rows of a mini and of a base model: few where software has to end in seconds. */
const ROWS: Record<Size, readonly [mini: number, base: number]> = {
  quick: [32, 0],
  software: [256, 64],
  hardware: [1024, 1024],
}
const { mini_8x128: mini, base_8x128: base, nano_2x16: nano } = steps
const mini_2x64: StepShape = { ...mini, name: 'mini_2x64', B: 2, S: 64, N: 128, masked: 20 }
const STEP: Record<Size, StepShape> = { quick: nano, software: mini_2x64, hardware: mini }

/** Every case of a size; names are unique. */
export function webgpuCases(size: Size): WebgpuCase[] {
  const [rows, baseRows] = ROWS[size]
  const small = size === 'quick' ? nano : mini
  const models = [
    { name: size === 'quick' ? 'nano' : 'mini', rows, shape: small },
    ...(baseRows > 0 ? [{ name: 'base', rows: baseRows, shape: base }] : []),
  ]
  const products = models.flatMap(({ name, rows: M, shape: { H, I } }) => {
    const layers = { qkv: [H, 3 * H], attention_output: [H, H], ffn: [H, I], ffn_output: [I, H] }
    return Object.entries(layers).flatMap(([layer, [K, N]]) => productCases(`${name} ${layer} ${M}`, M, K, N))
  })
  const { S, A, D, H, E, V } = small
  const B = Math.max(2, rows / S)
  const masked = rows / 8
  return [
    ...products,
    ...attentionCases(`attention ${B}x${S}`, B, S, A, D),
    ...layernormCases(`layernorm ${rows}x${H}`, rows, H),
    ...residualNormCases(`residual and layernorm ${rows}x${H}`, rows, H, 0),
    ...residualNormCases(`dropout, residual and layernorm ${rows}x${H}`, rows, H, 0.1),
    crossEntropyCase(`cross-entropy ${masked}x${V}`, masked, V),
    vocabularyLossCase(`vocabulary and cross-entropy ${masked}x${E}x${V}`, masked, E, V),
    lambCase(small),
    stepCase(STEP[size]),
  ]
}
