/**
 * Matrix product y = op(a) op(b) of the last two dimensions, op being the transpose if asked for. The dimensions before
 * are a batch: the same for both, or one of the operands has none and takes part in every product. Of the last two
 * dimensions of y the second is no run-time size.
 */
import { kernel } from '../device/kernel.js'
import { reduceTo } from './binary.js'
import { defineOp, type GradientScope, shapeError, type Value } from './op.js'
import { capacity, type Dim, param, product, type Spec, sameDim, sameShape } from './shape.js'

type MatmulAttrs = { transposeA: boolean; transposeB: boolean }

interface Sizes {
  batch: readonly Dim[]
  /** Rows of one product; all rows of a batch at once if b has no batch. */
  m: Dim
  n: Dim
  k: Dim
  repeats: Dim
  aRepeats: boolean
  bRepeats: boolean
  shape: readonly Dim[]
}

/** A batch of a with one b is one product of more rows. */
function isFlat(b: readonly Dim[], { transposeA }: MatmulAttrs): boolean {
  return b.length === 2 && !transposeA
}

function sizes(a: Spec, b: Spec, attrs: MatmulAttrs): Sizes | undefined {
  const rankA = a.shape.length
  const rankB = b.shape.length
  if (rankA < 2 || rankB < 2 || a.dtype !== 'f32' || b.dtype !== 'f32') return undefined
  const [a0, a1] = a.shape.slice(-2)
  const [b0, b1] = b.shape.slice(-2)
  const [m, k] = attrs.transposeA ? [a1, a0] : [a0, a1]
  const [kb, n] = attrs.transposeB ? [b1, b0] : [b0, b1]
  const batchA = a.shape.slice(0, -2)
  const batchB = b.shape.slice(0, -2)
  if (!sameDim(k, kb) || typeof n !== 'number') return undefined
  if (rankA > 2 && rankB > 2 && !sameShape(batchA, batchB)) return undefined
  const batch = rankA > 2 ? batchA : batchB
  const shape = [...batch, m, n]
  if (isFlat(b.shape, attrs))
    return {
      batch,
      m: product([...batch, m]),
      n,
      k,
      repeats: 1,
      aRepeats: false,
      bRepeats: false,
      shape,
    }
  if (batch.length > 0 && [m, k].some((d) => typeof d !== 'number')) return undefined
  return {
    batch,
    m,
    n,
    k,
    repeats: product(batch),
    aRepeats: rankA === 2 && rankB > 2,
    bRepeats: rankB === 2 && rankA > 2,
    shape,
  }
}

export const matmul = defineOp<MatmulAttrs>({
  name: 'matmul',
  inputs: ['a', 'b'],
  outputs: ['y'],
  infer([a, b], attrs) {
    const found = sizes(a, b, attrs)
    const want = `a ${attrs.transposeA ? '[*,K,M]' : '[*,M,K]'}, b ${attrs.transposeB ? '[*,N,K]' : '[*,K,N]'}, * equal or none`
    if (!found) throw shapeError('matmul', { a, b }, want)
    return [{ shape: found.shape, dtype: 'f32' }]
  },
  params({ a, b }, attrs) {
    const { m, n, k, repeats, aRepeats, bRepeats } = sizes(a, b, attrs)!
    const single = repeats === 1
    return {
      batch: param(repeats),
      m: param(m),
      n: param(n),
      k: param(k),
      // one matrix of each operand further; a batch has no run-time size inside
      a_step: single || aRepeats ? 0 : capacity(m) * capacity(k),
      b_step: single || bRepeats ? 0 : capacity(k) * capacity(n),
      transpose_a: attrs.transposeA ? 1 : 0,
      transpose_b: attrs.transposeB ? 1 : 0,
    }
  },
  forward: kernel(
    'matmul_forward',
    { a: 'read', b: 'read', y: 'write' },
    {
      batch: 'u32',
      m: 'u32',
      n: 'u32',
      k: 'u32',
      a_step: 'u32',
      b_step: 'u32',
      transpose_a: 'u32',
      transpose_b: 'u32',
    },
    { multiplies: true },
  ),
  gradient(scope, attrs) {
    const { transposeA: tA, transposeB: tB } = attrs
    let a = scope.value('a')
    const b = scope.value('b')
    let dy = scope.incoming('y')
    if (isFlat(b.spec.shape, attrs)) {
      a = asMatrix(scope, a)
      dy = asMatrix(scope, dy)
    }
    const times = (x: Value, y: Value, transposeA: boolean, transposeB: boolean) =>
      scope.emit(matmul, [x, y], { transposeA, transposeB })[0]
    const give = (input: 'a' | 'b', gradient: Value) => {
      const { spec } = scope.value(input)
      const whole = gradient.spec.shape.length > spec.shape.length
      scope.give(input, whole ? reduceTo(scope, gradient, spec) : scope.reshape(gradient, spec.shape))
    }
    if (scope.wants('a')) give('a', tA ? times(b, dy, tB, true) : times(dy, b, false, !tB))
    if (scope.wants('b')) give('b', tB ? times(dy, a, true, tA) : times(a, dy, !tA, false))
  },
  flops({ a, b }, attrs) {
    const { m, n, k, repeats } = sizes(a, b, attrs)!
    return 2 * capacity(repeats) * capacity(m) * capacity(n) * capacity(k)
  },
})

function asMatrix(scope: GradientScope, value: Value): Value {
  const { shape } = value.spec
  return scope.reshape(value, [product(shape.slice(0, -1)), shape.at(-1)!])
}
