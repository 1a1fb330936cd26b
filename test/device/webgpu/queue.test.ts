/** What a step costs on WebGPU in submissions, mappings and bytes written, counted at the interface; nothing runs. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Program } from '../../../src/device/program.js'
import { openWebgpu } from '../../../src/device/webgpu/device.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { fill } from '../../../src/ops/fill.js'
import { scale } from '../../../src/ops/scale.js'
import { at, call, program } from '../../support/conformance.js'

const test = suite('queue of webgpu')
const { create } = await import('webgpu')

/** A device on the null backend, with counts of what its queue is asked for. */
async function open() {
  const device = await openWebgpu(create(['backend=null']), kernelSources(), { variants: {} })
  const { queue } = device.device
  const counts = { submissions: 0, commands: 0, made: 0, written: [] as number[] }
  const submit = queue.submit.bind(queue)
  queue.submit = (commands) => {
    counts.submissions++
    counts.commands += [...commands].length
    return submit(commands)
  }
  const write = queue.writeBuffer.bind(queue)
  queue.writeBuffer = ((
    buffer: GPUBuffer,
    offset: number,
    data: Uint32Array,
    from?: number,
    size?: number,
  ) => {
    const elements = data instanceof Uint32Array
    counts.written.push(elements ? 4 * (size ?? data.length) : (size ?? 0))
    return write(buffer, offset, data as never, from, size)
  }) as typeof queue.writeBuffer
  const make = device.device.createBuffer.bind(device.device)
  device.device.createBuffer = (descriptor) => {
    counts.made++
    return make(descriptor)
  }
  const since = () => {
    const now = { ...counts, written: [...counts.written] }
    Object.assign(counts, { submissions: 0, commands: 0, made: 0, written: [] })
    return now
  }
  return { device, since }
}

const x = new Float32Array(16)
const steps: Program['steps'] = [
  {
    kind: 'repeat',
    count: 5,
    reverse: false,
    body: [call(scale.forward, [at(0, 0, 16), at(0, 256, 16)], [16, 2])],
  },
  call(fill.forward, [at(0, 512, 16)], [16, { scalar: 'value', times: 1 }]),
]
const made = program([1024], steps, [{ name: 'value', type: 'f32' }])

test('inputs, a run and the losses behind it are one submission, and no buffer is made for them', async () => {
  const { device, since } = await open()
  const buffer = device.alloc(1024, 'x')
  const prepared = device.prepare(made, [buffer])
  const step = (value: number) =>
    Promise.all([
      device.write(buffer, 0, x),
      device.write(buffer, 256, x),
      device.run(prepared, { value }),
      ...[0, 4, 8, 12].map((k) => device.read(buffer, 512 + k, 4)),
    ])
  await step(1)
  since()
  await step(2)
  assert.equal(since(), { submissions: 1, commands: 2, made: 0, written: [64, 64, 4] })
  await device.destroy()
})

test('of the parameters a run writes what changed: all at first, then the scalars, then nothing', async () => {
  const { device, since } = await open()
  const prepared = device.prepare(made, [device.alloc(1024, 'x')])
  since()
  await device.run(prepared, { value: 1 })
  assert.equal(since().written, [6 * 256])
  await device.run(prepared, { value: 2 })
  assert.equal(since().written, [4])
  await device.run(prepared, { value: 2 })
  assert.equal(since().written, [])
  await device.destroy()
})

test('runs that are asked for in one task keep their own scalars', async () => {
  const { device, since } = await open()
  const prepared = device.prepare(made, [device.alloc(1024, 'x')])
  await device.run(prepared, { value: 0 })
  since()
  // parameters of the next one are written behind the submission of the one before
  await Promise.all([1, 2, 3].map((value) => device.run(prepared, { value })))
  const { submissions, written } = since()
  assert.equal([submissions, written], [3, [4, 4, 4]])
  await device.destroy()
})

test.run()
