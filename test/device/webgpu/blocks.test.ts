/**
 * Arenas larger than one buffer of the adapter: they lie in blocks, and a step computes the same bits as where each is one buffer.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { blockStarts } from '../../../src/device/webgpu/buffer.js'
import type { WebgpuDevice } from '../../../src/device/webgpu/device.js'
import { openWebgpuInNode } from '../../../src/device/webgpu/node.js'
import { compile, memoryOn, memoryPlan, Runtime } from '../../../src/graph/runtime.js'
import { arenaCuts, segmentTables } from '../../../src/graph/segments.js'
import { assignOffsets, type Storage } from '../../../src/graph/storage.js'
import { type ModelConfig, preset } from '../../../src/model/config.js'
import { accumulate } from '../../../src/ops/accumulate.js'
import { fill } from '../../../src/ops/fill.js'
import { DEFAULT_OPTIMIZER } from '../../../src/training/optimizer.js'
import { pretrainingPrograms } from '../../../src/training/pretraining/programs.js'
import { sameBits } from '../../support/allclose.js'
import { at, call, conformance, message, program } from '../../support/conformance.js'
import { capacity, train } from '../../support/device_steps.js'
import { random } from '../../support/random.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('webgpu in blocks')

test('blocks begin at cuts, and are as few as possible', () => {
  assert.equal(blockStarts(1000, 1024, 'x'), [0])
  assert.equal(blockStarts(2500, 1024, 'x'), [0, 1024, 2048])
  assert.equal(blockStarts(2500, 1024, 'x', [0, 512, 768, 1536, 1792, 2304]), [0, 768, 1792])
  // only multiples of 256 can be bound
  assert.equal(blockStarts(2000, 1024, 'x', [0, 512, 900, 1300, 1536]), [0, 512, 1536])
  assert.throws(
    () => blockStarts(2500, 1024, 'moments', [0, 256, 1536]),
    /UserError|moments: bytes 256 to 1280 have no place/,
  )
  assert.throws(() => blockStarts(2 ** 40, 1024, 'big'), /big: 1099511627776 bytes are more than 256 buffers/)
})

test('storages lie across no boundary unless they are larger, and overlap only when they are not needed at once', () => {
  const r = random(4)
  const block = 4096
  const storages = Array.from({ length: 60 }, (_, i): Storage => {
    const first = r.integer(0, 20)
    return { name: `${i}`, bytes: 256 * r.integer(1, 40), first, last: first + r.integer(0, 6), offset: -1 }
  })
  const end = assignOffsets(storages, block)
  storages.forEach((s, i) => {
    assert.ok(s.offset >= 0 && s.offset + s.bytes <= end)
    if (s.bytes > block) assert.is(s.offset % block, 0)
    else assert.is(Math.floor(s.offset / block), Math.floor((s.offset + s.bytes - 1) / block), `storage ${i}`)
    for (const o of storages.slice(0, i))
      assert.ok(
        o.first > s.last ||
          s.first > o.last ||
          o.offset >= s.offset + s.bytes ||
          s.offset >= o.offset + o.bytes,
      )
  })
})

const albert = preset('nano', 211, { dropout: 0.1 })
/** Stacked layers, biases of them at offsets that are not aligned; the stack of query, key and value is larger than 64 KiB. */
const bert = preset('bert-nano', 211, { dropout: 0.1, hiddenSize: 40, intermediateSize: 72, layers: 4 })

test('chunks of the optimizer lie in one block each', () => {
  for (const config of [albert, bert])
    for (const block of [64 * 1024, 128 * 1024]) {
      const { parameters } = pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER)
      const bytes = parameters.arenaElements * 4
      const starts = blockStarts(bytes, block, 'parameters', arenaCuts(parameters, block))
      assert.ok(starts.length > 1)
      const { table } = segmentTables(parameters)
      for (let c = 0; c < table.length; c += 3) {
        const [from, to] = [4 * table[c + 1], 4 * (table[c + 1] + table[c + 2])]
        const b = starts.findLastIndex((start) => start <= from)
        assert.ok(to <= (starts[b + 1] ?? bytes), `bytes ${from} to ${to}, blocks begin at ${starts}`)
      }
    }
})

const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'all that runs', opened.reason)
else {
  const whole = opened.device

  async function split(mostBytes: number, work: (device: WebgpuDevice) => Promise<void>): Promise<void> {
    const device = await openWebgpuInNode({ mostBytes })
    try {
      assert.is(device.block, mostBytes)
      await work(device)
    } finally {
      await device.destroy()
    }
  }

  /** Labels of the pipelines that a device is asked for from now on. */
  function compiledBy({ device }: WebgpuDevice): string[] {
    const labels: string[] = []
    const compile = device.createComputePipelineAsync.bind(device)
    device.createComputePipelineAsync = (descriptor) => {
      labels.push(descriptor.label ?? '')
      return compile(descriptor)
    }
    return labels
  }

  const cases: [string, ModelConfig, number][] = [
    ['ALBERT with recomputation', albert, 128 * 1024],
    // stacks of activations and of parameters lie across blocks
    ['BERT', bert, 64 * 1024],
  ]
  for (const [name, config, most] of cases)
    test(`pretraining steps of a nano ${name} have the same bits in blocks of ${most / 1024} KiB`, async () => {
      const options = { recompute: name.includes('recomputation') }
      const want = await train(whole, config, options, 2)
      await split(most, async (device) => {
        const compiled = compiledBy(device)
        const got = await train(device, config, options, 2)
        // the optimizer ran once a block
        for (const kernel of ['global_norm_forward sum_chunks', 'lamb_forward apply_directions'])
          assert.ok(compiled.filter((label) => label.startsWith(`${kernel} BLOCK_START=`)).length > 1, kernel)
        sameBits(Float32Array.from(got.losses), Float32Array.from(want.losses), { name: 'losses' })
        sameBits(Float32Array.from(got.norms), Float32Array.from(want.norms), { name: 'gradient norms' })
        sameBits(got.parameters, want.parameters, { name: 'parameters' })
      })
    })

  test('the memory that is planned is what the device then takes, whole and in blocks', async () => {
    for (const [config, most] of [
      [bert, undefined],
      [albert, 128 * 1024],
      [bert, 64 * 1024],
    ] as const) {
      const device = await openWebgpuInNode({ mostBytes: most })
      try {
        const { parameters, graphs } = pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER)
        const planned = memoryOn(device, parameters, graphs)
        assert.is(device.bytes, 0, 'planning takes nothing')
        let taken = 0
        const make = device.device.createBuffer.bind(device.device)
        device.device.createBuffer = (descriptor) => {
          // an arena of nothing is a buffer all the same
          if (descriptor.size > 4) taken += descriptor.size
          return make(descriptor)
        }
        const runtime = new Runtime(device, parameters, graphs)
        assert.is(planned.totalBytes, device.bytes)
        assert.is(planned.totalBytes, taken)
        const parts = planned.parameterBytes + planned.gradientBytes + planned.optimizerBytes
        assert.is(planned.totalBytes, parts + planned.activationBytes + planned.programBytes)
        const whole = memoryPlan(parameters, compile(graphs).values())
        assert.ok(planned.activationBytes >= whole.activationBytes)
        // of BERT's stacks some lie across blocks, and are seen through copies
        if (most === undefined) assert.is(planned.activationBytes, whole.activationBytes)
        else
          assert.ok(
            planned.activationBytes > whole.activationBytes,
            'holes at multiples of a block are counted',
          )
        runtime.free()
        assert.is(device.bytes, 0)
      } finally {
        await device.destroy()
      }
    }
  })

  test('a model that the adapter cannot bind is refused by its plan', () =>
    split(16 * 1024, async (device) => {
      const { parameters, graphs } = pretrainingPrograms(albert, capacity, DEFAULT_OPTIMIZER)
      assert.match(
        await message(async () => memoryOn(device, parameters, graphs)),
        /^UserError: parameters: bytes 0 to 16384 have no place to be cut at, and a buffer of this adapter has at most 16384$/,
      )
    }))

  test('a range across blocks is read, written and seen by a kernel as if it were one piece', () =>
    split(1024, async (device) => {
      const buffer = device.alloc(4096, 'arena')
      const x = random(2).normals(1024)
      await device.write(buffer, 0, x)
      const n = 192
      // 1792 to 2560 lies across a boundary, 512 to 1280 too
      const steps = [call(accumulate.forward, [at(0, 512, n), at(0, 1792, n)], [n])]
      await device.run(device.prepare(program([4096], steps), [buffer]), {})
      const want = x.slice()
      for (let i = 0; i < n; i++) want[448 + i] += x[128 + i]
      sameBits(new Float32Array(await device.read(buffer, 0, 4096)), want)
      sameBits(new Float32Array(await device.read(buffer, 1020, 8)), want.subarray(255, 257))
    }))

  test('a range that no binding holds is refused with its size and the limit', () =>
    split(1024, async (device) => {
      const buffer = device.alloc(4096, 'arena')
      const steps = [call(fill.forward, [at(0, 0, 300)], [300, 1])]
      assert.match(
        await message(() => device.prepare(program([4096], steps), [buffer])),
        /^UserError: fill_forward: y has 1200 bytes .* lets a kernel see 1024/,
      )
    }))

  test('the device closes', () => whole.destroy())
}

test.run()

if (!('reason' in opened)) conformance(() => openWebgpuInNode({ mostBytes: 2 ** 18 }), 'webgpu')
