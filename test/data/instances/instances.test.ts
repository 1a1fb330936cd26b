/** Instance making against the rules, judged by taking instances apart again: unmasked, unswapped, found in the text. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TokenDocument } from '../../../src/data/instances/document_shard.js'
import { type Instance, InstanceBuffer } from '../../../src/data/instances/shard.js'
import { instancesOf, makerOf, special, unmasked } from '../../support/instance_case.js'
import { random } from '../../support/random.js'

const test = suite('instances')

/** Documents in which no token occurs twice: 5 + 1000 d + place, so a token tells where it comes from. */
function documents(
  seed: number,
  count: number,
  sentences: [number, number],
  length: [number, number],
): TokenDocument[] {
  const { integer } = random(seed)
  return Array.from({ length: count }, (_, d) => {
    const starts = [0]
    const n = integer(sentences[0], sentences[1] + 1)
    for (let i = 0; i < n; i++) starts.push(Math.min(999, starts[i] + integer(length[0], length[1] + 1)))
    const distinct = [...new Set(starts)]
    const tokens = Uint16Array.from({ length: distinct[distinct.length - 1] }, (_, i) => 5 + 1000 * d + i)
    return { tokens, starts: Uint32Array.from(distinct) }
  })
}

/** The two segments with the masks taken off. */
function segments(instance: Instance): [number[], number[]] {
  const { splitAt } = instance
  const clear = unmasked(instance)
  assert.is(clear[0], special.cls)
  assert.is(clear[splitAt - 1], special.sep)
  assert.is(clear[clear.length - 1], special.sep)
  const [a, b] = [clear.slice(1, splitAt - 1), clear.slice(splitAt, -1)]
  assert.ok(a.length > 0 && b.length > 0)
  assert.ok([...a, ...b].every((id) => id >= 5))
  return [a, b]
}

const contiguous = (ids: number[]): boolean => ids.every((id, i) => i === 0 || id === ids[i - 1] + 1)

test('segments are stretches of the document, in order with label 0, swapped with label 1', () => {
  const docs = documents(1, 50, [2, 30], [3, 15])
  instancesOf(docs).forEach((instances, d) => {
    for (const instance of instances) {
      const [a, b] = segments(instance)
      assert.ok(contiguous(a) && contiguous(b))
      assert.ok(instance.ids.length <= 64)
      assert.is(Math.floor((a[0] - 5) / 1000), d)
      if (instance.source === 'random_document') {
        assert.is(instance.sop, 1)
        assert.is.not(Math.floor((b[0] - 5) / 1000), d)
      } else {
        assert.is(instance.sop, a[0] < b[0] ? 0 : 1)
        assert.is(instance.source, a[0] < b[0] ? 'in_order' : 'swapped')
        const [head, tail] = a[0] < b[0] ? [a, b] : [b, a]
        assert.ok(head[head.length - 1] < tail[0])
      }
    }
  })
})

test('chunks are whole sentences up to the target; nothing is left out or used twice', () => {
  const docs = documents(2, 60, [2, 40], [2, 12])
  // No instance is cut when the room is larger than target + sentence: compare chunk borders with a plain loop.
  instancesOf(docs, { maxLength: 64, shortProbability: 0 }).forEach((instances, d) => {
    const { starts } = docs[d]
    const chunks: [number, number][] = []
    for (let i = 0, from = 0; i + 1 < starts.length; i++) {
      if (i + 2 < starts.length && starts[i + 1] - starts[from] < 61) continue
      chunks.push([from, i + 1])
      from = i + 1
    }
    assert.is(instances.length, chunks.length)
    instances.forEach((instance, i) => {
      const [from, to] = chunks[i]
      const [a, b] = segments(instance)
      const own = instance.source === 'random_document' ? a : [...a, ...b]
      for (const id of own) assert.ok(id - 5 - 1000 * d >= starts[from] && id - 5 - 1000 * d < starts[to])
      const length = starts[to] - starts[from]
      if (instance.source !== 'random_document') assert.is(own.length, Math.min(length, 61))
    })
  })
})

test('uncut pairs are split at a sentence, every inner one equally likely', () => {
  const starts = Uint32Array.of(0, 10, 15, 25, 30)
  const docs = [{ tokens: Uint16Array.from({ length: 30 }, (_, i) => 5 + i), starts }]
  const counts = new Map<number, number>()
  for (let pass = 0; pass < 3000; pass++) {
    const [[instance]] = instancesOf(docs, { shortProbability: 0 }, pass)
    const [a, b] = segments(instance)
    const split = Math.max(a[0], b[0]) - 5
    counts.set(split, (counts.get(split) ?? 0) + 1)
  }
  assert.equal(
    [...counts.keys()].sort((x, y) => x - y),
    [10, 15, 25],
  )
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 5 * Math.sqrt(1000 * (2 / 3)))
})

test('half of the pairs are swapped', () => {
  const docs = documents(3, 50, [10, 30], [3, 8])
  let swapped = 0
  let total = 0
  for (let pass = 0; pass < 20; pass++) {
    for (const { source } of instancesOf(docs, {}, pass).flat()) {
      if (source === 'random_document') continue
      total++
      if (source === 'swapped') swapped++
    }
  }
  assert.ok(Math.abs(swapped - total / 2) < 2.5 * Math.sqrt(total), `${swapped} of ${total}`)
})

test('the longer segment is cut, from both ends; a tie cuts the second', () => {
  const starts = Uint32Array.of(0, 20, 80)
  const docs = [{ tokens: Uint16Array.from({ length: 80 }, (_, i) => 5 + i), starts }]
  let front = 0
  for (let pass = 0; pass < 400; pass++) {
    const [[instance]] = instancesOf(docs, { maxLength: 33, shortProbability: 0 }, pass)
    const [a, b] = segments(instance)
    // Room for 30: 20 and 60 become 15 and 15.
    assert.is(a.length, 15)
    assert.is(b.length, 15)
    front += (a[0] < b[0] ? b : a)[0] - 25
  }
  // Of the 45 pieces cut from the second sentence half are cut in front.
  assert.ok(Math.abs(front / 400 - 22.5) < 5 * Math.sqrt(45 / 4 / 400))
  // Room for 29: the longer one is cut to 15, then the second segment gives one more.
  const [[odd]] = instancesOf(docs, { maxLength: 32, shortProbability: 0 })
  const [a, b] = segments(odd)
  assert.equal([a.length, b.length], [15, 14])
})

test('short targets come with their probability and are uniform', () => {
  const sentences = 200
  const docs = [
    {
      tokens: Uint16Array.from({ length: sentences }, (_, i) => 5 + i),
      starts: Uint32Array.from({ length: sentences + 1 }, (_, i) => i),
    },
  ]
  let short = 0
  let sum = 0
  for (let pass = 0; pass < 5000; pass++) {
    const [[first]] = instancesOf(docs, {}, pass)
    const target = first.ids.length - 3
    if (target === 61) continue
    assert.ok(target >= 2 && target < 61)
    short++
    sum += target
  }
  // Uniform in [2, 61]: 61 itself looks like a long one.
  const p = 0.1 * (59 / 60)
  assert.ok(Math.abs(short - 5000 * p) < 5 * Math.sqrt(5000 * p), `${short}`)
  assert.ok(Math.abs(sum / short - 31) < 5 * Math.sqrt(59 ** 2 / 12 / short), `${sum / short}`)
})

test('a chunk of one sentence becomes what is asked for', () => {
  const docs = documents(4, 30, [1, 1], [5, 20])
  for (const instance of instancesOf(docs).flat()) assert.is(instance.source, 'random_document')
  for (const instance of instancesOf(docs, { singleSentence: 'resplit' }).flat()) {
    assert.is(instance.source, 'resplit')
    const [a, b] = segments(instance)
    assert.ok(contiguous(instance.sop === 0 ? [...a, ...b] : [...b, ...a]))
  }
  const skipping = makerOf(docs, { singleSentence: 'skip' })
  const out = new InstanceBuffer(2)
  docs.forEach((document, index) => {
    skipping.make(document, index, 0, out)
  })
  assert.is(out.counts.instances, 0)
  assert.is(skipping.skipped, 30)
})

test('sentences of a random document are not those of a held-out one', () => {
  const docs = documents(5, 40, [1, 2], [5, 10])
  const seen = new Set<number>()
  for (let pass = 0; pass < 30; pass++) {
    for (const instance of instancesOf(docs, { isHeldOut: (d) => d % 4 === 0 }, pass).flat()) {
      if (instance.source === 'random_document') seen.add(Math.floor((segments(instance)[1][0] - 5) / 1000))
    }
  }
  assert.equal(
    [...seen].sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, d) => d).filter((d) => d % 4 !== 0),
  )
})

test('a document has the same instances alone as among others, others in another pass', () => {
  const docs = documents(6, 20, [2, 20], [3, 10])
  const whole = instancesOf(docs)
  const make = makerOf(docs)
  for (const index of [13, 2]) {
    const out = new InstanceBuffer(2)
    make.make(docs[index], index, 0, out)
    assert.equal(out.shard().instance(0), whole[index][0])
  }
  assert.not.equal(instancesOf(docs, {}, 1)[13], whole[13])
  assert.not.equal(instancesOf(docs, { seed: 2 })[13], whole[13])
})

test('ids of large vocabularies survive', () => {
  const out = new InstanceBuffer(4)
  const ids = Int32Array.of(2, 70_000, 3, 249_999, 3)
  out.add(ids, 5, 3, 0, 0, Int32Array.of(1, 3), Int32Array.of(131_072, 65_536), 2)
  const instance = out.shard().instance(0)
  assert.equal([...instance.ids], [...ids])
  assert.equal([...instance.labels], [131_072, 65_536])
  assert.equal([...instance.positions], [1, 3])
})

test.run()
