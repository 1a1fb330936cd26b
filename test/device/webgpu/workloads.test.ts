/** What variants of WGSL code are judged by is what the kernels of the CPU compute, and every family with a choice has a judge. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../../src/device/cpu.js'
import { fromHalf } from '../../../src/device/half.js'
import { inHalf } from '../../../src/device/kernel.js'
import type { Program } from '../../../src/device/program.js'
import { runnable } from '../../../src/device/webgpu/choice.js'
import { readKernels } from '../../../src/device/webgpu/source.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { LEVELS, REPRESENTATIVES } from '../../../src/device/webgpu/workloads.js'
import * as ops from '../../../src/ops/index.js'
import type { Op } from '../../../src/ops/op.js'

const test = suite('webgpu workloads')

const declared = Object.values(ops)
  .filter((value): value is Op => typeof value === 'object' && value !== null && 'forward' in value)
  .flatMap((op) => [op.forward, ...(op.backward ?? []), ...(op.kernels ?? [])])

test('a family with variants is in a kernel that is measured', () => {
  const sources = kernelSources()
  const kernels = readKernels(sources)
  const measured = REPRESENTATIVES.flatMap(({ kernel }) =>
    kernels.get(kernel)!.flatMap(({ families }) => families),
  )
  for (const family of Object.keys(runnable(sources, []))) assert.ok(measured.includes(family), family)
})

test('shapes to be timed become larger, as many for every kernel', () => {
  for (const { kernel, timed } of REPRESENTATIVES) {
    assert.is(timed.length, LEVELS, kernel)
    for (let i = 1; i < LEVELS; i++) assert.ok(timed[i].operations > timed[i - 1].operations, kernel)
  }
})

/** Numbers of a buffer: f16 is no type of the CPU, but all of it are numbers of f32. */
const plain = <T>(data: T | Uint16Array) => (data instanceof Uint16Array ? fromHalf(data, 'f16') : data)

for (const { kernel: name, judged } of REPRESENTATIVES)
  test(`${name}: what is expected is what the CPU computes`, async () => {
    const kernel = declared.find((k) => k.name === name || inHalf(k, 'f16').name === name)!
    const device = openCpu({ threads: 1 })
    try {
      for (const make of judged) {
        const { params, output, expected, ...made } = make()
        const buffers = made.buffers.map((buffer) => ({ ...buffer, data: plain(buffer.data) }))
        const found = buffers.map(({ name: slot, access }) => ({ name: slot, access }))
        assert.equal(found, [...kernel.buffers])
        let bytes = 0
        const refs = buffers.map(({ data }) => {
          const ref = { arena: 0, offset: bytes, bytes: data.byteLength, stride: 0, shift: 0, modulo: 1 }
          bytes = Math.ceil((bytes + data.byteLength) / device.alignment) * device.alignment
          return ref
        })
        const values = kernel.params.map((slot) => params[slot.name])
        const program: Program = {
          name,
          arenas: [{ name: 'all', bytes }],
          scalars: [],
          steps: [{ kind: 'call', kernel, refs, params: values, label: name }],
        }
        const arena = device.alloc(bytes, 'all')
        const prepared = device.prepare(program, [arena])
        for (const [k, { data }] of buffers.entries()) await device.write(arena, refs[k].offset, data)
        await device.run(prepared, {})
        const at = refs[buffers.findIndex((buffer) => buffer.name === output)]
        const got = new Float32Array(await device.read(arena, at.offset, at.bytes))
        const largest = got.reduce((most, y) => Math.max(most, Math.abs(y)), 0)
        for (let i = 0; i < got.length; i += 1 + (i % 7)) {
          const error = Math.abs(got[i] - expected(i))
          assert.ok(error <= 1e-5 * largest, `${name} [${i}]: ${got[i]} (want ${expected(i)})`)
        }
        device.free(arena)
      }
    } finally {
      await device.destroy()
    }
  })

test.run()
