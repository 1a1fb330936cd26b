/** Pairs for next sentence prediction, judged by taking instances apart again; and masks over `##` pieces. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildInstances } from '../../../src/data/instances/build.js'
import type { TokenDocument } from '../../../src/data/instances/document_shard.js'
import { readManifest } from '../../../src/data/instances/manifest.js'
import type { Instance } from '../../../src/data/instances/shard.js'
import { InstanceStream } from '../../../src/data/instances/stream.js'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { rejects } from '../../support/failure.js'
import { instancesOf, unmasked } from '../../support/instance_case.js'
import { random } from '../../support/random.js'
import { folderWith } from '../../support/temporary.js'
import { smallCorpus, smallPieces, smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('next sentence pairs')

/** Documents in which no token occurs twice: 5 + 1000 d + place, so a token tells where it comes from. */
function documents(seed: number, count: number, sentences: [number, number]): TokenDocument[] {
  const { integer } = random(seed)
  return Array.from({ length: count }, (_, d) => {
    const starts = [0]
    for (let n = integer(sentences[0], sentences[1] + 1); n > 0; n--)
      starts.push(starts[starts.length - 1] + integer(3, 13))
    const tokens = Uint16Array.from({ length: starts[starts.length - 1] }, (_, i) => 5 + 1000 * d + i)
    return { tokens, starts: Uint32Array.from(starts) }
  })
}

const all: typeof instancesOf = (docs, more = {}, pass = 0) =>
  instancesOf(docs, { pairs: 'nsp', ...more }, pass)

/** The two segments with the masks taken off. */
function segments(instance: Instance): [number[], number[]] {
  const { splitAt } = instance
  const clear = unmasked(instance)
  return [clear.slice(1, splitAt - 1), clear.slice(splitAt, -1)]
}

const origin = (id: number) => Math.floor((id - 5) / 1000)
const place = (id: number) => (id - 5) % 1000
const contiguous = (ids: number[]) => ids.every((id, i) => i === 0 || id === ids[i - 1] + 1)

test('label 0: B goes on where A ends, in the same document; label 1: B is of another one', () => {
  const docs = documents(1, 40, [2, 30])
  // room for all: nothing is cut
  all(docs, { maxLength: 64, shortProbability: 0 }).forEach((instances, d) => {
    for (const instance of instances) {
      const [a, b] = segments(instance)
      assert.ok(contiguous(a) && contiguous(b))
      assert.is(origin(a[0]), d)
      assert.is(instance.source, instance.sop === 1 ? 'random_document' : 'in_order')
      assert.is(instance.sop, origin(b[0]) === d ? 0 : 1)
      if (instance.sop === 0 && a.length + b.length < 61) assert.is(b[0], a[a.length - 1] + 1)
    }
  })
})

test('A and true continuations use every sentence once; what a random B replaced is gathered anew', () => {
  const docs = documents(2, 40, [1, 40])
  all(docs, { maxLength: 120, shortProbability: 0 }).forEach((instances, d) => {
    const { starts } = docs[d]
    let next = 0
    for (const instance of instances) {
      const [a, b] = segments(instance)
      const own = instance.sop === 0 ? [...a, ...b] : a
      // pairs that were cut to S - 3 lack pieces at their ends
      if (a.length + b.length < 117) {
        assert.is(place(own[0]), starts[next])
        assert.ok(contiguous(own))
      }
      const end = instance.sop === 0 ? b : a
      next = starts.findIndex((start) => start > place(end[end.length - 1]))
    }
    assert.is(next, starts.length - 1)
  })
})

test('half of the chunks of several sentences get a random B, all of those of one', () => {
  const docs = documents(3, 50, [10, 30])
  let random_ = 0
  let total = 0
  for (let pass = 0; pass < 20; pass++)
    for (const { sop } of all(docs, { shortProbability: 0 }, pass).flatMap((instances) =>
      instances.slice(0, 1),
    )) {
      total++
      random_ += sop
    }
  assert.ok(Math.abs(random_ - total / 2) < 2.5 * Math.sqrt(total), `${random_} of ${total}`)
  const single = documents(4, 30, [1, 1])
  for (const { sop, source } of all(single).flat()) assert.equal([sop, source], [1, 'random_document'])
})

test('a random B fills what A leaves of the target with whole sentences', () => {
  const docs = documents(5, 40, [12, 30])
  for (const instance of all(docs, { maxLength: 120, shortProbability: 0 }).flat()) {
    const [a, b] = segments(instance)
    if (instance.sop === 0 || a.length + b.length === 117) continue
    // shorter than the target: B reached the end of its document
    const { tokens } = docs[origin(b[0])]
    assert.is(place(b[b.length - 1]), tokens.length - 1)
  }
})

test('sentences of held-out documents are not taken, and passes differ', () => {
  const docs = documents(6, 40, [2, 6])
  const seen = new Set<number>()
  for (let pass = 0; pass < 30; pass++)
    for (const instance of all(docs, { isHeldOut: (d) => d % 4 === 0 }, pass).flat())
      if (instance.sop === 1) seen.add(origin(segments(instance)[1][0]))
  assert.ok([...seen].every((d) => d % 4 !== 0))
  assert.is(seen.size, 30)
  assert.equal(all(docs, {}, 3), all(docs, {}, 3))
  assert.not.equal(all(docs, {}, 3), all(docs, {}, 4))
})

const folder = folderWith({
  'v/tokenizer.json': smallTokenizerJson(),
  'c.txt': smallCorpus(60).replaceAll('cough', 'coughing'),
})
const options = {
  corpus: [join(folder, 'c.txt')],
  tokenizerDir: join(folder, 'v'),
  maxLength: 48,
  heldOut: 0,
}

for (const masking of ['static', 'dynamic'] as const)
  test(`${masking}: the folder says nsp, and masks cover words with all their ## pieces`, async () => {
    const out = join(folder, masking)
    await buildInstances({ ...options, out, masking, dupeFactor: 4, pairs: 'nsp' })
    assert.is(readManifest(out).pairs, 'nsp')
    const tokenizer = loadTokenizer(join(folder, 'v'))
    const stream = await InstanceStream.open(out, { seed: 3 })
    assert.is(stream.info.pairs, 'nsp')
    let continued = 0
    for (let n = 0; n < 200; n++) {
      const { ids, positions, labels, sop, source } = stream.next()
      assert.is(sop, source === 'in_order' ? 0 : 1)
      const clear = [...ids]
      const masked = new Set(positions)
      positions.forEach((position, i) => {
        clear[position] = labels[i]
      })
      clear.forEach((id, i) => {
        if (!smallPieces[id].startsWith('##') || !smallPieces[clear[i - 1]].match(/^(##)?\w+$/)) return
        assert.is(tokenizer.startsWord[id], 0)
        assert.is(
          masked.has(i),
          masked.has(i - 1),
          `piece ${i} of ${clear.map((p) => smallPieces[p]).join(' ')}`,
        )
        if (masked.has(i)) continued++
      })
    }
    assert.ok(continued > 50, `${continued}`)
    await stream.close()
  })

test('sop is what is made where nothing is said, and resplit is not for nsp', async () => {
  const out = join(folder, 'plain')
  await buildInstances({ ...options, out, dupeFactor: 1 })
  assert.is(readManifest(out).pairs, 'sop')
  await rejects(
    buildInstances({ ...options, out: join(folder, 'x'), pairs: 'nsp', singleSentence: 'resplit' }),
    /resplit.*nsp/,
  )
})

test.run()
