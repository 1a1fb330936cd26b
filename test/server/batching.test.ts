/** How waiting requests become batches: full, fair, in order, without what nobody waits for; and that batches change no bit. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import type { Example } from '../../src/model/head.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { Batcher, DeviceLost } from '../../src/server/batcher.js'
import { entities } from '../../src/tasks/entities.js'
import { loadTask } from '../../src/training/finetuning/model.js'
import { openTask } from '../../src/training/finetuning/model_node.js'
import { rejects } from '../support/failure.js'
import { random } from '../support/random.js'
import { taskModel } from '../support/task_model.js'

const test = suite('server, batching')
const ROWS = 100

/** An example of `length` pieces that can be told from others by its first. */
function example(length: number, mark = 0): Example {
  const ids = new Int32Array(length)
  ids[0] = mark
  return { ids, scored: Int32Array.of(0), item: 0 }
}

/** Gives each example its mark as its logits, one batch after the other, each when `release` is called. */
function heldDevice() {
  const batches: Example[][] = []
  let release: (() => void) | undefined
  return {
    batches,
    release() {
      release?.()
      release = undefined
    },
    async logits(examples: readonly Example[]) {
      batches.push([...examples])
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return examples.map(({ ids }) => Float32Array.of(ids[0]))
    },
  }
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 5))
const marks = (batch: readonly Example[]) => batch.map(({ ids }) => ids[0])
const flat = (logits: readonly Float32Array[]) => logits.map(([value]) => value)

test('requests that come together are one batch, in their order, and each gets its own answers', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS })
  const answers = [
    batcher.logits([example(10, 1), example(5, 2)]),
    batcher.logits([example(7, 3)]),
    batcher.logits([example(8, 4)]),
  ]
  assert.is(batcher.waitingPieces, 30)
  await turns()
  assert.is(batcher.waitingPieces, 0)
  device.release()
  assert.equal((await Promise.all(answers)).map(flat), [[1, 2], [3], [4]])
  assert.equal(device.batches.map(marks), [[1, 2, 3, 4]])
})

test('what comes while the device works is the next batch', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS })
  const first = batcher.logits([example(10, 1)])
  await turns()
  const others = [2, 3, 4].map((mark) => batcher.logits([example(10, mark)]))
  await turns()
  assert.is(device.batches.length, 1)
  device.release()
  assert.equal(flat(await first), [1])
  await turns()
  device.release()
  await Promise.all(others)
  assert.equal(device.batches.map(marks), [[1], [2, 3, 4]])
})

test('no batch has more pieces than rows, and none is left half empty while others wait', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS })
  const { integer } = random(5)
  const sizes = Array.from({ length: 60 }, () => Array.from({ length: integer(1, 5) }, () => integer(2, 60)))
  const answers = sizes.map((lengths, r) => batcher.logits(lengths.map((n, e) => example(n, 100 * r + e))))
  let open = true
  void Promise.all(answers).finally(() => {
    open = false
  })
  while (open) {
    await turns()
    device.release()
  }
  const sums = device.batches.map((batch) => batch.reduce((n, { ids }) => n + ids.length, 0))
  assert.ok(
    sums.every((n) => n <= ROWS),
    `${sums}`,
  )
  // each but the last is so full that no shortest example of the others had room
  assert.ok(
    sums.slice(0, -2).every((n) => n > ROWS - 60),
    `${sums}`,
  )
  assert.equal(
    (await Promise.all(answers)).map(flat),
    sizes.map((lengths, r) => lengths.map((_, e) => 100 * r + e)),
  )
})

test('a long text lets short ones by: they are in the next batch', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS })
  const long = batcher.logits(Array.from({ length: 200 }, (_, e) => example(10, e)))
  await turns()
  const short = [1000, 1001, 1002].map((mark) => batcher.logits([example(10, mark)]))
  device.release()
  await turns()
  assert.equal(
    marks(device.batches[1]).filter((mark) => mark >= 1000),
    [1000, 1001, 1002],
  )
  assert.is(device.batches[1].length, 10)
  device.release()
  await Promise.all(short)
  while (device.batches.flat().length < 203) {
    device.release()
    await turns()
  }
  device.release()
  assert.equal(flat(await long), [...Array(200).keys()])
})

test('work of a client that has left is dropped', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS })
  const first = batcher.logits([example(10, 1)])
  await turns()
  const left = new AbortController()
  const gone = batcher.logits([example(10, 2)], left.signal)
  const stays = batcher.logits([example(10, 3)])
  left.abort(new Error('left'))
  await rejects(gone, /^left$/)
  assert.is(batcher.waitingPieces, 10)
  device.release()
  await first
  await turns()
  device.release()
  await stays
  assert.equal(device.batches.map(marks), [[1], [3]])
  const before = AbortSignal.abort(new Error('before'))
  await rejects(batcher.logits([example(1)], before), /^before$/)
})

test('with --wait-ms a batch waits for more, but not once it is full', async () => {
  const device = heldDevice()
  const batcher = new Batcher(device, { rows: ROWS, waitMs: 200 })
  const start = performance.now()
  const answers = [batcher.logits([example(10, 1)])]
  await turns()
  answers.push(batcher.logits([example(10, 2)]))
  while (device.batches.length === 0) await turns()
  assert.ok(performance.now() - start > 150)
  assert.equal(device.batches.map(marks), [[1, 2]])
  device.release()
  await Promise.all(answers)
  const full = performance.now()
  const more = batcher.logits(Array.from({ length: 10 }, (_, e) => example(10, e)))
  while (device.batches.length === 1) await turns()
  assert.ok(performance.now() - full < 150)
  device.release()
  await more
})

test('a request that fails does so for itself only', async () => {
  const batches: number[][] = []
  const batcher = new Batcher(
    {
      async logits(examples) {
        batches.push(marks(examples))
        if (marks(examples).includes(2)) throw new Error('cannot do 2')
        return examples.map(({ ids }) => Float32Array.of(ids[0]))
      },
    },
    { rows: ROWS, probe: example(2) },
  )
  const answers = [1, 2, 3].map((mark) => batcher.logits([example(10, mark)]))
  const found = await Promise.allSettled(answers)
  assert.equal(
    found.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.match((found[1] as PromiseRejectedResult).reason.message, /cannot do 2/)
  assert.equal(batches, [[1, 2, 3], [0], [1], [2], [3]])
  assert.equal(flat(await batcher.logits([example(3, 4)])), [4])
})

test('a device that fails whatever it gets is lost: all that waits is told, and what comes after', async () => {
  const told: Error[] = []
  const batcher = new Batcher(
    { logits: () => Promise.reject(new Error('the device fell off the bus')) },
    { rows: ROWS, probe: example(2), onLost: (error) => told.push(error) },
  )
  // the second does not fit the first one's batch
  const found = await Promise.allSettled([90, 91].map((n) => batcher.logits([example(n)])))
  for (const one of found) assert.instance((one as PromiseRejectedResult).reason, DeviceLost)
  assert.is(told.length, 1)
  assert.match(told[0].message, /fell off the bus/)
  assert.is(batcher.waitingPieces, 0)
  await rejects(batcher.logits([example(1)]), /^the device gives no more results/)
})

test('an example that no batch can hold is refused, none are no work', async () => {
  const batcher = new Batcher(heldDevice(), { rows: ROWS })
  await rejects(batcher.logits([example(101)]), /an example has 101 pieces \(want 100 at most\)/)
  assert.equal(await batcher.logits([]), [])
})

for (const precision of ['f32', 'bf16', 'int8'] as const)
  test(`a text has the same bits alone and with others, in ${precision}`, async () => {
    const folder = openTask(await taskModel('entities', { preset: 'mini' }))
    const device = openCpu({ threads: 2 })
    try {
      const predictor = await loadTask(folder, device, precision)
      const { integer, integers } = random(8)
      const examples = Array.from({ length: 70 }, (_, item) => {
        const ids = integers(integer(2, 64), 5, folder.context.tokenizer.size)
        return { ids, scored: Int32Array.from(ids.keys()), item }
      })
      const batcher = new Batcher(predictor, { rows: 2048 })
      const together = await Promise.all(examples.map((one) => batcher.logits([one])))
      for (const [i, one] of examples.entries()) {
        const [alone] = await predictor.logits([one])
        assert.is(
          Buffer.compare(bytes(alone), bytes(together[i][0])),
          0,
          `example ${i} of ${one.ids.length} pieces`,
        )
      }
      assert.is(folder.task, entities)
      assert.is(folder.head, tokenHead)
    } finally {
      await device.destroy()
    }
  })

function bytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

test.run()
