/**
 * Elementwise arithmetic of two tensors with broadcasting (NumPy's rules): y = fn(a, b). Comparisons give 1 or 0 and
 * have no gradient; `max` and `min` send the gradient to the operand that was chosen, to `a` on a tie.
 */
import { kernel } from '../device/kernel.js'
import { COPY_RANK, contiguous } from './copy.js'
import { fill } from './fill.js'
import { defineOp, type GradientScope, shapeError, type Value } from './op.js'
import { reduce } from './reduce.js'
import { type Dim, elements, isFloat, param, product, type Spec, sameDim } from './shape.js'
import { unary } from './unary.js'

/** The number of each function is its place in this list; kernels switch on it. */
export const BINARY_FUNCTIONS = [
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'pow',
  'equal',
  'less',
  'less_equal',
] as const
export type BinaryFunction = (typeof BINARY_FUNCTIONS)[number]

/** The shape that two shapes broadcast to, or undefined. */
export function broadcastShape(a: readonly Dim[], b: readonly Dim[]): Dim[] | undefined {
  const rank = Math.max(a.length, b.length)
  const shape: Dim[] = []
  for (let i = 0; i < rank; i++) {
    const da = a[i - rank + a.length] ?? 1
    const db = b[i - rank + b.length] ?? 1
    if (sameDim(da, db) || db === 1) shape.push(da)
    else if (da === 1) shape.push(db)
    else return undefined
  }
  return shape
}

/** Strides of a tensor of shape `from` walked as shape `to`: 0 where it repeats. */
export function broadcastStrides(from: readonly Dim[], to: readonly Dim[]): number[] {
  const own = contiguous(from)
  return to.map((dim, i) => {
    const k = i - to.length + from.length
    return k < 0 || (from[k] === 1 && dim !== 1) ? 0 : own[k]
  })
}

/** Dimensions and strides of several operands with neighbours merged where every operand is contiguous, 1s in front up to four. */
export function mergeOperands(
  shape: readonly Dim[],
  strides: readonly (readonly number[])[],
): { dims: Dim[]; steps: number[][] } | undefined {
  const dims: Dim[] = []
  const steps: number[][] = strides.map(() => [])
  shape.forEach((dim, i) => {
    const last = dims.length - 1
    if (dim === 1 && shape.length > 1) return
    if (last >= 0 && typeof dim === 'number' && strides.every((s, k) => steps[k][last] === s[i] * dim)) {
      dims[last] = product([dims[last], dim])
      strides.forEach((s, k) => {
        steps[k][last] = s[i]
      })
    } else {
      dims.push(dim)
      strides.forEach((s, k) => {
        steps[k].push(s[i])
      })
    }
  })
  if (dims.length > COPY_RANK) return undefined
  while (dims.length < COPY_RANK) {
    dims.unshift(1)
    for (const s of steps) s.unshift(0)
  }
  return { dims, steps }
}

/** Sums a gradient over the dimensions along which `spec` was repeated. */
export function reduceTo(scope: GradientScope, gradient: Value, spec: Spec): Value {
  const extra = gradient.spec.shape.length - spec.shape.length
  let g = gradient
  if (extra > 0) {
    const flat = [product(g.spec.shape.slice(0, extra)), ...g.spec.shape.slice(extra)]
    g = scope.emit(reduce, [scope.reshape(g, flat)], { fn: 'sum', axis: 0, keep: false })[0]
  }
  spec.shape.forEach((dim, i) => {
    if (dim === 1 && g.spec.shape[i] !== 1) g = scope.emit(reduce, [g], { fn: 'sum', axis: i, keep: true })[0]
  })
  return g
}

const slots = (prefix: string, type: 'u32' | 'i32') =>
  Object.fromEntries([0, 1, 2, 3].map((i) => [`${prefix}${i}`, type])) as Record<string, 'u32' | 'i32'>

export const binary = defineOp<{ fn: BinaryFunction }>({
  name: 'binary',
  inputs: ['a', 'b'],
  outputs: ['y'],
  infer([a, b]) {
    const shape = broadcastShape(a.shape, b.shape)
    const strides = shape && [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]
    if (!shape || !strides || !isFloat(a.dtype) || a.dtype !== b.dtype || !mergeOperands(shape, strides))
      throw shapeError('binary', { a, b }, 'shapes of f32, bf16 or f16 that broadcast')
    return [{ shape, dtype: a.dtype }]
  },
  params({ a, b, y }, { fn }) {
    const merged = mergeOperands(y.shape, [
      broadcastStrides(a.shape, y.shape),
      broadcastStrides(b.shape, y.shape),
    ])!
    return {
      ...Object.fromEntries(merged.dims.map((d, i) => [`d${i}`, param(d)])),
      ...Object.fromEntries(merged.steps[0].map((s, i) => [`a${i}`, s])),
      ...Object.fromEntries(merged.steps[1].map((s, i) => [`b${i}`, s])),
      fn: BINARY_FUNCTIONS.indexOf(fn),
    }
  },
  forward: kernel(
    'binary_forward',
    { a: 'read', b: 'read', y: 'write' },
    { ...slots('d', 'u32'), ...slots('a', 'u32'), ...slots('b', 'u32'), fn: 'u32' },
  ),
  gradient(scope, { fn }) {
    const a = scope.value('a')
    const b = scope.value('b')
    const dy = scope.incoming('y')
    const of = (name: BinaryFunction, x: Value, y: Value) => scope.emit(binary, [x, y], { fn: name })[0]
    const give = (input: 'a' | 'b', gradient: () => Value) => {
      if (scope.wants(input)) scope.give(input, reduceTo(scope, gradient(), scope.value(input).spec))
    }
    switch (fn) {
      case 'add':
        give('a', () => dy)
        give('b', () => dy)
        return
      case 'sub':
        give('a', () => dy)
        give('b', () => scope.emit(unary, [dy], { fn: 'neg' })[0])
        return
      case 'mul':
        give('a', () => of('mul', dy, b))
        give('b', () => of('mul', dy, a))
        return
      case 'div': // d(a/b)/db = -y/b
        give('a', () => of('div', dy, b))
        give('b', () => scope.emit(unary, [of('div', of('mul', dy, scope.value('y')), b)], { fn: 'neg' })[0])
        return
      case 'max':
        give('a', () => of('mul', dy, of('less_equal', b, a)))
        give('b', () => of('mul', dy, of('less', a, b)))
        return
      case 'min':
        give('a', () => of('mul', dy, of('less_equal', a, b)))
        give('b', () => of('mul', dy, of('less', b, a)))
        return
      case 'pow': // d(a^b)/da = b a^(b-1), d(a^b)/db = y log a
        give('a', () => {
          const one = scope.emit(fill, [], { shape: [], value: 1 })[0]
          return of('mul', dy, of('mul', b, of('pow', a, of('sub', b, one))))
        })
        give('b', () => of('mul', dy, of('mul', scope.value('y'), scope.emit(unary, [a], { fn: 'log' })[0])))
    }
  },
  flops: ({ y }) => elements(y),
})
