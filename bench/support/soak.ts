/**
 * The process that bench/steps/memory.bench.ts looks at: so many pretraining steps of a named shape and nothing else.
 * Usage: node --expose-gc soak.js SHAPE STEPS. Garbage is collected once, after step 2, so that the initial weights as
 * JavaScript made them do not count; from then on the collector does as it likes. Prints one JSON object: bytes
 * resident before the device is opened, after step 2, at most from then on and at the end; the part of it that is
 * JavaScript's heap, of which the collector gives pages back when it likes; bytes that the device holds and that
 * were planned; seconds of a step.
 */
import { setTimeout } from 'node:timers/promises'
import { openCpu } from '../../src/device/cpu.js'
import { type StepName, steps } from '../shapes.js'
import { pretrainingStep } from './pretraining_step.js'

export interface Soak {
  before: number
  second: number
  most: number
  end: number
  /** JavaScript's heap after step 2 and at the end. */
  heap: [number, number]
  /** Of the device after step 2 and at the end. */
  device: [number, number]
  planned: number
  seconds: number
  facts: Record<string, string | number>
}

const shape = steps[process.argv[2] as StepName]
const last = Number(process.argv[3])
const resident = () => process.memoryUsage.rss()

const before = resident()
const device = openCpu()
const step = await pretrainingStep(device, shape, { dropout: 0.1 })
const turn = async () => {
  await step.run()
  await step.loss()
}
await turn()
await turn()
if (globalThis.gc === undefined) throw new Error('soak.js needs node --expose-gc')
globalThis.gc()
await setTimeout(500) // array buffers are freed in the background
globalThis.gc()
const second = resident()
const heap = process.memoryUsage().heapTotal
const held = device.bytes
let most = second
const start = performance.now()
for (let n = 3; n <= last; n++) {
  await turn()
  most = Math.max(most, resident())
}
const soak: Soak = {
  before,
  second,
  most,
  end: resident(),
  heap: [heap, process.memoryUsage().heapTotal],
  device: [held, device.bytes],
  planned: step.runtime.memory.totalBytes,
  seconds: (performance.now() - start) / 1000 / (last - 2),
  facts: { ...device.info.facts },
}
console.log(JSON.stringify(soak))
step.free()
await device.destroy()
