/**
 * Pretraining steps of ALBERT base in bf16 on a GPU beside PyTorch's in every form that it has (bench/peers/common.py,
 * training_modes): 64 sequences of 512, without and with dropout, and 256 of 128. A turn is several steps that are queued
 * without a wait, as training runs them. All start from the same weights and batch, whose loss without dropout must agree.
 * Beside the race: where the time of a step goes by families of kernels, and the share in which the GPU waited.
 */
import { rmSync } from 'node:fs'
import { type StepShape, steps } from '../shapes.js'
import { isCase } from '../support/case.js'
import { isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import { agreeOnFirst, checkFirst, checkLoss, pretrainingStep } from '../support/pretraining_step.js'
import { queuedSeconds, recordStep } from '../support/queued.js'
import { type Contestant, race } from '../support/race.js'

/** Steps of a turn. */
const TURN = isEmulated ? 2 : 5

const cases: [StepShape, dropout: number][] = isEmulated
  ? [[steps.nano_2x16, 0.1]]
  : [
      [steps.base_64x512, 0],
      [steps.base_256x128, 0],
      [steps.base_64x512, 0.1],
    ]
for (const [shape, dropout] of cases.slice(0, isShort ? 2 : 3))
  await compare(`${shape.name}${dropout > 0 && !isEmulated ? '_dropout' : ''}`, shape, dropout)

async function compare(name: string, shape: StepShape, dropout: number): Promise<void> {
  if (!isCase(name)) return
  const folder = temporaryFolder()
  const device = await openBenchDevice()
  try {
    const step = await pretrainingStep(device, shape, { dropout, precision: 'bf16' })
    await step.save(folder)
    const first = await step.evaluate()
    checkFirst('ours', first, shape)
    const ours: Contestant = {
      name: 'ours',
      precision: 'bf16',
      ours: true,
      async run() {
        const seconds = await queuedSeconds(TURN, step.run)
        checkLoss('ours', await step.loss(), shape)
        return seconds
      },
    }
    const spec = {
      name: 'PyTorch',
      precision: 'bf16' as const,
      script: 'albert_step.py',
      options: { model: folder, dropout, precision: 'bf16', modes: true, compile: !isEmulated },
      turn: TURN,
    }
    const peers = await openPeers(name, [spec], (_, ready) =>
      agreeOnFirst('PyTorch', ready.first_loss, first, 5e-3),
    )
    try {
      const cost = {
        flops: step.flops,
        products: 'bf16' as const,
        units: { tokens: shape.N, sequences: shape.B },
      }
      await race(name, cost, [ours, ...peers.contestants], isEmulated ? {} : { rounds: isShort ? 5 : 9 })
    } finally {
      await peers.close()
    }
    await recordStep(name, 2 * TURN, { ...step, program: step.runtime.program('step').program })
    step.free()
  } finally {
    await device.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}
