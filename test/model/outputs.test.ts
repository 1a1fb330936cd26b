/**
 * Hidden states, pooled vectors and logits of the pretraining heads against transformers in float64; in f32 number by
 * number, with dense layers of 8-bit integers by the distance of all numbers of an output.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { gather } from '../../src/autograd/functions.js'
import { layernorm, linear, linearGelu } from '../../src/autograd/layers.js'
import { Capture } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Affine } from '../../src/model/block.js'
import type { ModelType } from '../../src/model/config.js'
import { batchInputs, encode, pool } from '../../src/model/encoder.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import type { GeluForm } from '../../src/ops/linear_gelu.js'
import type { Precision } from '../../src/ops/shape.js'
import { type Golden, openGolden, weightsInto } from '../support/albert_golden.js'
import { allclose } from '../support/allclose.js'
import { narrowIsas } from '../support/bf16_case.js'
import { closeAfterTest, openForTest, testedIsas } from '../support/op_check.js'

const test = suite('outputs of the pretraining model')

/**
 * An operand is rounded to within 1/254 of the largest of its row, so a product is off by about 0.5% of its root mean
 * square, and each of up to a few layers adds as much again.
 */
const INT8_DISTANCE = 0.03

const cases: readonly [ModelType, string][] = [
  ['albert', 'pretraining'],
  ['albert', 'pretraining_one_head'],
  ['albert', 'pretraining_full_d64'],
  ['bert', 'pretraining'],
  ['bert', 'pretraining_one_layer'],
  ['bert', 'pretraining_deep'],
]
const names = ['hidden', 'pooled', 'mlm_logits', 'sop_logits']

/** What the model gives for the golden batch, by the name of the output. */
async function outputsOf(
  golden: Golden,
  isa: string,
  precision: Precision,
): Promise<Map<string, Float32Array>> {
  const { rows, sequences, masked } = golden.json.batch
  const set = new ParameterSet()
  const { encoder, mlm, sop } = declarePretraining(set, golden.config)
  const capture = new Capture(set)
  const layer = ({ weight, bias }: Affine) => ({
    weight: capture.parameter(weight),
    bias: capture.parameter(bias),
  })
  const batch = batchInputs(capture, { rows, sequences })
  const hidden = encode(capture, encoder, golden.config, batch, { training: false, precision })
  const pooled = pool(capture, encoder.pooler!, hidden, capture.input('first_rows', [sequences], 'i32'))
  const picked = gather(hidden, capture.input('masked_rows', [masked], 'i32'))
  const features = layernorm(
    linearGelu(picked, layer(mlm.dense), { form: golden.config.gelu as GeluForm }),
    layer(mlm.norm),
    golden.config.layerNormEps,
  )
  const tied = { weight: capture.parameter(encoder.word), bias: capture.parameter(mlm.bias) }
  capture.output('hidden', hidden)
  capture.output('pooled', pooled)
  capture.output('mlm_logits', linear(features, tied))
  capture.output('sop_logits', linear(pooled, layer(sop)))

  const device = openForTest({ isa, threads: 2 })
  const runtime = new Runtime(device, set, { outputs: capture.graph })
  try {
    await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
    const cu = golden.ints('batch/cu_seqlens')
    await runtime.run(
      'outputs',
      {
        ids: golden.ints('batch/input_ids'),
        segments: golden.ints('batch/segment_ids'),
        positions: golden.ints('batch/position_ids'),
        cu_seqlens: cu,
        masked_rows: golden.ints('batch/masked_rows'),
        first_rows: cu.slice(0, sequences),
      },
      { rows, sequences, seed: 0, draw: 0 },
    )
    const found = new Map<string, Float32Array>()
    for (const name of names) found.set(name, await runtime.read('outputs', name))
    return found
  } finally {
    runtime.free()
    await closeAfterTest(device)
  }
}

for (const [family, name] of cases) {
  const golden = openGolden(name, family)
  for (const isa of testedIsas())
    test(`${family} ${name}: hidden states, pooled vectors, logits (${isa})`, async () => {
      for (const [output, found] of await outputsOf(golden, isa, 'f32'))
        allclose(found, golden.floats(`outputs/${output}`), { rtol: 1e-5, atol: 5e-6, name: output })
    })
  for (const isa of narrowIsas('pack_int8_forward'))
    test(`${family} ${name}: the same in int8 (${isa})`, async () => {
      for (const [output, found] of await outputsOf(golden, isa, 'int8')) {
        const distance = relativeDistance(found, golden.floats(`outputs/${output}`))
        assert.ok(distance <= INT8_DISTANCE, `${output}: a distance of ${distance}, at most ${INT8_DISTANCE}`)
        // what was not quantised at all would come out at 1e-6
        if (output === 'hidden') assert.ok(distance > 1e-4, `${output}: a distance of ${distance}`)
      }
    })
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
