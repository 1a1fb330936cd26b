/**
 * A pretraining step of ALBERT base in f32 and in bf16, in turn with PyTorch's (bench/peers/albert_step.py): its own
 * matrix products and oneDNN's, bf16 by autocast, and torch.compile of f32 and bf16, which needs a C++ compiler. All
 * start from the same weights and batch, whose loss without dropout must agree.
 */
import { rmSync } from 'node:fs'
import { openCpu } from '../../src/device/cpu.js'
import type { FloatType } from '../../src/ops/shape.js'
import { type StepShape, steps } from '../shapes.js'
import { quick } from '../support/bench.js'
import { isCase } from '../support/case.js'
import { temporaryFolder } from '../support/folder.js'
import { openPeers } from '../support/peer.js'
import { type PeerSpec, threads } from '../support/peers.js'
import { type PretrainingStep, pretrainingStep } from '../support/pretraining_step.js'
import { type Contestant, ownCpu, race } from '../support/race.js'

const PRECISIONS: FloatType[] = ['f32', 'bf16']
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
  const device = openCpu({ threads })
  const ours: { precision: FloatType; step: PretrainingStep }[] = []
  try {
    for (const precision of PRECISIONS)
      ours.push({ precision, step: await pretrainingStep(device, shape, { dropout, precision }) })
    const [{ step: reference }] = ours
    await reference.save(folder)
    const first = await reference.evaluate()
    checkFirst('ours', first, shape)
    for (const { precision, step } of ours)
      agree(`ours in ${precision}`, await step.evaluate(), first, TOLERANCE[precision])
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
      agree(spec.name, ready.first_loss, first, TOLERANCE[spec.precision]),
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

function agree(who: string, loss: unknown, want: number, tolerance: number): void {
  if (!(typeof loss === 'number' && Math.abs(loss / want - 1) <= tolerance))
    throw new Error(`${who}: the first loss is ${loss} (want ${want}, up to ${tolerance} of it)`)
}

/**
 * A model that has not learnt yet guesses words and order: the loss is ln V + ln 2, and a little more for its noise.
 * All train on one batch again and again, which they come to know: from there it may only fall.
 */
function checkLoss(who: string, loss: number, { V }: StepShape): void {
  const want = Math.log(V) + Math.log(2)
  if (!(loss > 0 && loss < want + 0.4)) throw new Error(`${who}: the loss is ${loss} (want about ${want})`)
}

function checkFirst(who: string, loss: number, shape: StepShape): void {
  checkLoss(who, loss, shape)
  if (!(loss > Math.log(shape.V) - 0.4)) throw new Error(`${who}: the first loss is ${loss}`)
}
