/** Chooses by element with broadcasting: y = cond != 0 ? a : b. cond is f32 or i32 and gets no gradient. */
import { kernel } from '../device/kernel.js'
import { broadcastShape, broadcastStrides, mergeOperands, reduceTo } from './binary.js'
import { fill } from './fill.js'
import { defineOp, shapeError } from './op.js'
import { type Dim, elements, param, type Spec } from './shape.js'

function resultShape(cond: Spec, a: Spec, b: Spec): Dim[] | undefined {
  const values = broadcastShape(a.shape, b.shape)
  return values && broadcastShape(cond.shape, values)
}

const slots = (prefix: string) =>
  Object.fromEntries([0, 1, 2, 3].map((i) => [`${prefix}${i}`, 'u32'])) as Record<string, 'u32'>

export const where = defineOp<Record<string, never>>({
  name: 'where',
  inputs: ['cond', 'a', 'b'],
  outputs: ['y'],
  infer([cond, a, b]) {
    const shape = resultShape(cond, a, b)
    const merged =
      shape &&
      mergeOperands(
        shape,
        [cond, a, b].map((s) => broadcastStrides(s.shape, shape)),
      )
    if (!shape || !merged || a.dtype !== 'f32' || b.dtype !== 'f32')
      throw shapeError('where', { cond, a, b }, 'shapes that broadcast, a and b f32')
    return [{ shape, dtype: 'f32' }]
  },
  params({ cond, a, b, y }) {
    const { dims, steps } = mergeOperands(
      y.shape,
      [cond, a, b].map((s) => broadcastStrides(s.shape, y.shape)),
    )!
    return {
      ...Object.fromEntries(dims.map((d, i) => [`d${i}`, param(d)])),
      ...Object.fromEntries(['c', 'a', 'b'].flatMap((name, k) => steps[k].map((s, i) => [`${name}${i}`, s]))),
      // a float is zero with either sign
      mask: cond.dtype === 'f32' ? 0x7fffffff : 0xffffffff,
    }
  },
  forward: kernel(
    'where_forward',
    { cond: 'read', a: 'read', b: 'read', y: 'write' },
    { ...slots('d'), ...slots('c'), ...slots('a'), ...slots('b'), mask: 'u32' },
  ),
  gradient(scope) {
    const cond = scope.value('cond')
    const dy = scope.incoming('y')
    const zero = scope.emit(fill, [], { shape: [], value: 0 })[0]
    for (const input of ['a', 'b'] as const) {
      if (!scope.wants(input)) continue
      const g = scope.emit(where, input === 'a' ? [cond, dy, zero] : [cond, zero, dy], {})[0]
      scope.give(input, reduceTo(scope, g, scope.value(input).spec))
    }
  },
  flops: ({ y }) => elements(y),
})
