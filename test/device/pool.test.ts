/**
 * The thread pool of the CPU device as a process sees it: the same bits on any number of threads, bound to cores or not;
 * which threads are bound. What goes on inside is tested by test/native/pool_driver.cc (npm run test:sanitize).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo, openCpu } from '../../src/device/cpu.js'
import { Runtime } from '../../src/graph/runtime.js'
import { makeWorkload } from '../../src/profile/workload.js'
import { sameBits } from '../support/allclose.js'
import { skip } from '../support/skip.js'

const test = suite('thread pool')

const step = makeWorkload({
  kind: 'pretrain',
  preset: 'nano',
  vocabulary: 700,
  rows: 200,
  length: 60,
  recompute: false,
  seed: 3,
})

/** The parameters after two steps of pretraining: every hot kernel, forward and backward, and the optimizer. */
async function train(threads: number, pin: boolean): Promise<Float32Array> {
  const device = openCpu({ threads, pin })
  try {
    const runtime = new Runtime(device, step.parameters, { step: step.graph })
    await runtime.writeState('parameters', step.initial)
    for (const draw of [0, 1]) await runtime.run('step', step.inputs, { ...step.scalars, draw })
    return await runtime.readState('parameters')
  } finally {
    await device.destroy()
  }
}

test('two steps of training have the same bits on 1, 2, 3 and 7 threads, bound to cores or not', async () => {
  const one = await train(1, true)
  assert.ok(one.every(Number.isFinite))
  // drawn anew whenever it is asked for
  const { initial } = step
  let changed = 0
  for (let i = 0; i < one.length; i++) if (one[i] !== initial[i]) changed++
  assert.ok(changed > one.length / 2)
  for (const threads of [1, 2, 3, 7])
    for (const pin of [true, false])
      sameBits(await train(threads, pin), one, { name: `${threads} threads, ${pin ? '' : 'not '}bound` })
})

const TASKS = '/proc/self/task'

/** Threads of this process that may run on one processor only. */
function bound(): number {
  const masks = readdirSync(TASKS).map(
    (id) => /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`${TASKS}/${id}/status`, 'utf8'))?.[1],
  )
  return masks.filter((mask) => mask !== undefined && /^\d+$/.test(mask)).length
}

const { cores } = cpuInfo()
if (!existsSync(TASKS) || cores < 2 || bound() > 0)
  skip(test, 'which threads are bound', 'wants /proc and two cores that this process may use')
else {
  const after = async (options: { threads: number; pin?: boolean }) => {
    const device = openCpu(options)
    try {
      const runtime = new Runtime(device, step.parameters, { step: step.graph })
      // every thread has begun to work once a step is done
      await runtime.run('step', step.inputs, step.scalars)
      return bound()
    } finally {
      await device.destroy()
    }
  }
  test('workers are bound while the device is open, the calling thread only during a run', async () => {
    assert.is(await after({ threads: 2 }), 1)
    assert.is(bound(), 0)
  })

  test('nothing is bound with more threads than cores, with pin: false, or with BIOALBERT_PIN=0', async () => {
    assert.is(await after({ threads: cores + 1 }), 0)
    assert.is(await after({ threads: 2, pin: false }), 0)
    process.env.BIOALBERT_PIN = '0'
    try {
      assert.is(await after({ threads: 2 }), 0)
    } finally {
      delete process.env.BIOALBERT_PIN
    }
  })
}

test.run()
