/**
 * A race of pretraining steps in bf16 on a GPU. Ours and PyTorch's, in every form that it has (bench/peers/common.py,
 * training_modes), start from the same weights and batch, whose loss without dropout must agree; a turn is several steps that
 * are queued without a wait, as training runs them. Beside the race: where the time of a step goes by families of kernels, and
 * the share in which the GPU waited.
 */
import { rmSync } from 'node:fs'
import type { StepShape } from '../shapes.js'
import { isCase } from './case.js'
import { isEmulated, isShort, openBenchDevice } from './device.js'
import { temporaryFolder } from './folder.js'
import { openPeers } from './peer.js'
import { agreeOnFirst, checkFirst, checkLoss, pretrainingStep } from './pretraining_step.js'
import { queuedSeconds, recordStep } from './queued.js'
import { type Contestant, race } from './race.js'
import { saveStep } from './save_step.js'

export interface StepCase {
  readonly shape: StepShape
  readonly dropout: number
  /** Steps of a turn. */
  readonly turn: number
  /** Beside PyTorch. */
  readonly beside: boolean
}

export async function raceStep({ shape, dropout, turn, beside }: StepCase): Promise<void> {
  const name = `${shape.name}${dropout > 0 ? '_dropout' : ''}`
  if (!isCase(name)) return
  const folder = temporaryFolder()
  const device = await openBenchDevice()
  try {
    const step = await pretrainingStep(device, shape, { dropout, precision: 'bf16' })
    await saveStep(step, folder)
    const first = await step.evaluate()
    checkFirst('ours', first, shape)
    const ours: Contestant = {
      name: 'ours',
      precision: 'bf16',
      ours: true,
      async run() {
        const seconds = await queuedSeconds(turn, step.run)
        checkLoss('ours', await step.loss(), shape)
        return seconds
      },
    }
    const spec = {
      name: 'PyTorch',
      precision: 'bf16' as const,
      script: 'albert_step.py',
      options: { model: folder, dropout, precision: 'bf16', modes: true, compile: !isEmulated && !isShort },
      turn,
    }
    const peers = await openPeers(name, beside ? [spec] : [], (_, ready) =>
      agreeOnFirst('PyTorch', ready.first_loss, first, 5e-3),
    )
    try {
      const cost = {
        flops: step.flops,
        products: 'bf16' as const,
        units: { tokens: shape.N, sequences: shape.B },
      }
      await race(name, cost, [ours, ...peers.contestants], isEmulated ? {} : { rounds: isShort ? 3 : 5 })
    } finally {
      await peers.close()
    }
    await recordStep(name, 2 * turn, { ...step, program: step.runtime.program('step').program })
    step.free()
  } finally {
    await device.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}
