/** Processes and workers that a test starts are of the kind of its own process, which may be emulated (test/arm.ts). */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo } from '../../src/device/cpu.js'

const test = suite('the Node of tests')
const addon = new URL('../../src/device/cpu.js', import.meta.url).href
const say = `import(${JSON.stringify(addon)}).then(({ cpuInfo }) =>
  send(JSON.stringify([process.arch, process.execPath, cpuInfo().isas])))`
const own = JSON.stringify([process.arch, process.execPath, cpuInfo().isas])

test('a process started by process.execPath has the same processor, addon and Node, and so has one that it starts', () => {
  const inner = `const send = console.log; ${say}`
  const outer = `const { spawnSync } = require('node:child_process')
    ${inner}.then(() => process.stdout.write(spawnSync(process.execPath, ['-e', ${JSON.stringify(inner)}]).stdout))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', outer], { encoding: 'utf8' })
  assert.is(stdout, `${own}\n${own}\n`, stderr)
})

test('so has a worker', async () => {
  const worker = new Worker(
    `const send = (text) => require('node:worker_threads').parentPort.postMessage(text); ${say}`,
    {
      eval: true,
    },
  )
  assert.equal(await once(worker, 'message'), [own])
  await worker.terminate()
})

test.run()
