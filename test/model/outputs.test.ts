/**
 * Hidden states, pooled vectors and logits of the pretraining heads against transformers in float64; in f32 number by
 * number, with dense layers of 8-bit integers by the distance of all numbers of an output.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelType } from '../../src/model/config.js'
import { openGolden } from '../support/albert_golden.js'
import { allclose } from '../support/allclose.js'
import { ofEachKind } from '../support/cases.js'
import { narrowIsas } from '../support/half_case.js'
import { testedIsas } from '../support/op_check.js'
import { outputsOf } from '../support/pretraining_outputs.js'
import { onSet } from '../support/tally.js'

const test = suite('outputs of the pretraining model')

/**
 * An operand is rounded to within 1/254 of the largest of its row, so a product is off by about 0.5% of its root mean
 * square, and each of up to a few layers adds as much again.
 */
const INT8_DISTANCE = 0.03

const cases = ofEachKind<[ModelType, string]>({
  'albert, several heads': [['albert', 'pretraining']],
  'albert, others': [
    ['albert', 'pretraining_full_d64'],
    ['albert', 'pretraining_one_head'],
  ],
  bert: [
    ['bert', 'pretraining'],
    ['bert', 'pretraining_one_layer'],
    ['bert', 'pretraining_deep'],
  ],
})

for (const [family, name] of cases) {
  const golden = openGolden(name, family)
  for (const isa of testedIsas())
    test(
      `${family} ${name}: hidden states, pooled vectors, logits (${isa})`,
      onSet(isa, async () => {
        for (const [output, found] of await outputsOf(golden, isa, 'f32'))
          allclose(found, golden.floats(`outputs/${output}`), { rtol: 1e-5, atol: 5e-6, name: output })
      }),
    )
  for (const isa of narrowIsas('pack_int8_forward'))
    test(
      `${family} ${name}: the same in int8 (${isa})`,
      onSet(isa, async () => {
        for (const [output, found] of await outputsOf(golden, isa, 'int8')) {
          const distance = relativeDistance(found, golden.floats(`outputs/${output}`))
          assert.ok(
            distance <= INT8_DISTANCE,
            `${output}: a distance of ${distance}, at most ${INT8_DISTANCE}`,
          )
          // what was not quantised at all would come out at 1e-6
          if (output === 'hidden') assert.ok(distance > 1e-4, `${output}: a distance of ${distance}`)
        }
      }),
    )
}

/** ||a - b|| / ||b||. */
function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0
  let norm = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

test.run()
