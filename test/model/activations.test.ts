/** Models whose activation is ReLU or SiLU: losses, every gradient and ten steps against transformers in float64; in bf16; as config.json. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { preset } from '../../src/model/config.js'
import { formatConfig, parseConfig } from '../../src/model/huggingface.js'
import { openGolden, weightsInto } from '../support/albert_golden.js'
import { buildGolden, close } from '../support/golden_program.js'
import { isJudged, testedIsas } from '../support/op_check.js'
import { checkParity } from '../support/parity.js'

const test = suite('activations')

const cases = ['albert_relu', 'bert_silu']
for (const name of cases) checkParity(test, 'activations', name)

if (!isJudged()) {
  for (const name of cases)
    test(`${name}: in bf16 the loss is near that of float64, and gradients are there`, async () => {
      const golden = openGolden(name, 'activations')
      const isa = testedIsas().at(-1)!
      const { runtime, inputs, scalars, set } = buildGolden(golden, isa, 'lamb', { precision: 'bf16' })
      try {
        await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
        await runtime.run('gradients', inputs, scalars)
        const [loss] = await runtime.read('gradients', 'loss')
        const [wanted] = golden.floats('outputs/loss')
        assert.ok(Math.abs(loss - wanted) < 0.02 * wanted, `${loss}, in float64 ${wanted}`)
        const gradients = await runtime.readState('gradients')
        const exact = weightsInto(set, golden, 'gradients')
        const error = Math.hypot(...exact.map((g, i) => g - gradients[i])) / Math.hypot(...exact)
        assert.ok(error < 0.05, `gradients: ${error}`)
      } finally {
        await close(runtime)
      }
    })

  test('config.json names them as transformers does', () => {
    const config = preset('nano', 40)
    for (const [name, gelu] of [
      ['gelu', 'erf'],
      ['gelu_new', 'tanh'],
      ['relu', 'relu'],
      ['silu', 'silu'],
    ] as const) {
      const text = formatConfig({ ...config, gelu }, 'AlbertForPreTraining')
      assert.is(JSON.parse(text).hidden_act, name)
      assert.is(parseConfig(text, 'c').config.gelu, gelu)
    }
    const swish = formatConfig(config, 'x').replace('gelu_new', 'swish')
    assert.is(parseConfig(swish, 'c').config.gelu, 'silu')
  })
}

test.run()
