/**
 * A run of pretraining that reports its resident memory, in a process of its own: `soak.js FOLDER STEPS`.
 * Garbage is collected before each reading, so that what is left is held by somebody.
 */
import { join } from 'node:path'
import { openCpu } from '../../src/device/cpu.js'
import { pretrain } from '../../src/training/pretraining/pretrain.js'
import { setUpPretraining } from '../../src/training/pretraining/setup.js'

export interface SoakReport {
  /** Resident and native bytes after each step that was asked for, by step. */
  readonly resident: Record<number, number>
  readonly native: Record<number, number>
  readonly planned: number
}

const [folder, steps] = process.argv.slice(2)
if (folder !== undefined) {
  const [tokenizer, instances, out] = ['v', 'i', 'soak'].map((name) => join(folder, name))
  const choices = { preset: 'nano', batch: 16, rows: 2048, totalSteps: Number(steps) }
  const setup = await setUpPretraining({
    choices,
    tokenizer,
    instances,
    out,
    resume: false,
    evalInstances: 40,
  })
  const device = openCpu({ threads: 2 })
  const planned = setup.memory.totalBytes + device.bytes
  const resident: Record<number, number> = {}
  const native: Record<number, number> = {}
  const every = { evalEvery: 1e9, saveEvery: 1e9, keep: 1 }
  await pretrain(setup, device, {
    out,
    ...every,
    events: {
      step({ step }) {
        if (step !== 2 && step % 50 !== 0) return
        ;(globalThis as { gc?: () => void }).gc?.()
        resident[step] = process.memoryUsage.rss()
        native[step] = device.bytes
      },
    },
  })
  await device.destroy()
  const report: SoakReport = { resident, native, planned }
  process.stdout.write(JSON.stringify(report))
}
