/** The kernels by which variants of shared WGSL code are compared, each for the families that stand in it. */
import type { Representative } from './workload.js'
import { ATTENTION } from './workload_attention.js'
import { PRODUCTS } from './workload_products.js'
import { REDUCTIONS, ROWS } from './workload_rows.js'

export const REPRESENTATIVES: readonly Representative[] = [...PRODUCTS, ...ATTENTION, ...ROWS, ...REDUCTIONS]

/** Number of shapes on which each of them is timed. */
export const LEVELS = Math.min(...REPRESENTATIVES.map(({ timed }) => timed.length))
