/**
 * The guarantees of src/device/device.ts as a suite that every device passes (test/device/conformance.test.ts): programs are
 * written by hand over a few simple kernels.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Device, DeviceBuffer } from '../../src/device/device.js'
import type { Kernel } from '../../src/device/kernel.js'
import { type Call, ITERATION, type ParamValue, type Program, type Ref } from '../../src/device/program.js'
import { accumulate } from '../../src/ops/accumulate.js'
import { binary } from '../../src/ops/binary.js'
import { fill } from '../../src/ops/fill.js'
import { scale } from '../../src/ops/scale.js'
import { allclose, sameBits } from './allclose.js'
import { random } from './random.js'

export const at = (arena: number, offset: number, count: number, stride = 0, shift = 0, modulo = 1): Ref => ({
  arena,
  offset,
  bytes: count * 4,
  stride,
  shift,
  modulo,
})

export const call = (kernel: Kernel, refs: readonly Ref[], params: readonly ParamValue[]): Call => ({
  kind: 'call',
  kernel,
  refs,
  params,
  label: kernel.name,
})

export const program = (
  arenas: readonly number[],
  steps: Program['steps'],
  scalars: Program['scalars'] = [],
): Program => ({
  name: 'test',
  arenas: arenas.map((bytes, i) => ({ name: `arena ${i}`, bytes })),
  scalars,
  steps,
})

/** y = fn(a, b) of `count` elements in a row; the function by its number. */
const elementwise = (fn: number, a: Ref, b: Ref, y: Ref) =>
  call(binary.forward, [a, b, y], [1, 1, 1, y.bytes / 4, 0, 0, 0, 1, 0, 0, 0, 1, fn])
const [ADD, SUB, MUL] = [0, 1, 2]

const floats = async (device: Device, buffer: DeviceBuffer, offset: number, count: number) =>
  new Float32Array(await device.read(buffer, offset, count * 4))

/** The error of some work, with its name. */
export async function message(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
  return 'no error'
}

/** Adds the suite of the device that `open` opens, which it destroys. */
export function conformance(open: () => Promise<Device>, name: string): void {
  const test = suite(`${name}: device contract`)
  let device: Device
  test.before(async () => {
    device = await open()
  })

  test('it says what it is', () => {
    assert.is(device.info.name, name)
    assert.ok(device.info.detail.length > 0)
  })

  test('buffers start zeroed and are counted', async () => {
    const before = device.bytes
    const buffer = device.alloc(1024, 'zeros')
    assert.is(device.bytes, before + 1024)
    assert.ok((await floats(device, buffer, 0, 256)).every((v) => v === 0))
    device.free(buffer)
    assert.is(device.bytes, before)
    device.free(buffer)
    assert.is(device.bytes, before)
  })

  test('a kernel writes what it should and not a word beside it', async () => {
    const count = 65
    const buffer = device.alloc(2048, 'sentinels')
    const words = new Float32Array(512).fill(4711)
    await device.write(buffer, 0, words)
    const prepared = device.prepare(
      program([2048], [call(fill.forward, [at(0, 512, count)], [count, 2.5])]),
      [buffer],
    )
    await device.run(prepared, {})
    words.fill(2.5, 128, 128 + count)
    allclose(await floats(device, buffer, 0, 512), words, { rtol: 0, atol: 0 })
    device.free(buffer)
  })

  test('each call sees what the calls before it wrote', async () => {
    const n = 200
    const buffer = device.alloc(4096, 'chain')
    const x = random(1).normals(n)
    await device.write(buffer, 0, x)
    const calls = [
      call(scale.forward, [at(0, 0, n), at(0, 1024, n)], [n, 3]),
      call(accumulate.forward, [at(0, 0, n), at(0, 1024, n)], [n]),
      elementwise(MUL, at(0, 1024, n), at(0, 0, n), at(0, 2048, n)),
    ]
    await device.run(device.prepare(program([4096], calls), [buffer]), {})
    allclose(
      await floats(device, buffer, 2048, n),
      x.map((v) => 4 * v * v),
    )
    device.free(buffer)
  })

  test('a range may be read twice by one call', async () => {
    const buffer = device.alloc(1024, 'twice')
    await device.write(buffer, 0, Float32Array.of(1, 2, 3))
    const steps = [
      elementwise(MUL, at(0, 0, 3), at(0, 0, 3), at(0, 256, 3)),
      elementwise(SUB, at(0, 256, 3), at(0, 256, 3), at(0, 512, 3)),
    ]
    await device.run(device.prepare(program([1024], steps), [buffer]), {})
    assert.equal([...(await floats(device, buffer, 256, 3))], [1, 4, 9])
    assert.equal([...(await floats(device, buffer, 512, 3))], [0, 0, 0])
    device.free(buffer)
  })

  test('run-time scalars reach parameters, times their factor', async () => {
    const buffer = device.alloc(1024, 'scalars')
    const rows = { scalar: 'rows', times: 3 }
    const prepared = device.prepare(
      program(
        [1024],
        [call(fill.forward, [at(0, 0, 100)], [rows, { scalar: 'value', times: 0.5 }])],
        [
          { name: 'rows', type: 'u32' },
          { name: 'value', type: 'f32' },
        ],
      ),
      [buffer],
    )
    // three runs in the queue at once, each with scalars of its own
    const runs = [30, 20, 10].map((n, i) => device.run(prepared, { rows: n, value: i + 1 }))
    await Promise.all(runs)
    const want = Float32Array.from({ length: 100 }, (_, i) => (i < 30 ? 1.5 : i < 60 ? 1 : i < 90 ? 0.5 : 0))
    allclose(await floats(device, buffer, 0, 100), want, { rtol: 0, atol: 0 })
    assert.match(
      await message(() => device.run(prepared, { rows: 1 })),
      /UserError: .*scalar value has no value/,
    )
    assert.match(await message(() => device.run(prepared, { rows: -1, value: 0 })), /UserError: .*rows is -1/)
    device.free(buffer)
  })

  for (const reverse of [false, true])
    test(`a repeat walks its ranges ${reverse ? 'backwards' : 'forwards'}`, async () => {
      const count = 5
      const buffer = device.alloc(256 * 16, 'repeat')
      const n = 3
      // slot i holds i; carry[i + 1] = carry[i] + slot[i], or carry[i] = carry[i + 1] + slot[i]
      for (let i = 0; i < count; i++) await device.write(buffer, 256 * i, new Float32Array(n).fill(i + 1))
      const slot = at(0, 0, n, 256, 0, count)
      const carry = (shift: number) => at(0, 256 * 6, n, 256, shift, count + 1)
      const [from, to] = reverse ? [carry(1), carry(0)] : [carry(0), carry(1)]
      const body = [elementwise(ADD, from, slot, to)]
      await device.run(
        device.prepare(program([256 * 16], [{ kind: 'repeat', count, reverse, body }]), [buffer]),
        {},
      )
      const sums: number[] = []
      for (let i = 0; i <= count; i++) sums.push((await floats(device, buffer, 256 * (6 + i), 1))[0])
      assert.equal(sums, reverse ? [15, 14, 12, 9, 5, 0] : [0, 1, 3, 6, 10, 15])
      device.free(buffer)
    })

  test('the iteration of a repeat is a parameter, 0 outside', async () => {
    const buffer = device.alloc(1024, 'iteration')
    const value = { scalar: ITERATION, times: 10 }
    const outside = call(fill.forward, [at(0, 768, 1)], [1, value])
    const body = [call(fill.forward, [at(0, 0, 1, 256, 0, 3)], [1, value])]
    const steps: Program['steps'] = [{ kind: 'repeat', count: 3, reverse: true, body }, outside]
    await device.write(buffer, 768, Float32Array.of(7))
    await device.run(device.prepare(program([1024], steps), [buffer]), {})
    const all = await floats(device, buffer, 0, 256)
    assert.equal([all[0], all[64], all[128], all[192]], [0, 10, 20, 0])
    device.free(buffer)
  })

  test('slices of any size are walked, aligned or not', async () => {
    const [count, n] = [4, 5]
    const buffer = device.alloc(2048, 'slices')
    const x = random(3).normals(count * n)
    await device.write(buffer, 0, x)
    const body = [
      elementwise(
        ADD,
        at(0, 0, n, n * 4, 0, count),
        at(0, 0, n, n * 4, 0, count),
        at(0, 1024, n, n * 4, 0, count),
      ),
    ]
    const steps: Program['steps'] = [{ kind: 'repeat', count, reverse: false, body }]
    await device.run(device.prepare(program([2048], steps), [buffer]), {})
    const all = await floats(device, buffer, 1024, count * n + 3)
    allclose(
      all.subarray(0, count * n),
      x.map((v) => 2 * v),
      { rtol: 0, atol: 0 },
    )
    assert.equal([...all.subarray(count * n)], [0, 0, 0])
    device.free(buffer)
  })

  test('a program that does not fit the device is refused by the name of the kernel', async () => {
    const buffer = device.alloc(1024, 'refused')
    const prepare = (...steps: Call[]) => message(() => device.prepare(program([1024], steps), [buffer]))
    const unknown = { ...fill.forward, name: 'polish_forward' }
    assert.match(
      await prepare(call(unknown, [at(0, 0, 1)], [1, 1])),
      new RegExp(`UserError: the ${name} device has no kernel polish_forward`),
    )
    assert.match(await prepare(call(fill.forward, [at(0, 0, 257)], [257, 1])), /UserError: .*fill_forward/)
    assert.match(await prepare(call(fill.forward, [at(0, 1024, 1)], [1, 1])), /UserError: .*fill_forward/)
    const short = { ...fill.forward, params: fill.forward.params.slice(0, 1) }
    assert.match(await prepare(call(short, [at(0, 0, 1)], [1])), /UserError: .*fill_forward/)
    const extra = {
      ...fill.forward,
      buffers: [...fill.forward.buffers, { name: 'z', access: 'read' } as const],
    }
    assert.match(
      await prepare(call(extra, [at(0, 0, 1), at(0, 256, 1)], [1, 1])),
      /UserError: .*fill_forward/,
    )
    assert.is(device.supports('fill_forward'), true)
    assert.is(device.supports('polish_forward'), false)
    device.free(buffer)
  })

  test('reads and writes keep their order with the runs, and a written array is free at once', async () => {
    const buffer = device.alloc(1024, 'order')
    const n = 64
    const double = device.prepare(
      program([1024], [call(scale.forward, [at(0, 0, n), at(0, 512, n)], [n, 2])]),
      [buffer],
    )
    const data = new Float32Array(n).fill(1)
    const results: Promise<Float32Array>[] = []
    for (let i = 1; i <= 4; i++) {
      data.fill(i)
      await device.write(buffer, 0, data)
      data.fill(-1)
      void device.run(double, {})
      results.push(floats(device, buffer, 512, n))
    }
    const values = await Promise.all(results)
    assert.equal(
      values.map((v) => v[n - 1]),
      [2, 4, 6, 8],
    )
    device.free(buffer)
  })

  test('a run leaves the event loop free', async () => {
    const n = 1 << 16
    const buffer = device.alloc(n * 8, 'long')
    const body = [call(accumulate.forward, [at(0, 0, n), at(0, n * 4, n)], [n])]
    // the emulator takes a hundred times as long
    const count = name === 'cuda-emulated' ? 8 : 400
    const steps: Program['steps'] = [{ kind: 'repeat', count, reverse: false, body }]
    const prepared = device.prepare(program([n * 8], steps), [buffer])
    await device.write(buffer, 0, new Float32Array(n).fill(1))
    await device.run(prepared, {})
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const started = performance.now()
    await device.run(prepared, {})
    const took = performance.now() - started
    clearInterval(timer)
    assert.ok(ticks >= Math.min(3, took / 20), `${ticks} ticks in ${took} ms`)
    assert.is((await floats(device, buffer, n * 4, n))[n - 1], 2 * count)
    device.free(buffer)
  })

  test('the timeline has every execution of every call, in order', async () => {
    const n = 1000
    const buffer = device.alloc(n * 8 + 512, 'timeline')
    const add = call(accumulate.forward, [at(0, 0, n), at(0, 4096, n)], [n])
    const steps: Program['steps'] = [
      call(fill.forward, [at(0, 0, n)], [n, 1]),
      { kind: 'repeat', count: 3, reverse: true, body: [add, add] },
      call(fill.forward, [at(0, 0, n)], [n, 5]),
    ]
    const prepared = device.prepare(program([n * 8 + 512], steps), [buffer])
    const events = await device.timeline(prepared, {})
    assert.equal(
      events.map((e) => [e.call, e.iteration]),
      [
        [0, 0],
        [1, 2],
        [2, 2],
        [1, 1],
        [2, 1],
        [1, 0],
        [2, 0],
        [3, 0],
      ],
    )
    let last = 0
    for (const { start, duration } of events) {
      assert.ok(start >= last && duration >= 0 && Number.isFinite(duration), JSON.stringify(events))
      last = start
    }
    assert.is((await floats(device, buffer, 4096, 1))[0], 6)
    // the memory of readings is used again: asked for twice at once, and of a run that records nothing between
    const order = events.map(({ call, iteration }) => [call, iteration])
    const [one, , two] = await Promise.all([
      device.timeline(prepared, {}),
      device.run(prepared, {}),
      device.timeline(prepared, {}),
    ])
    for (const again of [one, two])
      assert.equal(
        again.map(({ call, iteration }) => [call, iteration]),
        order,
      )
    assert.ok(['device', 'host'].includes(device.timelineClock))
    device.free(buffer)
  })

  test('the same program on the same inputs gives the same bits', async () => {
    const n = 5000
    const buffer = device.alloc(n * 12 + 4096, 'bits')
    const [a, b, y] = [at(0, 0, n), at(0, 20224, n), at(0, 40448, n)]
    const r = random(9)
    await device.write(buffer, a.offset, r.normals(n))
    await device.write(buffer, b.offset, r.normals(n))
    const prepared = device.prepare(program([n * 12 + 4096], [elementwise(3, a, b, y)]), [buffer])
    await device.run(prepared, {})
    const first = await floats(device, buffer, y.offset, n)
    await device.run(prepared, {})
    sameBits(await floats(device, buffer, y.offset, n), first)
    device.free(buffer)
  })

  test('a range outside its buffer cannot be read or written', async () => {
    const buffer = device.alloc(256, 'small')
    assert.ok((await message(() => device.read(buffer, 0, 260))) !== 'no error')
    assert.ok((await message(() => device.write(buffer, 252, new Float32Array(2)))) !== 'no error')
    device.free(buffer)
  })

  test('memory that nobody has is a clear error', async () => {
    assert.match(await message(() => device.alloc(2 ** 50, 'too large')), /^(User)?Error: .*too large/)
  })

  test('destroy gives everything back', async () => {
    device.alloc(4096, 'left behind')
    await device.destroy()
  })

  test.run()
}
