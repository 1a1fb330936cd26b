/**
 * Pretraining in f16 on WebGPU, from a loss scale that is far too large: steps overflow and are left out until the scale fits, and
 * the run then follows one in f32 on the CPU that leaves out the same steps.
 */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../../src/device/cpu.js'
import type { Device } from '../../../src/device/device.js'
import { pretrain, type StepLine } from '../../../src/training/pretraining/pretrain.js'
import type { PretrainChoices } from '../../../src/training/pretraining/settings.js'
import { setUpPretraining } from '../../../src/training/pretraining/setup.js'
import { allclose } from '../../support/allclose.js'
import { overflowing } from '../../support/overflowing.js'
import { pretrainingData } from '../../support/pretraining_case.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('pretraining in f16 on webgpu')
const opened = await openWebgpuForTest()
const NAME = 'from a scale that is too large it follows f32'
if ('reason' in opened) skip(test, NAME, opened.reason)
else if (!opened.device.supports('linear_forward_f16')) {
  skip(test, NAME, 'the device has no kernels of f16')
  test('the device closes', () => opened.device.destroy())
} else {
  const data = await pretrainingData()
  const STEPS = 18
  const START = 2 ** 24

  const run = async (device: Device, precision: PretrainChoices['precision']): Promise<StepLine[]> => {
    const out = join(data.folder, String(precision))
    const choices: PretrainChoices = {
      ...{ preset: 'nano', layers: 1, batch: 4, dropout: 0, totalSteps: STEPS, warmup: 0, precision },
      lossScaling: { start: START },
    }
    const { instances, tokenizer } = data
    const setup = await setUpPretraining({
      choices,
      instances,
      tokenizer,
      out,
      resume: false,
      evalInstances: 2,
    })
    const lines: StepLine[] = []
    const events = { step: (line: StepLine) => void lines.push(line) }
    await pretrain(setup, device, { out, evalEvery: 1000, saveEvery: 1000, keep: 1, events })
    return lines
  }

  test(NAME, async () => {
    const half = await run(opened.device, 'f16')
    const left = half.filter(({ grad_norm }) => !Number.isFinite(grad_norm)).length
    assert.ok(left >= 2 && left <= STEPS / 2, `left out: ${left}`)
    assert.ok(half.slice(0, left).every(({ grad_norm }) => !Number.isFinite(grad_norm)))
    const scale = half.at(-1)!.loss_scale!
    assert.is(scale, START / 2 ** (left / 2))
    const cpu = openCpu({ threads: 2 })
    try {
      const full = await run(overflowing(cpu, scale), 'f32')
      assert.is(full.at(-1)!.skipped_steps, left)
      for (const name of ['loss', 'grad_norm'] as const) {
        const of = (lines: StepLine[]) => lines.slice(left).map((line) => line[name])
        // 0.000017 of losses and 0.000034 of norms were measured
        allclose(of(half), of(full), { rtol: name === 'loss' ? 1e-4 : 3e-4, atol: 0, name })
      }
      assert.ok(full.at(-1)!.loss < full[left].loss - 0.3, 'it learns')
    } finally {
      await cpu.destroy()
    }
  })

  test('the device closes', () => opened.device.destroy())
}

test.run()
