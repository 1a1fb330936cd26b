/**
 * Functions on tensors for people who write models of their own: arithmetic, reductions, shapes, matrix products. All
 * are differentiable in their f32 operands unless they say otherwise. What layers are made of stands in layers.ts.
 *
 * In arithmetic a number may stand for a tensor. Operands that do not fit throw a ShapeError which names the op and
 * the shapes. Shapes may lead with a run-time size; no other dimension may be one.
 */
import { argmax as argmaxOp } from '../ops/argmax.js'
import { type BinaryFunction, binary, broadcastShape, broadcastStrides } from '../ops/binary.js'
import { cast } from '../ops/cast.js'
import { clip as clipOp } from '../ops/clip.js'
import { concat as concatOp } from '../ops/concat.js'
import { contiguous, copy } from '../ops/copy.js'
import { cumsum as cumsumOp } from '../ops/cumsum.js'
import { fill } from '../ops/fill.js'
import { gather as gatherOp } from '../ops/gather.js'
import { matmul as matmulOp } from '../ops/matmul.js'
import { type Attrs, type Op, ShapeError } from '../ops/op.js'
import { type ReduceFunction, reduce } from '../ops/reduce.js'
import { scale as scaleOp } from '../ops/scale.js'
import { scatterAdd as scatterAddOp } from '../ops/scatter_add.js'
import { type Dim, elements, product, sameShape, shapeText } from '../ops/shape.js'
import { type UnaryFunction, unary } from '../ops/unary.js'
import { where as whereOp } from '../ops/where.js'
import { type Capture, Tensor } from './tensor.js'

export type Operand = Tensor | number

/** Applies an op to tensors of one capture; all its outputs. */
export function applyOp<A extends Attrs>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor[] {
  const { capture } = inputs[0]
  if (inputs.some((t) => t.capture !== capture)) throw new ShapeError(`${op.name}: operands of two captures`)
  return capture.apply(op, inputs, attrs)
}

/** A tensor whose elements are all `value`. */
export function full(capture: Capture, shape: readonly Dim[], value: number): Tensor {
  return capture.apply(fill, [], { shape, value })[0]
}

/** Both operands as tensors; a number becomes a tensor of no dimensions. */
function tensors(name: string, ...operands: Operand[]): Tensor[] {
  const known = operands.find((o) => o instanceof Tensor)
  if (!known) throw new ShapeError(`${name}: no operand is a tensor`)
  return operands.map((o) => (o instanceof Tensor ? o : full(known.capture, [], o)))
}

function elementwise(fn: BinaryFunction, a: Operand, b: Operand): Tensor {
  return applyOp(binary, tensors(fn, a, b), { fn })[0]
}

function map(fn: UnaryFunction, x: Tensor): Tensor {
  return applyOp(unary, [x], { fn })[0]
}

// ---------------------------------------------------------------- arithmetic

/** a + b with broadcasting (NumPy's rules). */
export const add = (a: Operand, b: Operand): Tensor => elementwise('add', a, b)

/** a - b with broadcasting. */
export const sub = (a: Operand, b: Operand): Tensor => elementwise('sub', a, b)

/** a b with broadcasting, element by element. */
export function mul(a: Operand, b: Operand): Tensor {
  if (a instanceof Tensor && typeof b === 'number') return scale(a, b)
  if (b instanceof Tensor && typeof a === 'number') return scale(b, a)
  return elementwise('mul', a, b)
}

/** a / b with broadcasting. */
export const div = (a: Operand, b: Operand): Tensor => elementwise('div', a, b)

/** The larger of a and b with broadcasting; a tie sends the gradient to a. NaN if either is. */
export const maximum = (a: Operand, b: Operand): Tensor => elementwise('max', a, b)

/** The smaller of a and b with broadcasting; a tie sends the gradient to a. NaN if either is. */
export const minimum = (a: Operand, b: Operand): Tensor => elementwise('min', a, b)

/** a^b with broadcasting. The gradient of an exponent that is a tensor needs a > 0. */
export const pow = (a: Operand, b: Operand): Tensor =>
  a instanceof Tensor && b === 2 ? square(a) : elementwise('pow', a, b)

/** 1 where a = b, else 0; no gradient. */
export const equal = (a: Operand, b: Operand): Tensor => elementwise('equal', a, b)

/** 1 where a < b, else 0; no gradient. */
export const less = (a: Operand, b: Operand): Tensor => elementwise('less', a, b)

/** 1 where a <= b, else 0; no gradient. */
export const lessEqual = (a: Operand, b: Operand): Tensor => elementwise('less_equal', a, b)

/** cond != 0 ? a : b with broadcasting; cond is f32 or i32 and gets no gradient. */
export function where(cond: Tensor, a: Operand, b: Operand): Tensor {
  const [, onTrue, onFalse] = tensors('where', cond, a, b)
  return applyOp(whereOp, [cond, onTrue, onFalse], {})[0]
}

/** x by, and times the run-time scalar of that name if one is given. */
export function scale(x: Tensor, by: number, scalar = ''): Tensor {
  return applyOp(scaleOp, [x], { by, scalar })[0]
}

export const neg = (x: Tensor): Tensor => map('neg', x)
export const exp = (x: Tensor): Tensor => map('exp', x)
/** Natural logarithm. */
export const log = (x: Tensor): Tensor => map('log', x)
/** log(1 + x), accurate near 0. */
export const log1p = (x: Tensor): Tensor => map('log1p', x)
export const sqrt = (x: Tensor): Tensor => map('sqrt', x)
/** 1 / sqrt(x). */
export const rsqrt = (x: Tensor): Tensor => map('rsqrt', x)
export const tanh = (x: Tensor): Tensor => map('tanh', x)
/** max(x, 0), with derivative 0 at 0. */
export const relu = (x: Tensor): Tensor => map('relu', x)
/** 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the tanh form (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor): Tensor => map('gelu', x)
/** 1 / (1 + e^-x). */
export const sigmoid = (x: Tensor): Tensor => map('sigmoid', x)
/** x / (1 + e^-x), also called swish. */
export const silu = (x: Tensor): Tensor => map('silu', x)
/** |x|, with derivative 0 at 0. */
export const abs = (x: Tensor): Tensor => map('abs', x)
export const square = (x: Tensor): Tensor => map('square', x)
/** 1 / x. */
export const reciprocal = (x: Tensor): Tensor => map('reciprocal', x)
export const sin = (x: Tensor): Tensor => map('sin', x)
export const cos = (x: Tensor): Tensor => map('cos', x)

/** x held within [low, high], either of which may be infinite. The gradient passes where low <= x <= high, is 0 elsewhere. */
export function clip(x: Tensor, low: number, high: number): Tensor {
  return applyOp(clipOp, [x], { low, high })[0]
}

/** Integers as f32, exact up to 2^24; no gradient. So `mean(equal(toFloat(argmax(logits)), toFloat(labels)))`. */
export function toFloat(x: Tensor): Tensor {
  return x.spec.dtype === 'f32' ? x : applyOp(cast, [x], { to: 'f32' })[0]
}

/**
 * Matrix product of the last two dimensions: a [*,M,K], b [*,K,N] give [*,M,N]; with `transposeA` a is [*,K,M], with
 * `transposeB` b is [*,N,K]. The dimensions * are the same for both, or one operand has none.
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  return applyOp(matmulOp, [a, b], { transposeA, transposeB })[0]
}

// ---------------------------------------------------------------- reductions

function axisOf(name: string, x: Tensor, axis: number): number {
  const rank = x.shape.length
  const found = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(found) || found < 0 || found >= rank)
    throw new ShapeError(`${name}: x is ${shapeText(x.shape)}, which has no axis ${axis}`)
  return found
}

function reduction(
  fn: ReduceFunction,
  x: Tensor,
  axis: number | readonly number[] | undefined,
  keep: boolean,
) {
  const all = axis === undefined
  const axes = all ? x.shape.map((_, i) => i) : [axis].flat().map((a) => axisOf(fn, x, a))
  if (new Set(axes).size !== axes.length) throw new ShapeError(`${fn}: an axis of [${axes}] comes twice`)
  const shape = x.shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d]))
  let y = x
  if (all) [y] = applyOp(reduce, [reshape(x, [product(x.shape)])], { fn, axis: 0, keep: true })
  else for (const a of axes.sort((p, q) => q - p)) [y] = applyOp(reduce, [y], { fn, axis: a, keep: true })
  return reshape(y, shape)
}

/** Sum over one axis, several, or (without `axis`) all; `keep` leaves them as dimensions of size 1. */
export function sum(x: Tensor, axis?: number | readonly number[], keep = false): Tensor {
  return reduction('sum', x, axis, keep)
}

/** Mean over one axis, several, or all. */
export function mean(x: Tensor, axis?: number | readonly number[], keep = false): Tensor {
  return reduction('mean', x, axis, keep)
}

/** Maximum over one axis, several, or all; the first of equal maxima gets the gradient. */
export function max(x: Tensor, axis?: number | readonly number[], keep = false): Tensor {
  return reduction('max', x, axis, keep)
}

/**
 * Where the maximum over an axis is, as i32: the lowest index of equal ones, that of the first NaN if there is one. No
 * gradient.
 */
export function argmax(x: Tensor, axis = -1, keep = false): Tensor {
  return applyOp(argmaxOp, [x], { axis: axisOf('argmax', x, axis), keep })[0]
}

/** Running sums along an axis: element k is the sum of those up to k, with `reverse` of those from k on. */
export function cumsum(x: Tensor, axis = -1, { reverse = false }: { reverse?: boolean } = {}): Tensor {
  return applyOp(cumsumOp, [x], { axis: axisOf('cumsum', x, axis), reverse })[0]
}

// ---------------------------------------------------------------- shapes

/** The size that stands for -1 in a new shape of x. */
function rest(x: Tensor, shape: readonly Dim[]): Dim {
  const known = shape.reduce<number>((n, d) => (typeof d === 'number' && d !== -1 ? n * d : n), 1)
  const total = product(x.shape)
  const free = typeof total !== 'number' && !shape.some((d) => typeof d !== 'number') ? total : undefined
  const size = (free ? free.times : elements(x.spec)) / known / dynamicPart(shape)
  if (!Number.isInteger(size))
    throw new ShapeError(`reshape: x is ${shapeText(x.shape)}, which does not fit ${shapeText(shape)}`)
  return free ? { ...free, times: size } : size
}

function dynamicPart(shape: readonly Dim[]): number {
  return shape.reduce<number>((n, d) => (typeof d === 'number' ? n : n * d.capacity * d.times), 1)
}

/** The same elements in another shape, nothing copied; one dimension may be -1, to take what is left. */
export function reshape(x: Tensor, shape: readonly Dim[]): Tensor {
  const whole = shape.map((d) => (d === -1 ? rest(x, shape) : d))
  if (
    shape.filter((d) => d === -1).length > 1 ||
    elements({ shape: whole, dtype: 'f32' }) !== elements(x.spec)
  )
    throw new ShapeError(`reshape: x is ${shapeText(x.shape)}, which does not fit ${shapeText(shape)}`)
  if (sameShape(whole, x.shape)) return x
  return new Tensor(x.capture, x.capture.graph.view(x.value, whole))
}

function strided(x: Tensor, shape: readonly Dim[], strides: readonly number[], offset = 0): Tensor {
  return applyOp(copy, [x], { shape, strides, offset })[0]
}

/** Dimensions in another order; without `permutation` the last two change places. A run-time size stays first. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const rank = x.shape.length
  const swapped = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i))
  const order = permutation?.map((a) => axisOf('transpose', x, a)) ?? swapped
  const shape = order.map((a) => x.shape[a])
  const leads = shape.every((d, i) => typeof d === 'number' || i === 0)
  if (rank < 2 || new Set(order).size !== rank || !leads)
    throw new ShapeError(`transpose: x is ${shapeText(x.shape)}, permutation is [${order}]`)
  const strides = contiguous(x.shape)
  return strided(
    x,
    shape,
    order.map((a) => strides[a]),
  )
}

/**
 * The part from `starts` (inclusive) to `ends` (exclusive); numbers below 0 count from the end, dimensions that the
 * lists do not reach are taken whole, as a run-time size must be (start 0, end Infinity).
 */
export function slice(x: Tensor, starts: readonly number[], ends: readonly number[]): Tensor {
  const strides = contiguous(x.shape)
  let offset = 0
  const shape = x.shape.map((d, i) => {
    const from = starts[i] ?? 0
    const to = ends[i] ?? Infinity
    if (from === 0 && to === Infinity) return d
    const size = typeof d === 'number' ? d : Number.NaN
    const begin = from < 0 ? from + size : from
    const end = to < 0 ? to + size : Math.min(to, size)
    if (!(begin >= 0 && begin < end && end <= size))
      throw new ShapeError(`slice: x is ${shapeText(x.shape)}, from ${from} to ${to} in dimension ${i}`)
    offset += begin * strides[i]
    return end - begin
  })
  return sameShape(shape, x.shape) ? x : strided(x, shape, strides, offset)
}

/** x repeated along its dimensions of size 1, and new ones in front, until it has `shape`. */
export function broadcastTo(x: Tensor, shape: readonly Dim[]): Tensor {
  const found = broadcastShape(x.shape, shape)
  if (!found || !sameShape(found, shape))
    throw new ShapeError(
      `broadcastTo: x is ${shapeText(x.shape)}, which does not repeat to ${shapeText(shape)}`,
    )
  return sameShape(shape, x.shape) ? x : strided(x, shape, broadcastStrides(x.shape, shape))
}

/** Tensors one after the other along an axis (not one of run-time size); their other dimensions agree. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 0) throw new ShapeError('concat: no tensors')
  const at = axisOf('concat', parts[0], axis)
  return parts.reduce((a, b) => applyOp(concatOp, [a, b], { axis: at })[0])
}

/**
 * Rows by index: x [N,*], index i32 [M] give [M,*]. An index that is not in [0, N) gives zeros and sends no gradient.
 */
export function gather(x: Tensor, index: Tensor): Tensor {
  return applyOp(gatherOp, [x, index], {})[0]
}

/**
 * Sums rows by index: x [M,*], index i32 [M] give [rows,*], row n the sum of the x[m] with index[m] = n. An index that
 * is not in [0, rows) drops its x.
 */
export function scatterAdd(x: Tensor, index: Tensor, rows: Dim): Tensor {
  return applyOp(scatterAddOp, [x, index], { rows })[0]
}
