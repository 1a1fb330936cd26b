/**
 * What goes wrong on a GPU, on the emulated one, where every function of the CUDA runtime can be made to fail: the message
 * says what was done, nothing is left behind, and what can go on does. A lost device loses everything, and says so.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EmulatedCudaAddon, loadCudaAddon } from '../../src/device/cuda_addon.js'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import type { Program } from '../../src/device/program.js'
import { accumulate } from '../../src/ops/accumulate.js'
import { fill } from '../../src/ops/fill.js'
import { at, call, message, program } from '../support/conformance.js'
import { skip } from '../support/skip.js'

const [INVALID, NO_MEMORY, NO_DRIVER, NO_DEVICE, ILLEGAL_ADDRESS] = [1, 2, 35, 100, 700]

const test = suite('cuda: errors')
const count = 64
const steps: Program['steps'] = [
  call(fill.forward, [at(0, 0, count)], [count, { scalar: 'value', times: 2 }]),
  call(
    accumulate.forward,
    [at(0, 0, count), at(0, 512, count)],
    [{ scalar: 'rows', times: 4, capacity: 16 }],
  ),
]
const two = program([1024], steps, [
  { name: 'value', type: 'f32' },
  { name: 'rows', type: 'u32' },
])
const scalars = { value: 3, rows: 16 }

/** A device that is destroyed afterwards, and has given everything back then. */
async function withDevice(addon: EmulatedCudaAddon, work: (device: Device) => Promise<void>): Promise<void> {
  const device = await openDevice('cuda-emulated')
  try {
    await work(device)
  } finally {
    await device.destroy()
  }
  assert.equal(addon.held(), { device: 0, pinned: 0, objects: 0 })
}

function tests(addon: EmulatedCudaAddon): void {
  const on = (name: string, work: (device: Device) => Promise<void>) =>
    test(name, () => withDevice(addon, work))

  test('a device that cannot be opened says why', async () => {
    const open = () => message(() => openDevice('cuda-emulated'))
    const why = /^UsageError: the cuda-emulated device is not available: /
    for (const [code, says] of [
      [NO_DRIVER, /driver version is insufficient for CUDA runtime version.*the driver is of CUDA 13\.0/],
      [NO_DEVICE, /no CUDA-capable device is detected/],
    ] as const) {
      addon.failCall('cudaGetDeviceCount', 1, code)
      const said = await open()
      assert.match(said, why)
      assert.match(said, says)
    }
    addon.failCall('cudaStreamCreateWithFlags', 1, INVALID)
    assert.match(await open(), /^UserError: cuda-emulated: invalid argument \(cudaErrorInvalidValue\)/)
    assert.match(await message(() => openDevice('cuda:7')), /^UsageError: the cuda device is not available/)
    assert.match(
      await message(() => openDevice('cuda:x' as 'cuda')),
      /^UsageError: there is no device cuda:x/,
    )
    assert.equal(addon.held(), { device: 0, pinned: 0, objects: 0 })
  })

  on('out of memory says what was asked for what, and what there is', async (device) => {
    device.alloc(2 ** 30, 'parameters')
    const want =
      /^UserError: activations: 3\.50 GiB asked for, but of 4\.00 GiB cuda-emulated has 3\.00 GiB free: out of memory/
    assert.match(await message(() => device.alloc(3.5 * 2 ** 30, 'activations')), want)
    assert.is(device.bytes, 2 ** 30)
    device.alloc(2 ** 20, 'what fits')
  })

  on('memory that was freed can be had again at once, while runs are queued', async (device) => {
    const small = device.alloc(1024, 'small')
    const prepared = device.prepare(two, [small])
    for (let i = 0; i < 3; i++) {
      const large = device.alloc(2.5 * 2 ** 30, `large ${i}`)
      const run = device.run(prepared, scalars)
      device.free(large)
      device.free(device.alloc(2.5 * 2 ** 30, 'in its place'))
      await run
    }
  })

  on('prepare names program, call and ranges, and leaves nothing behind', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const before = addon.held()
    const refused = async (name: string, nth: number, says: RegExp) => {
      addon.failCall(name, nth, INVALID)
      assert.match(await message(() => device.prepare(two, [buffer])), says)
      assert.equal(addon.held(), before)
      assert.is(device.bytes, 1024)
    }
    await refused(
      'cudaGraphAddKernelNode',
      2,
      /^UserError: prepare test: accumulate_forward \[x 256, y 256 bytes; count <= 64\]: launch 1 of 1 \(grid 1 x 1 x 1, 256 threads, 0 bytes of shared memory\): invalid argument/,
    )
    await refused('cudaGraphCreate', 1, /^UserError: prepare test: a graph of 2 calls: invalid argument/)
    await refused('cudaGraphInstantiate', 1, /^UserError: prepare test: a graph of 2 calls: invalid argument/)
    await refused('cudaGraphUpload', 1, /^UserError: prepare test: a graph of 2 calls: invalid argument/)
    await refused(
      'cudaMalloc',
      1,
      /^UserError: run-time sizes of test: 8 bytes on cuda-emulated: invalid argument/,
    )
    await refused('cudaMemsetAsync', 1, /^UserError: run-time sizes of test: clearing 8 bytes/)
  })

  on('a range outside its arena names the call and the range', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const outside = program([1024], [call(fill.forward, [at(0, 512, 129)], [129, 1])])
    assert.match(
      await message(() => device.prepare(outside, [buffer])),
      /^UserError: prepare test: fill_forward \[y 516 bytes; count 129, value 1\]: a buffer lies outside its arena \(516 bytes from 512/,
    )
  })

  on('a run that cannot be launched fails alone', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const prepared = device.prepare(two, [buffer])
    // the first command finds no block of pinned memory yet
    for (const name of ['cudaHostAlloc', 'cudaGraphLaunch', 'cudaMemcpyAsync', 'cudaEventRecord']) {
      addon.failCall(name, 1, INVALID)
      const [first, second] = await Promise.all([
        message(() => device.run(prepared, scalars)),
        message(() => device.run(prepared, scalars)),
      ])
      assert.match(first, /^UserError: .*invalid argument \(cudaErrorInvalidValue\)$/, name)
      assert.is(second, 'no error', name)
    }
  })

  on('a timeline that cannot be had fails alone', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const prepared = device.prepare(two, [buffer])
    for (const name of ['cudaEventCreateWithFlags', 'cudaGraphAddEventRecordNode', 'cudaEventElapsedTime']) {
      addon.failCall(name, 1, NO_MEMORY)
      assert.match(
        await message(() => device.timeline(prepared, scalars)),
        /^UserError: .*out of memory/,
        name,
      )
    }
    assert.is((await device.timeline(prepared, scalars)).length, 2)
  })

  on('writes and reads that fail say what they were of', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    addon.failCall('cudaMemcpyAsync', 1, INVALID)
    assert.match(
      await message(() => device.read(buffer, 0, 1024)),
      /^UserError: read from arena: invalid argument/,
    )
    addon.failCall('cudaHostAlloc', 1, NO_MEMORY)
    const large = device.alloc(2 ** 21, 'large')
    assert.match(
      await message(() => device.write(large, 0, new Uint8Array(2 ** 21))),
      /^UserError: pinned memory for a copy of 2\.0 MiB: out of memory/,
    )
    await device.write(large, 0, new Uint8Array(2 ** 21))
    assert.match(
      await message(() => device.write(buffer, 1020, new Uint8Array(8))),
      /^UserError: arena: bytes 1020 to 1028 of 1024 do not exist/,
    )
  })

  on('a size beyond what the program was made for is refused', async (device) => {
    const prepared = device.prepare(two, [device.alloc(1024, 'arena')])
    assert.match(
      await message(() => device.run(prepared, { value: 1, rows: 17 })),
      /^UserError: run test: rows is 17, the program was made for at most 16/,
    )
  })

  on('a program whose arena was freed cannot run, and has given back what it had', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const prepared = device.prepare(two, [buffer])
    const run = device.run(prepared, scalars)
    device.free(buffer)
    await run
    assert.match(
      await message(() => device.run(prepared, scalars)),
      /^UserError: program test: its arena arena was freed/,
    )
    assert.is(device.bytes, 0)
    await device.sync()
    assert.is(addon.held().device, 0)
    assert.match(await message(() => device.read(buffer, 0, 4)), /^UserError: a buffer was closed/)
  })

  on('an error that lasts loses the device, with all that is queued', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const prepared = device.prepare(two, [buffer])
    await device.run(prepared, scalars)
    addon.failCall('kernel', 2, ILLEGAL_ADDRESS)
    const queued = [
      message(() => device.run(prepared, scalars)),
      message(() => device.run(prepared, scalars)),
      message(() => device.run(prepared, scalars)),
      message(() => device.timeline(prepared, scalars)),
      message(() => device.read(buffer, 0, 1024)),
      message(() => device.sync()),
    ]
    const lost =
      /^UserError: cuda-emulated was lost while program test ran: an illegal memory access was encountered \(cudaErrorIllegalAddress\)\. Nothing more can run .* checkpoint\) is whole/
    for (const said of await Promise.all(queued)) assert.match(said, lost)
    for (const later of [
      () => device.alloc(4, 'x'),
      () => device.prepare(two, [buffer]),
      () => device.run(prepared, scalars),
      () => device.write(buffer, 0, new Uint8Array(4)),
      () => device.read(buffer, 0, 4),
      () => device.sync(),
      () => device.available,
    ])
      assert.match(await message(later), lost)
  })

  on('what is called after an error that lasts blames the program that ran', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    await device.run(device.prepare(two, [buffer]), scalars)
    addon.failCall('cudaMalloc', 1, ILLEGAL_ADDRESS)
    assert.match(
      await message(() => device.alloc(64, 'more')),
      /^UserError: cuda-emulated was lost while program test ran/,
    )
    assert.match(await message(() => device.sync()), /was lost while program test ran/)
  })

  on('a kernel that leaves its ranges is told by what it did', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    const far = program([1024], [call(fill.forward, [at(0, 0, 8)], [9, 1])])
    const said = await message(() => device.run(device.prepare(far, [buffer]), {}))
    assert.match(said, /^UserError: cuda-emulated was lost while program test ran: .*fill/)
    assert.match(said, /\(cudaErrorIllegalAddress\)/)
  })
}

let addon: EmulatedCudaAddon | undefined
try {
  addon = loadCudaAddon(true)
} catch (error) {
  skip(test, 'errors of cuda', (error as Error).message)
}
if (addon) tests(addon)

test.run()
