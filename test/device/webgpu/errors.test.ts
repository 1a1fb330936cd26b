/** What can go wrong on WebGPU behind the back of whoever asked: memory that is not there, a device that is lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openWebgpu, type WebgpuOptions } from '../../../src/device/webgpu/device.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { fill } from '../../../src/ops/fill.js'
import { scale } from '../../../src/ops/scale.js'
import { at, call, message, program } from '../../support/conformance.js'
import { skip } from '../../support/skip.js'
import { withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('errors of webgpu')
const { create } = await import('webgpu')

/** Dawn's null backend checks everything and runs nothing; it has 256 MiB of memory. */
// with given variants, or those would be measured
const openNull = (options?: WebgpuOptions) =>
  openWebgpu(create(['backend=null']), kernelSources(), { variants: {}, ...options })

/** The error of some work, which must not wait for ever. */
const soon = (work: () => unknown) => Promise.race([message(work), sleep(20_000, 'it hangs', { ref: false })])

const constant = (value: number) => program([1024], [call(fill.forward, [at(0, 0, 64)], [64, value])])

test('out of memory says what was asked for and what is held, wherever it is first noticed', async () => {
  const device = await openNull()
  const small = device.alloc(2 ** 20, 'parameters')
  const none =
    /^UserError: activations: webgpu has no memory for 1073741824 bytes \(1024\.0 MiB\) beside the 1\.0 MiB that it holds \(parameters 1\.0 MiB\): Out of memory.*\. What was saved last \(a checkpoint\) is whole$/s
  for (const first of ['run', 'read', 'timeline'] as const) {
    const buffer = device.alloc(2 ** 30, 'activations')
    const prepared = device.prepare(constant(1), [buffer])
    const all = {
      run: () => device.run(prepared, {}),
      read: () => device.read(buffer, 0, 256),
      timeline: () => device.timeline(prepared, {}),
    }
    assert.match(await soon(all[first]), none, first)
    for (const work of [...Object.values(all), () => device.write(buffer, 0, new Float32Array(4))])
      assert.match(await soon(work), none)
    device.free(buffer)
    // what does not need that memory goes on
    assert.is(await soon(() => device.run(device.prepare(constant(2), [small]), {})), 'no error')
  }
  await device.destroy()
})

test('a program whose kernel does not compile fails whenever it is run, others run', async () => {
  const sources = kernelSources()
  const files = {
    ...sources.files,
    scale: sources.files.scale.replaceAll('* params.factor', '* params.fact'),
  }
  const device = await openWebgpu(create(['backend=null']), { ...sources, files })
  const buffer = device.alloc(1024, 'x')
  const bad = device.prepare(program([1024], [call(scale.forward, [at(0, 0, 4), at(0, 256, 4)], [4, 2])]), [
    buffer,
  ])
  const good = device.prepare(constant(1), [buffer])
  const asked = [bad, good, bad, good].map((prepared) => soon(() => device.run(prepared, {})))
  const told = await Promise.all(asked)
  assert.match(told[0], /^UserError: webgpu: kernel scale_forward (?:\(form 2\) )?main: .*fact/s)
  assert.is(told[1], 'no error')
  assert.is(told[2], told[0])
  assert.is(told[3], 'no error')
  await device.destroy()
})

test('progress of compilation counts up to all kernels of a program, and begins anew with what the next one adds', async () => {
  const heard: [number, number][] = []
  const device = await openNull({ compiling: (done, total) => heard.push([done, total]) })
  const buffer = device.alloc(1024, 'x')
  const filling = call(fill.forward, [at(0, 0, 4)], [4, 2])
  const scaling = call(scale.forward, [at(0, 0, 4), at(0, 256, 4)], [4, 2])
  const total = async (steps: Parameters<typeof program>[1]) => {
    heard.length = 0
    await device.run(device.prepare(program([1024], steps), [buffer]), {})
    return heard.length - 1
  }
  const counted = (all: number) => Array.from({ length: all + 1 }, (_, done) => [done, all])
  const first = await total([filling, filling])
  assert.ok(first >= 1)
  assert.equal(heard, counted(first))
  const more = await total([filling, scaling])
  assert.ok(more >= 1)
  assert.equal(heard, counted(more))
  await total([filling, scaling])
  assert.equal(heard, [], 'each is compiled once')
  await device.destroy()
})

test('a program whose arena was freed cannot run, what was asked for before can, and nothing of it is held', async () => {
  const device = await openNull()
  const buffer = device.alloc(1024, 'arena')
  const prepared = device.prepare(constant(1), [buffer])
  const asked = [device.run(prepared, {}), device.read(buffer, 0, 1024), device.timeline(prepared, {})]
  device.free(buffer)
  await Promise.all(asked)
  const freed = 'UserError: program test: its arena arena was freed'
  assert.is(await soon(() => device.run(prepared, {})), freed)
  assert.is(await soon(() => device.timeline(prepared, {})), freed)
  assert.is(await soon(() => device.prepare(constant(1), [buffer])), freed)
  assert.is(await soon(() => device.read(buffer, 0, 4)), 'UserError: arena was freed')
  assert.is(await soon(() => device.write(buffer, 0, new Float32Array(1))), 'UserError: arena was freed')
  assert.is(device.bytes, 0)
  await device.destroy()
})

test('a device may be closed while kernels are compiled', async () => {
  const device = await openNull()
  const buffer = device.alloc(4096, 'arena')
  const run = soon(() => device.run(device.prepare(constant(1), [buffer]), {}))
  await device.destroy()
  assert.match(await run, /^no error$|^UserError: the webgpu device was closed$/)
})

test('after its end a device refuses everything', async () => {
  const device = await openNull()
  const buffer = device.alloc(1024, 'x')
  const prepared = device.prepare(constant(1), [buffer])
  await device.destroy()
  await device.destroy()
  for (const work of [
    () => device.run(prepared, {}),
    () => device.read(buffer, 0, 4),
    () => device.write(buffer, 0, new Float32Array(1)),
    () => device.alloc(4, 'y'),
    () => device.prepare(constant(1), [buffer]),
    () => device.sync(),
  ])
    assert.is(await soon(work), 'UserError: the webgpu device was closed')
  assert.is(device.bytes, 0)
})

const gpu = create([])
const adapter = await gpu.requestAdapter()
if (!adapter) skip(test, 'loss of a device that computes', 'there is no adapter')
else
  for (const when of ['while pipelines are compiled', 'while a program runs'] as const)
    test(`a device that is lost ${when} fails everything with one message`, async () => {
      const device = await openWebgpu(gpu, kernelSources())
      const n = 1 << 16
      const buffer = device.alloc(n * 8, 'x')
      const body = [call(scale.forward, [at(0, 0, n), at(0, n * 4, n)], [n, 3])]
      const long = device.prepare(program([n * 8], [{ kind: 'repeat', count: 200, reverse: false, body }]), [
        buffer,
      ])
      const isRunning = when === 'while a program runs'
      if (isRunning) await device.run(long, {})
      const asked = [
        () => device.run(long, {}),
        () => device.run(long, {}),
        () => device.read(buffer, 0, 64),
        () => device.read(buffer, 0, n * 8),
        () => device.timeline(long, {}),
        () => device.sync(),
      ].map(soon)
      if (isRunning) await sleep(5)
      device.device.destroy()
      const lost = isRunning
        ? /^UserError: webgpu was lost while program test ran: .*Nothing more can run on it; what was saved last \(a checkpoint\) is whole, start again from it$/
        : /^UserError: webgpu was lost: .*Nothing more can run on it; what was saved last \(a checkpoint\) is whole, start again from it$/
      for (const told of await Promise.all(asked)) assert.match(told, lost)
      for (const later of [
        () => device.alloc(4, 'y'),
        () => device.prepare(constant(1), [buffer]),
        () => device.run(long, {}),
        () => device.timeline(long, {}),
        () => device.write(buffer, 0, new Float32Array(4)),
        () => device.read(buffer, 0, 4),
        () => device.sync(),
      ])
        assert.match(await soon(later), lost)
      device.free(buffer)
      await device.destroy()
    })

test.run()
