/** A whole pretraining step of an ALBERT in races on WebGPU. */
import type { StepShape } from '../../shapes.js'
import { pretrainingModel, pretrainingStep } from '../pretraining_step.js'
import type { Operand, WebgpuCase } from './contract.js'
import { operand } from './ours.js'

/** Forward, backward and LAMB; the losses of the first weights and of those after two steps are compared. */
export function stepCase(shape: StepShape): WebgpuCase {
  return {
    name: `step ${shape.name}`,
    request() {
      const { parameters, initial, batch } = pretrainingModel(shape, 0)
      const data = initial()
      const tensors = Object.entries(batch).map(([name, d]): [string, Operand] => [
        name,
        operand(d, d.length),
      ])
      const { B, S, H, A, L, masked, V } = shape
      return {
        kind: 'albert_step',
        sizes: {
          B,
          S,
          H,
          A,
          L,
          masked,
          V,
          lr: 1e-4,
          beta1: 0.9,
          beta2: 0.999,
          eps: 1e-6,
          decay: 0.01,
          clip: 1,
        },
        operands: { parameters: operand(data, data.length), ...Object.fromEntries(tensors) },
        tensors: parameters.segments,
      }
    },
    async ours(device) {
      const step = await pretrainingStep(device, shape, { dropout: 0 })
      const first = await step.evaluate()
      await step.run()
      await step.run()
      const losses = Float32Array.of(first, await step.evaluate())
      return {
        results: { losses },
        flops: step.flops,
        bytes: 0,
        async run(count) {
          // one queued behind the one that runs, as training does
          let before: Promise<void> | undefined
          for (let i = 0; i < count; i++) {
            const now = step.run()
            await before
            before = now
          }
          await before
        },
        free: step.free,
      }
    },
  }
}
