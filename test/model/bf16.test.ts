/**
 * ALBERT in bf16 against transformers in float64: losses, every gradient by name, ten steps. bf16 has 8 bits of
 * significand, a relative error of up to 2^-9 a rounding. Measured, in the order of the bounds: 3.6e-4, 1.1e-2, 2.6e-2, 5.2e-3.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { optimizerInputs } from '../../src/training/optimizer.js'
import { openGolden, weightsInto } from '../support/albert_golden.js'
import { allclose, sameBits } from '../support/allclose.js'
import { isFew } from '../support/cases.js'
import { buildGolden, close } from '../support/golden_program.js'
import { BF16_KERNEL, narrowIsas } from '../support/half_case.js'
import { isJudged } from '../support/op_check.js'
import { onSet } from '../support/tally.js'

const test = suite('albert in bf16')
const cases = ['pretraining', 'pretraining_full_d64', 'token_classification']
// one of each where all is slow
const [steps, recomputation] =
  isJudged() || isFew
    ? ([['lamb'], [false]] as const)
    : ([
        ['lamb', 'adamw'],
        [false, true],
      ] as const)

/**
 * Largest errors: of the loss, relative; of a gradient, over the largest norm of any gradient; of one that is not small
 * beside that, over its own norm; of the losses of ten steps, relative.
 */
const bounds = { loss: 1e-3, gradient: 2e-2, own: 5e-2, steps: 1e-2 }

function norm(x: ArrayLike<number>): number {
  let s = 0
  for (let i = 0; i < x.length; i++) s += x[i] ** 2
  return Math.sqrt(s)
}

for (const name of isJudged() || isFew ? ['pretraining_full_d64'] : cases) {
  const golden = openGolden(name)
  for (const isa of narrowIsas(BF16_KERNEL))
    test(
      `${name}: loss and every gradient (${isa})`,
      onSet(isa, async () => {
        const arenas: Float32Array[] = []
        for (const recompute of recomputation) {
          const built = buildGolden(golden, isa, 'lamb', { recompute, precision: 'bf16' })
          const { runtime, inputs, scalars, set } = built
          try {
            await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
            await runtime.run('gradients', inputs, scalars)
            const loss = await runtime.read('gradients', 'loss')
            allclose(loss, golden.floats('outputs/loss'), { rtol: bounds.loss, name: 'loss' })
            const gradients = await runtime.readState('gradients')
            const parts = set.segments.map((s) => ({
              name: s.name,
              found: gradients.subarray(s.offset, s.offset + s.size),
              want: golden.floats(`gradients/${s.name}`),
            }))
            const largest = Math.max(...parts.map(({ want }) => norm(want)))
            for (const { name, found, want } of parts) {
              const distance = norm(found.map((g, i) => g - want[i]))
              assert.ok(distance <= bounds.gradient * largest, `${name}: ${distance} of ${largest}`)
              if (norm(want) > 0.05 * largest)
                assert.ok(distance <= bounds.own * norm(want), `${name}: ${distance} of its ${norm(want)}`)
            }
            arenas.push(gradients)
          } finally {
            await close(runtime)
          }
        }
        if (arenas.length > 1) sameBits(arenas[1], arenas[0], { name: 'gradients with recomputation' })
      }),
    )
  for (const optimizer of steps)
    test(`${name}: ten ${optimizer} steps`, async () => {
      for (const isa of narrowIsas(BF16_KERNEL).slice(-2)) {
        const { runtime, inputs, scalars, set } = buildGolden(golden, isa, optimizer, { precision: 'bf16' })
        try {
          await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
          const losses: number[] = []
          for (const lr of golden.floats(`${optimizer}/lr`)) {
            const all = { ...scalars, lr, correction1: 1, correction2: 1 }
            await runtime.run('step', { ...inputs, ...optimizerInputs(set) }, all)
            losses.push((await runtime.read('step', 'loss'))[0])
          }
          const want = golden.floats(`${optimizer}/losses`)
          allclose(losses, want, { rtol: bounds.steps, atol: 0, name: `losses (${isa})` })
        } finally {
          await close(runtime)
        }
      }
    })
}

test.run()
