/** The thread of JavaScript pauses while a device of Node is waited for, and at no other time; its loop goes on turning. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Health } from '../../../src/device/webgpu/health.js'
import { Pauses } from '../../../src/device/webgpu/pauses_node.js'

const test = suite('pauses')

/** Turns of the event loop within so many milliseconds, and milliseconds at which a timer of every 20 fired. */
async function turns(milliseconds: number): Promise<{ turns: number; fired: number }> {
  let [count, fired] = [0, 0]
  const timer = setInterval(() => fired++, 20)
  const end = performance.now() + milliseconds
  while (performance.now() < end) {
    count++
    await new Promise((resolve) => setImmediate(resolve))
  }
  clearInterval(timer)
  return { turns: count, fired }
}

test('while something is awaited the loop turns seldom, and all that waits in it is served', async () => {
  const pauses = new Pauses()
  pauses.begin()
  const found = await turns(600)
  pauses.end()
  // a loop that spins turns ten thousand times and more
  assert.ok(found.turns < 1500, `${found.turns} turns`)
  assert.ok(found.turns >= 20 && found.fired >= 3, JSON.stringify(found))
})

test('a pause is short against what has been waited since the last news', async () => {
  const pauses = new Pauses()
  const { wait } = Atomics
  const slept: number[] = []
  Atomics.wait = ((...[, , , milliseconds]: Parameters<typeof wait>) => {
    slept.push(milliseconds ?? Number.POSITIVE_INFINITY)
    return 'timed-out'
  }) as typeof wait
  try {
    const begin = performance.now()
    pauses.begin()
    await turns(40)
    const waited = performance.now() - begin
    assert.ok(slept.length > 0)
    for (const one of slept) assert.ok(one >= 0.1 && one <= Math.min(4, waited / 16), `${one} of ${waited}`)
    pauses.news()
    slept.length = 0
    const since = performance.now()
    await turns(20)
    const after = performance.now() - since
    for (const one of slept) assert.ok(one <= after / 16 + 0.1, `${one}, ${after} after news`)
  } finally {
    pauses.end()
    Atomics.wait = wait
  }
})

test('once nothing is awaited no turn is left, and it can begin again', async () => {
  const pauses = new Pauses()
  const { setImmediate: soon } = globalThis
  let asked = 0
  const after = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
  globalThis.setImmediate = ((...args: Parameters<typeof soon>) => {
    asked++
    return soon(...args)
  }) as typeof soon
  try {
    for (let k = 0; k < 3; k++) {
      pauses.begin()
      pauses.end()
      pauses.begin()
      await after(20)
      assert.ok(asked >= 2, 'it turns')
      pauses.end()
      await after(20)
      asked = 0
      await after(20)
      assert.is(asked, 0)
    }
  } finally {
    globalThis.setImmediate = soon
  }
})

test('a device is waited for from the first promise to the last, or to its loss', async () => {
  const told: string[] = []
  const listener = {
    begin: () => told.push('begin'),
    news: () => told.push('news'),
    end: () => told.push('end'),
  }
  const device = { addEventListener() {}, lost: new Promise(() => undefined) }
  const health = new Health(device as unknown as GPUDevice, listener)
  const resolves: (() => void)[] = []
  const promise = () => health.guard(new Promise<void>((resolve) => resolves.push(resolve)))
  const [first, second] = [promise(), promise()]
  resolves[0]()
  await first
  await Promise.resolve()
  resolves[1]()
  await second
  await Promise.resolve()
  assert.equal(told, ['begin', 'news', 'end'])
  const third = promise().then(
    () => 'none',
    ({ message }: Error) => message,
  )
  health.lose('unplugged')
  assert.match(await third, /unplugged/)
  assert.equal(told.slice(3), ['begin', 'end'])
})

test.run()
