/** Hidden states, pooled vectors and logits of the pretraining heads against transformers in float64. */
import { suite } from 'uvu'
import { gather } from '../../src/autograd/functions.js'
import { layernorm, linear, linearGelu } from '../../src/autograd/layers.js'
import { Capture } from '../../src/autograd/tensor.js'
import { cpuInfo, openCpu } from '../../src/device/cpu.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { Affine } from '../../src/model/block.js'
import type { ModelType } from '../../src/model/config.js'
import { batchInputs, encode, pool } from '../../src/model/encoder.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import { openGolden, weightsInto } from '../support/albert_golden.js'
import { allclose } from '../support/allclose.js'

const test = suite('outputs of the pretraining model')

const cases: readonly [ModelType, string][] = [
  ['albert', 'pretraining'],
  ['albert', 'pretraining_one_head'],
  ['albert', 'pretraining_full_d64'],
  ['bert', 'pretraining'],
  ['bert', 'pretraining_one_layer'],
  ['bert', 'pretraining_deep'],
]
for (const [family, name] of cases)
  for (const isa of cpuInfo().isas)
    test(`${family} ${name}: hidden states, pooled vectors, logits (${isa})`, async () => {
      const golden = openGolden(name, family)
      const { rows, sequences, masked } = golden.json.batch
      const set = new ParameterSet()
      const { encoder, mlm, sop } = declarePretraining(set, golden.config)
      const capture = new Capture(set)
      const layer = ({ weight, bias }: Affine) => ({
        weight: capture.parameter(weight),
        bias: capture.parameter(bias),
      })
      const batch = batchInputs(capture, { rows, sequences })
      const hidden = encode(capture, encoder, golden.config, batch, { training: false })
      const pooled = pool(capture, encoder.pooler!, hidden, capture.input('first_rows', [sequences], 'i32'))
      const picked = gather(hidden, capture.input('masked_rows', [masked], 'i32'))
      const features = layernorm(
        linearGelu(picked, layer(mlm.dense), { form: golden.config.gelu }),
        layer(mlm.norm),
        golden.config.layerNormEps,
      )
      const tied = { weight: capture.parameter(encoder.word), bias: capture.parameter(mlm.bias) }
      capture.output('hidden', hidden)
      capture.output('pooled', pooled)
      capture.output('mlm_logits', linear(features, tied))
      capture.output('sop_logits', linear(pooled, layer(sop)))

      const device = openCpu({ isa, threads: 2 })
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
        for (const output of ['hidden', 'pooled', 'mlm_logits', 'sop_logits'])
          allclose(await runtime.read('outputs', output), golden.floats(`outputs/${output}`), {
            rtol: 1e-5,
            atol: 5e-6,
            name: output,
          })
      } finally {
        runtime.free()
        await device.destroy()
      }
    })

test.run()
