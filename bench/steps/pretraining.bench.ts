/**
 * A pretraining step of ALBERT base in f32 and in bf16, in turn with PyTorch's (bench/peers/albert_step.py): its own
 * matrix products and oneDNN's, bf16 by autocast, and torch.compile of f32 and bf16, which needs a C++ compiler. All
 * start from the same weights and batch, whose loss without dropout must agree.
 */
import { rmSync } from 'node:fs'
import { type StepShape, steps } from '../shapes.js'
import { quick } from '../support/bench.js'
import { isCase } from '../support/case.js'
import { openBenchDevice } from '../support/device.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import type { PeerSpec } from '../support/peers.js'
import type { TrainingPrecision } from '../support/precisions.js'
import {
  agreeOnFirst,
  checkFirst,
  checkLoss,
  type PretrainingStep,
  pretrainingStep,
} from '../support/pretraining_step.js'
import { type Contestant, ownCpu, race } from '../support/race.js'
import { saveStep } from '../support/save_step.js'

const PRECISIONS: TrainingPrecision[] = ['f32', 'bf16']
/** Largest difference of first losses, relative: bf16 rounds at 2^-9. */
const TOLERANCE = { f32: 1e-4, bf16: 5e-3, int8: 0 }

// 1,024 rows and 4,096
const shapes = [steps.base_8x128, steps.base_2x512, steps.base_32x128, steps.base_8x512]
for (const shape of quick ? [steps.mini_8x128] : shapes) {
  await compare(shape.name, shape, 0)
  await compare(`${shape.name}_dropout`, shape, 0.1)
}

async function compare(name: string, shape: StepShape, dropout: number): Promise<void> {
  if (!isCase(name)) return
  const folder = temporaryFolder()
  const device = await openBenchDevice()
  const ours: { precision: TrainingPrecision; step: PretrainingStep }[] = []
  try {
    for (const precision of PRECISIONS)
      ours.push({ precision, step: await pretrainingStep(device, shape, { dropout, precision }) })
    const [{ step: reference }] = ours
    await saveStep(reference, folder)
    const first = await reference.evaluate()
    checkFirst('ours', first, shape)
    for (const { precision, step } of ours)
      agreeOnFirst(`ours in ${precision}`, await step.evaluate(), first, TOLERANCE[precision])
    const own = ours.map(
      ({ precision, step }): Contestant => ({
        name: `ours ${precision}`,
        precision,
        ours: true,
        cpu: ownCpu,
        async run() {
          await step.run()
          checkLoss(`ours in ${precision}`, await step.loss(), shape)
        },
      }),
    )
    const peers = await openPeers(name, pytorch(folder, dropout), (spec, ready) =>
      agreeOnFirst(spec.name, ready.first_loss, first, TOLERANCE[spec.precision]),
    )
    try {
      const cost = { flops: reference.flops, units: { tokens: shape.N } }
      await race(name, cost, [...own, ...peers.contestants], shape.N > 1024 ? { rounds: 3 } : {})
    } finally {
      await peers.close()
    }
  } finally {
    for (const { step } of ours) step.free()
    await device.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

function pytorch(model: string, dropout: number): PeerSpec[] {
  const modes = [
    { name: 'PyTorch f32', precision: 'f32' },
    { name: 'PyTorch f32 with oneDNN', precision: 'f32', linear: 'onednn' },
    { name: 'PyTorch f32 compiled', precision: 'f32', compile: true },
    { name: 'PyTorch bf16', precision: 'bf16' },
    { name: 'PyTorch bf16 compiled', precision: 'bf16', compile: true },
  ] as const
  // compiling takes minutes, which a quick run has not
  return modes
    .filter((mode) => !(quick && 'compile' in mode))
    .map(({ name, precision, ...mode }) => ({
      name,
      precision,
      script: 'albert_step.py',
      options: { model, dropout, precision, ...(quick && { warmup: 1 }), ...mode },
    }))
}
