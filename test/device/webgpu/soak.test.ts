/** Steps on WebGPU hold on to nothing: memory of the process and of the device is flat, whatever the number of steps. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { accumulate } from '../../../src/ops/accumulate.js'
import { scale } from '../../../src/ops/scale.js'
import { at, call, program } from '../../support/conformance.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('soak of webgpu')
setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/**
 * What 500 steps may add to the process, in bytes: the allocator of a driver in software with a thread a core gives or takes as
 * much. A buffer for reads that each step kept would be twice that. What JavaScript holds is counted to the object.
 */
const SLACK = 16 * 2 ** 20
const HEAP_SLACK = 2 ** 18

const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, 'steps', opened.reason)
else {
  const { device } = opened
  test('500 steps with inputs, scalars that change and losses that are read leave nothing behind', async () => {
    const n = 2048
    const buffer = device.alloc(4 * n * 4, 'x')
    const factor = { scalar: 'factor', times: 1 }
    const body = [
      call(scale.forward, [at(0, 0, n), at(0, n * 4, n)], [n, factor]),
      call(accumulate.forward, [at(0, n * 4, n), at(0, n * 8, n)], [n]),
    ]
    const prepared = device.prepare(
      program(
        [4 * n * 4],
        [{ kind: 'repeat', count: 4, reverse: false, body }],
        [{ name: 'factor', type: 'f32' }],
      ),
      [buffer],
    )
    const inputs = new Float32Array(n).fill(1)
    let sum = 0
    const step = async (i: number) => {
      const written = device.write(buffer, 0, inputs)
      const run = device.run(prepared, { factor: i % 2 })
      const read = [0, 1, 2, 3].map((k) => device.read(buffer, n * 8 + 4 * k, 4))
      await Promise.all([written, run, ...read])
      const [first] = new Float32Array(await read[3])
      sum += 4 * (i % 2)
      assert.is(first, sum)
      if (i % 50 === 0) await device.read(buffer, 0, 4 * n * 4)
    }
    let i = 0
    /** The least of some readings, 50 steps apart. */
    const least = async () => {
      const found = { resident: Infinity, heap: Infinity, external: Infinity, device: Infinity }
      for (let reading = 0; reading < 4; reading++) {
        for (const end = i + 50; i < end; i++) await step(i)
        collect()
        collect()
        const { rss, heapUsed, external } = process.memoryUsage()
        const now = { resident: rss, heap: heapUsed, external, device: device.bytes }
        for (const key of Object.keys(now) as (keyof typeof now)[])
          found[key] = Math.min(found[key], now[key])
      }
      return found
    }
    for (; i < 500; i++) await step(i)
    // a leak grows in every stretch of steps; memory that the process takes once, for whatever reason, in one
    let before = await least()
    for (let stretch = 1; ; stretch++) {
      for (const end = i + 300; i < end; i++) await step(i)
      const after = await least()
      assert.is(after.device, before.device)
      const grew = (['resident', 'heap', 'external'] as const).filter(
        (key) => after[key] - before[key] >= (key === 'resident' ? SLACK : HEAP_SLACK),
      )
      if (grew.length === 0) break
      assert.ok(stretch < 3, `${grew.join(', ')}: ${JSON.stringify({ before, after })}`)
      before = after
    }
  })
  test('the device closes', () => device.destroy())
}

test.run()
