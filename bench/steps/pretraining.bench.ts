/**
 * A pretraining step of ALBERT base in f32 in turn with PyTorch's (bench/peers/albert_step.py), both on all cores, the
 * peer with its own matrix products and with oneDNN's. BIOALBERT_PEER_PYTHON names the peer's interpreter; without it
 * ours is timed alone.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { openCpu } from '../../src/device/cpu.js'
import { type StepShape, steps } from '../shapes.js'
import { alternate } from '../support/alternate.js'
import { bench, quick } from '../support/bench.js'
import { peerPython, startPeer } from '../support/peer.js'
import { pretrainingStep } from '../support/pretraining_step.js'

const script = fileURLToPath(new URL('../../../bench/peers/albert_step.py', import.meta.url))
const python = peerPython()
const threads = availableParallelism()
const counts = quick ? { rounds: 1, warmup: 0 } : { rounds: 5, warmup: 1 }

if (python === undefined)
  console.log('BIOALBERT_PEER_PYTHON names no interpreter with PyTorch: ours alone, no peer')
for (const shape of [steps.base_8x128, steps.base_2x512]) {
  await compare(shape.name, shape, 0)
  await compare(`${shape.name}_dropout`, shape, 0.1)
}

async function compare(name: string, shape: StepShape, dropout: number): Promise<void> {
  const device = openCpu({ threads })
  const step = await pretrainingStep(device, shape, { dropout })
  try {
    const run = async () => {
      await step.run()
      checkLoss('ours', await step.loss(), shape)
    }
    await step.run()
    checkFirst('ours', await step.loss(), shape)
    const cost = { flops: step.flops, units: { tokens: shape.N } }
    if (python === undefined) await bench(name, cost, run, { warmup: 1, seconds: quick ? 0.01 : 10 })
    else
      for (const linear of ['stock', 'onednn']) {
        const peer = startPeer(python, peerArguments(shape, dropout, linear))
        try {
          await peer.ready
          const first = await peer.step()
          checkFirst('the peer', first.loss, shape)
          const turn = async () => {
            const { seconds, loss } = await peer.step()
            checkLoss('the peer', loss, shape)
            return seconds
          }
          const contestants = [
            { name: 'ours', run },
            { name: `PyTorch ${linear}`, run: turn },
          ] as const
          await alternate(name, cost, [...contestants], counts)
        } finally {
          await peer.close()
        }
      }
  } finally {
    step.free()
    await device.destroy()
  }
}

function peerArguments({ B, S, masked }: StepShape, dropout: number, linear: string): string[] {
  const options = { batch: B, length: S, masked: masked / B, dropout, linear, threads }
  return [script, ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, `${value}`])]
}

/**
 * A model that has not learnt yet guesses words and order: the loss is ln V + ln 2, and a little more for its noise.
 * Both train on one batch again and again, which they come to know: from there it may only fall.
 */
function checkLoss(who: string, loss: number, { V }: StepShape): void {
  const want = Math.log(V) + Math.log(2)
  if (!(loss > 0 && loss < want + 0.4)) throw new Error(`${who}: the loss is ${loss} (want about ${want})`)
}

function checkFirst(who: string, loss: number, shape: StepShape): void {
  checkLoss(who, loss, shape)
  if (!(loss > Math.log(shape.V) - 0.4)) throw new Error(`${who}: the first loss is ${loss}`)
}
