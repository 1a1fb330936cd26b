/**
 * The queue in front of a GPU, on the emulated one: copies in pieces through little pinned memory, everything in the order
 * in which it was asked for, whatever is awaited; and what becomes of the queue when its device is closed under it.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeProgram } from '../../src/device/addon.js'
import { type EmulatedCudaAddon, loadCudaAddon } from '../../src/device/cuda_addon.js'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import type { Program } from '../../src/device/program.js'
import { accumulate } from '../../src/ops/accumulate.js'
import { fill } from '../../src/ops/fill.js'
import { scale } from '../../src/ops/scale.js'
import { at, call, message, program } from '../support/conformance.js'
import { random } from '../support/random.js'
import { skip } from '../support/skip.js'

const test = suite('cuda: queue')
const MIB = 2 ** 20

/** x += x, `repeats` times, of 64 floats. */
const doubling = (repeats: number): Program =>
  program(
    [1024],
    [
      {
        kind: 'repeat',
        count: repeats,
        reverse: false,
        body: [call(accumulate.forward, [at(0, 0, 64), at(0, 512, 64)], [64])],
      },
    ],
  )

function tests(addon: EmulatedCudaAddon): void {
  const on = (name: string, work: (device: Device) => Promise<void>) =>
    test(name, async () => {
      const device = await openDevice('cuda-emulated')
      try {
        await work(device)
      } finally {
        await device.destroy()
      }
      assert.equal(addon.held(), { device: 0, pinned: 0, objects: 0 })
    })

  on('large arrays go there and back in pieces, through little pinned memory', async (device) => {
    const bytes = 150 * MIB + 12
    const buffer = device.alloc(bytes, 'large')
    const data = new Uint32Array(bytes / 4)
    for (let i = 0; i < data.length; i++) data[i] = Math.imul(i, 2654435761)
    const before = new Uint32Array(data)
    const written = device.write(buffer, 0, data)
    const reads = [device.read(buffer, 0, bytes), device.read(buffer, bytes - 40 * MIB, 40 * MIB)]
    await written
    // it is free now
    data.fill(0)
    const [all, end] = (await Promise.all(reads)).map((r) => new Uint32Array(r))
    const differs = (found: Uint32Array, from: number) => found.findIndex((v, i) => v !== before[from + i])
    assert.is(differs(all, 0), -1)
    assert.is(differs(end, (bytes - 40 * MIB) / 4), -1)
    const { pinned } = addon.held()
    assert.ok(pinned <= 128 * MIB, `${pinned / MIB} MiB are pinned`)
  })

  on('writes that wait for a place keep their order with runs and reads', async (device) => {
    // every write is large enough that several must wait for the ones before
    const [large, count] = [24 * MIB, 6]
    const buffer = device.alloc(large, 'arena')
    const double = device.prepare(
      program([large], [call(scale.forward, [at(0, large - 256, 32), at(0, large - 128, 32)], [32, 2])]),
      [buffer],
    )
    const work: Promise<unknown>[] = []
    const results: Promise<number>[] = []
    for (let i = 1; i <= count; i++) {
      work.push(device.write(buffer, 0, new Float32Array(large / 4).fill(i)))
      work.push(device.write(buffer, 0, Float32Array.of(-i)))
      work.push(device.run(double, {}))
      results.push(device.read(buffer, large - 128, 128).then((r) => new Float32Array(r)[31]))
      results.push(device.read(buffer, 0, 4).then((r) => new Float32Array(r)[0]))
    }
    await Promise.all(work)
    const want = Array.from({ length: count }, (_, i) => [2 * (i + 1), -(i + 1)]).flat()
    assert.equal(await Promise.all(results), want)
  })

  on('an array that is taken away fails its copy and nothing else', async (device) => {
    const bytes = 100 * MIB
    const buffer = device.alloc(bytes, 'arena')
    const data = new Uint8Array(bytes).fill(7)
    const written = message(() => device.write(buffer, 0, data))
    structuredClone(data.buffer, { transfer: [data.buffer] })
    const read = device.read(buffer, 0, 16)
    assert.match(await written, /^UserError: the array was taken away while it was copied/)
    assert.is(new Uint8Array(await read)[15], 7)
    await device.sync()
  })

  on(
    'many runs may be queued, each with its own scalars, and the event loop turns meanwhile',
    async (device) => {
      const buffer = device.alloc(1024, 'arena')
      const prepared = device.prepare(
        program(
          [1024],
          [
            call(fill.forward, [at(0, 0, 64)], [64, { scalar: 'v', times: 1 }]),
            call(accumulate.forward, [at(0, 0, 64), at(0, 512, 64)], [64]),
          ],
          [{ name: 'v', type: 'f32' }],
        ),
        [buffer],
      )
      const done: number[] = []
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      const runs = Array.from({ length: 300 }, (_, i) =>
        device.run(prepared, { v: i }).then(() => {
          done.push(i)
        }),
      )
      await Promise.all(runs)
      clearInterval(timer)
      assert.equal(
        done,
        Array.from({ length: 300 }, (_, i) => i),
      )
      assert.ok(turns > 0)
      assert.is(new Float32Array(await device.read(buffer, 512, 4))[0], (299 * 300) / 2)
    },
  )

  on('destroy waits for what was asked for, and refuses what comes later', async (device) => {
    const buffer = device.alloc(1024, 'arena')
    await device.write(buffer, 0, new Float32Array(64).fill(1))
    const prepared = device.prepare(doubling(50), [buffer])
    const runs = Array.from({ length: 5 }, () => device.run(prepared, {}))
    const read = device.read(buffer, 512, 4)
    const ends = [device.destroy(), device.destroy()]
    const late = [() => device.run(prepared, {}), () => device.read(buffer, 0, 4), () => device.alloc(4, 'x')]
    for (const work of late)
      assert.match(await message(work), /^UserError: the cuda-emulated device was closed/)
    await Promise.all([...runs, ...ends])
    assert.is(new Float32Array(await read)[0], 250)
  })

  test('an addon whose device is closed under its queue ends it well, or says so', async () => {
    const rng = random(5)
    for (let i = 0; i < 8; i++) {
      const handle = addon.open(0)
      const kernels = new Map(addon.kernels().map((k, n) => [k.name, n]))
      const [arena, large] = [addon.alloc(handle, 1024, 'arena'), addon.alloc(handle, 100 * MIB, 'large')]
      const one = doubling(rng.integer(1, 40))
      const code = encodeProgram(one, kernels, { capacities: true })
      const prepared = addon.prepare(handle, 'doubling', [arena], [], new Uint8Array(0), ['double'], code)
      const run = () => addon.run(prepared, new Uint32Array(0), rng.integer(2) === 0)
      const transfer = () =>
        rng.integer(2) === 0
          ? addon.write(large, 0, new Uint8Array(90 * MIB))
          : addon.read(large, 0, new Uint8Array(90 * MIB))
      const ends = Array.from({ length: 8 }, () => message(rng.integer(4) === 0 ? transfer : run))
      if (rng.integer(2) === 0) await Promise.race(ends)
      for (const n of rng.permutation(4))
        [
          () => addon.close(handle),
          () => addon.close(prepared),
          () => addon.free(arena),
          () => addon.free(large),
        ][n]()
      for (const said of await Promise.all(ends))
        assert.match(said, /^(no error|Error: cuda-emulated was closed before this was done)$/)
      assert.match(await message(run), /closed/)
      assert.equal(addon.held(), { device: 0, pinned: 0, objects: 0 })
    }
  })
}

let addon: EmulatedCudaAddon | undefined
try {
  addon = loadCudaAddon(true)
} catch (error) {
  skip(test, 'the queue of cuda', (error as Error).message)
}
if (addon) tests(addon)

test.run()
