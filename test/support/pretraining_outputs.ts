/** Hidden states, pooled vectors and logits of the pretraining heads, on the CPU or on the device that is judged. */
import { gather } from '../../src/autograd/functions.js'
import { layernorm, linear, linearGelu } from '../../src/autograd/layers.js'
import { Capture } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Affine } from '../../src/model/block.js'
import { batchInputs, encode, pool } from '../../src/model/encoder.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import type { GeluForm } from '../../src/ops/linear_gelu.js'
import type { Precision } from '../../src/ops/shape.js'
import { type Golden, weightsInto } from './albert_golden.js'
import { closeAfterTest, openForTest } from './op_check.js'

const names = ['hidden', 'pooled', 'mlm_logits', 'sop_logits']

/** What the model gives for the golden batch, by the name of the output. `weights` fills an arena; default: the golden ones. */
export async function outputsOf(
  golden: Golden,
  isa: string,
  precision: Precision,
  weights: (set: ParameterSet) => Float32Array = (set) => weightsInto(set, golden, 'weights'),
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
    await runtime.writeState('parameters', weights(set))
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
