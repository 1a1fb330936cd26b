/**
 * Elementwise functions of one tensor: y = fn(x). The gradient needs x or y, whichever is cheaper:
 * dx = dy fn'(v) with v = y for exp, sqrt, rsqrt, tanh, sigmoid and reciprocal, v = x for the others.
 * At the kinks of relu and abs the derivative is 0.
 */
import { kernel } from '../device/kernel.js'
import { defineOp, shapeError } from './op.js'
import { elements, param, product } from './shape.js'

/** The number of each function is its place in this list; kernels switch on it. */
export const UNARY_FUNCTIONS = [
  'neg',
  'exp',
  'log',
  'sqrt',
  'rsqrt',
  'tanh',
  'relu',
  'gelu',
  'sigmoid',
  'abs',
  'square',
  'reciprocal',
  'sin',
  'cos',
  'silu',
  'log1p',
] as const
export type UnaryFunction = (typeof UNARY_FUNCTIONS)[number]

const FROM_OUTPUT: readonly UnaryFunction[] = ['exp', 'sqrt', 'rsqrt', 'tanh', 'sigmoid', 'reciprocal']

const backward = kernel('unary_backward', { dy: 'read', v: 'read', dx: 'write' }, { count: 'u32', fn: 'u32' })

export const unary = defineOp<{ fn: UnaryFunction }>({
  name: 'unary',
  inputs: ['x'],
  outputs: ['y'],
  infer([x]) {
    if (x.dtype !== 'f32') throw shapeError('unary', { x }, 'f32')
    return [x]
  },
  params: ({ x }, { fn }) => ({ count: param(product(x.shape)), fn: UNARY_FUNCTIONS.indexOf(fn) }),
  forward: kernel('unary_forward', { x: 'read', y: 'write' }, { count: 'u32', fn: 'u32' }),
  kernels: [backward],
  gradient(scope, attrs) {
    if (!scope.wants('x')) return
    const x = scope.value('x')
    const dy = scope.incoming('y')
    if (attrs.fn === 'neg') return scope.give('x', scope.emit(unary, [dy], attrs)[0])
    const v = FROM_OUTPUT.includes(attrs.fn) ? scope.value('y') : x
    const dx = scope.fresh(x.spec)
    scope.call(unary, backward, { x, dy, v, dx }, attrs)
    scope.give('x', dx)
  },
  flops: ({ x }) => elements(x),
  // the derivative, and dy
  work: (kernel, { x }) => (kernel === backward.name ? { flops: 2 * elements(x) } : {}),
})
