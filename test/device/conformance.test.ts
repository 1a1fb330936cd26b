/**
 * The guarantees of src/device/device.ts, on every device that is here (test/support/conformance.ts). What kernels compute is
 * judged by test/ops (on the CPU) and by webgpu/ops.test.ts.
 */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import { openDevice } from '../../src/device/open.js'
import { conformance } from '../support/conformance.js'
import { skip } from '../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../support/swiftshader.js'

await withSwiftshader()

conformance(async () => openCpu({ threads: 2 }), 'cpu')

for (const name of ['cuda-emulated', 'cuda'] as const) {
  const found = await openDevice(name).catch((error: Error) => error.message)
  if (typeof found === 'string') {
    const test = suite(`${name}: device contract`)
    skip(test, `device contract on ${name}`, found)
    test.run()
  } else {
    conformance(async () => found, name)
  }
}

const opened = await openWebgpuForTest()
if ('reason' in opened) {
  const test = suite('webgpu: device contract')
  skip(test, 'device contract on webgpu', opened.reason)
  test.run()
} else {
  conformance(async () => opened.device, 'webgpu')
  const test = suite('webgpu: process')
  test('a process that has closed its device ends by itself', () => {
    const open = new URL('../../src/device/open.js', import.meta.url).href
    const code = `const { openDevice } = await import(${JSON.stringify(open)})
      const device = await openDevice('webgpu')
      const buffer = device.alloc(1024, 'x')
      await device.read(buffer, 0, 1024)
      await device.destroy()
      console.log('closed')`
    const { stdout, status, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    assert.is(stdout.trim(), 'closed')
    assert.is(signal, null)
    assert.is(status, 0)
  })
  test.run()
}
