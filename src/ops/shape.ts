/**
 * Shapes. A dimension is a number, or a run-time size: `times` x the value of a scalar, never more than
 * `times` x `capacity`. Ragged batches carry their number of rows that way: a program is prepared for the
 * capacity and computes only the rows that are there. Only the leading dimension may be a run-time size.
 */
import { HALF_TYPES, type HalfType } from '../device/kernel.js'
import type { ParamValue, Sizes } from '../device/program.js'

export interface Dynamic {
  readonly scalar: string
  readonly capacity: number
  readonly times: number
}

export type Dim = number | Dynamic

/**
 * bf16: the upper half of an f32. f16: IEEE's binary16, stored by fours: see `isWholeFours`. packed: a weight as an operand of
 * bf16 products, in an order that only the device knows; its shape is the weight's. packed_int8: the same for products of 8-bit
 * integers, with its scales.
 */
export type DType = 'f32' | HalfType | 'i32' | 'u32' | 'packed' | 'packed_int8'

/** What activations can be, and what a model can be trained in; f16 wants its loss to be scaled (training/loss_scale.ts). */
export type FloatType = 'f32' | HalfType

/** What a model can compute in; int8: activations of f32, products of 8-bit integers, no gradients. */
export type Precision = FloatType | 'int8'

export interface Spec {
  readonly shape: readonly Dim[]
  readonly dtype: DType
}

/** A run-time size named `scalar`, at most `capacity`. */
export function dynamic(scalar: string, capacity: number): Dynamic {
  return { scalar, capacity, times: 1 }
}

/** A dimension in a run with these sizes. */
export function resolveDim(dim: Dim, sizes: Sizes): number {
  if (typeof dim === 'number') return dim
  return (sizes[dim.scalar] ?? dim.capacity) * dim.times
}

/** The largest value a dimension can take. */
export function capacity(dim: Dim): number {
  return typeof dim === 'number' ? dim : dim.capacity * dim.times
}

/** Number of elements at capacity. */
export function elements(spec: Spec): number {
  return spec.shape.reduce<number>((n, d) => n * capacity(d), 1)
}

/** Bytes of an element of a row-major tensor. */
export function elementBytes(dtype: DType): number {
  return isHalf(dtype) ? 2 : 4
}

/**
 * Bytes at capacity: row-major, or for a packed weight [O,I] two operands of four bytes an element with the padding
 * that any instruction set may want (packed_half in kernels/cpu/dense.h). A weight of packed_int8 has a byte an element,
 * the same padding and eight bytes a channel (kernels/cpu/int8_gemm.h); a stack [L,O,I] is L of them.
 */
export function byteSize(spec: Spec): number {
  if (spec.dtype === 'packed_int8') {
    const [inner, out, ...stack] = spec.shape.map(capacity).reverse()
    return stack.reduce((n, d) => n * d, wholeLines((out + 64) * (inner + 72)))
  }
  if (spec.dtype === 'packed') return spec.shape.reduce<number>((n, d) => n * (capacity(d) + 64), 2 * 4)
  return elements(spec) * elementBytes(spec.dtype)
}

/** Bytes up to a whole line of the cache. */
function wholeLines(bytes: number): number {
  return Math.ceil(bytes / 64) * 64
}

export function isFloat(dtype: DType): dtype is FloatType {
  return dtype === 'f32' || isHalf(dtype)
}

/** Whether an element has two bytes. */
export function isHalf(type: DType | Precision): type is HalfType {
  return (HALF_TYPES as readonly string[]).includes(type)
}

/**
 * Whether rows are whole fours, as those of f16 have to be: kernels read and write four of them at a time, so that no two
 * invocations write to one word of four bytes.
 */
export function isWholeFours({ shape }: Pick<Spec, 'shape'>): boolean {
  const last = shape.at(-1)
  return last !== undefined && (typeof last === 'number' ? last : last.times) % 4 === 0
}

/** The product of dimensions as a kernel parameter, of which at most one may be a run-time size. */
export function product(dims: readonly Dim[]): Dim {
  let n = 1
  let found: Dynamic | undefined
  for (const d of dims) {
    if (typeof d === 'number') n *= d
    else if (found) throw new Error(`two run-time sizes in one shape: ${shapeText(dims)}`)
    else found = d
  }
  return found ? { ...found, times: found.times * n } : n
}

export function sameDim(a: Dim, b: Dim): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b
  return a.scalar === b.scalar && a.capacity === b.capacity && a.times === b.times
}

export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((d, i) => sameDim(d, b[i]))
}

/** A dimension as a kernel parameter. */
export function param(dim: Dim): ParamValue {
  return typeof dim === 'number' ? dim : { scalar: dim.scalar, times: dim.times, capacity: dim.capacity }
}

/** `[rows<=4096,768]`, as errors print shapes. */
export function shapeText(shape: readonly Dim[]): string {
  const text = shape.map((d) =>
    typeof d === 'number' ? `${d}` : `${d.times === 1 ? '' : `${d.times}x`}${d.scalar}<=${d.capacity}`,
  )
  return `[${text.join(',')}]`
}

export function f32(...shape: Dim[]): Spec {
  return { shape, dtype: 'f32' }
}

/** A tensor of activations of a type. */
export function floats(dtype: DType, ...shape: Dim[]): Spec {
  return { shape, dtype }
}

export function i32(...shape: Dim[]): Spec {
  return { shape, dtype: 'i32' }
}
