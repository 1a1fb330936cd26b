/** Folders of instances and the stream over them: same bits for any number of workers, exact resume, damage named. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BuildOptions, buildInstances } from '../../../src/data/instances/build.js'
import { type Instance, InstanceStream } from '../../../src/data/instances/stream.js'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { UserError } from '../../../src/error.js'
import { corpusText, madeUpDocuments, smallUnigram } from '../../support/small_vocabulary.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('instance stream')

const vocabulary = smallUnigram()
const tokenizer = loadTokenizer(vocabulary)
const folder = temporaryFolder()
const documents = madeUpDocuments(1, 300)
const corpus = join(folder, 'corpus.txt')
writeFileSync(corpus, corpusText(documents))

let built = 0
async function build(more: Partial<BuildOptions> = {}): Promise<string> {
  const out = join(folder, `i${built++}`)
  await buildInstances({
    corpus: [corpus],
    tokenizerDir: vocabulary,
    out,
    maxLength: 64,
    dupeFactor: 2,
    seed: 7,
    heldOut: 0.1,
    blockBytes: 8000,
    ...more,
  })
  return out
}

const key = ({ ids, splitAt, positions, labels, sop, source }: Instance): string =>
  [ids.join(), splitAt, positions.join(), labels.join(), sop, source].join('|')

function take(stream: InstanceStream, count: number): string[] {
  return Array.from({ length: count }, () => key(stream.next()))
}

/** The pieces of an instance in the order of the text, masks taken off. */
function clear({ ids, positions, labels }: Instance): number[] {
  const all = [...ids]
  positions.forEach((position, i) => {
    all[position] = labels[i]
  })
  return all
}

test('the same bytes come from one worker, two and three', async () => {
  const [one, two, three] = [await build(), await build({ workers: 2 }), await build({ workers: 3 })]
  const names = readdirSync(one).sort()
  assert.ok(names.length > 20)
  for (const other of [two, three]) {
    assert.equal(readdirSync(other).sort(), names)
    for (const name of names) {
      assert.ok(readFileSync(join(one, name)).equals(readFileSync(join(other, name))), name)
    }
  }
})

test('another seed gives other instances', async () => {
  const [one, other] = [await build(), await build({ seed: 8 })]
  const name = readdirSync(one).find((file) => file.startsWith('train-')) as string
  assert.not.ok(readFileSync(join(one, name)).equals(readFileSync(join(other, name))))
})

test('a pass gives every instance once, the next pass in another order', async () => {
  const stream = await InstanceStream.open(await build(), { seed: 1 })
  const { instances } = stream.info
  const first = take(stream, instances)
  const second = take(stream, instances)
  assert.equal([...first].sort(), [...second].sort())
  assert.not.equal(first, second)
  await stream.close()
})

test('a stream is a function of its seed', async () => {
  const dir = await build()
  const [a, b, c] = await Promise.all([1, 1, 2].map((seed) => InstanceStream.open(dir, { seed })))
  const first = take(a, 50)
  assert.equal(take(b, 50), first)
  assert.not.equal(take(c, 50), first)
})

for (const masking of ['static', 'dynamic'] as const) {
  test(`a stream goes on exactly where its cursor stands (${masking})`, async () => {
    const dir = await build({ masking })
    const stream = await InstanceStream.open(dir, { seed: 3 })
    const { instances } = stream.info
    for (const at of [0, 1, 37, Math.floor(1.5 * instances)]) {
      const whole = await InstanceStream.open(dir, { seed: 3 })
      take(whole, at)
      const cursor = JSON.parse(JSON.stringify(whole.state()))
      const resumed = await InstanceStream.open(dir, { seed: 3 })
      resumed.restore(cursor)
      assert.equal(take(resumed, instances), take(whole, instances))
      assert.equal(resumed.state(), whole.state())
      await Promise.all([whole.close(), resumed.close()])
    }
  })
}

test('dynamic masking draws what static masking writes: a pass is a copy', async () => {
  const fixed = await InstanceStream.open(await build({ dupeFactor: 2 }), { seed: 99 })
  const drawn = await InstanceStream.open(await build({ masking: 'dynamic' }), { seed: 7 })
  const copies = take(fixed, fixed.info.instances).sort()
  const passes: string[] = []
  while (drawn.state().pass < 2) passes.push(key(drawn.next()))
  // The last one drawn belongs to the third pass.
  passes.pop()
  assert.equal(passes.sort(), copies)
})

test('held-out documents are kept out of training, and the rest is all trained on', async () => {
  const pieces = documents.map((lines) => lines.flatMap((line) => [...tokenizer.encode(line)]).join())
  for (const masking of ['static', 'dynamic'] as const) {
    const dir = await build({ masking, maxLength: 4096, shortProbability: 0, singleSentence: 'resplit' })
    const found = { train: new Set<number>(), heldout: new Set<number>() }
    for (const split of ['train', 'heldout'] as const) {
      const stream = await InstanceStream.open(dir, { seed: 1, split })
      for (let i = 0; i < stream.info.instances; i++) {
        const instance = stream.next()
        const all = clear(instance)
        const [a, b] = [all.slice(1, instance.splitAt - 1), all.slice(instance.splitAt, -1)]
        const text = (instance.sop === 0 ? [...a, ...b] : [...b, ...a]).join()
        const index = pieces.indexOf(text)
        assert.ok(index >= 0)
        found[split].add(index)
      }
      assert.is(found[split].size, stream.info.documents)
    }
    assert.ok(found.heldout.size >= 10)
    assert.ok([...found.heldout].every((index) => !found.train.has(index)))
    assert.is(found.train.size + found.heldout.size, documents.length)
  }
})

test('a small share holds out one document at least', async () => {
  const stream = await InstanceStream.open(await build({ heldOut: 1e-9 }), { seed: 1, split: 'heldout' })
  assert.is(stream.info.documents, 1)
})

test('the held-out split keeps its order in every pass and for every seed', async () => {
  const dir = await build()
  const [a, b] = await Promise.all([1, 2].map((seed) => InstanceStream.open(dir, { seed, split: 'heldout' })))
  const first = take(a, a.info.instances)
  assert.equal(take(a, a.info.instances), first)
  assert.equal(take(b, b.info.instances), first)
})

test('counts are those of the instances', async () => {
  for (const singleSentence of ['random_document', 'resplit'] as const) {
    const stream = await InstanceStream.open(await build({ singleSentence }), { seed: 1 })
    const counts = {
      tokens: 0,
      predictions: 0,
      sources: { in_order: 0, swapped: 0, random_document: 0, resplit: 0 },
    }
    for (let i = 0; i < stream.info.instances; i++) {
      const { ids, positions, source } = stream.next()
      counts.tokens += ids.length
      counts.predictions += positions.length
      counts.sources[source]++
    }
    assert.is(counts.tokens, stream.info.tokens)
    assert.is(counts.predictions, stream.info.predictions)
    assert.equal(counts.sources, stream.info.sopLabelSources)
    assert.ok(counts.sources[singleSentence] > 0)
  }
})

test('a block border never divides a document: block size does not change the instances', async () => {
  const sorted = async (blockBytes: number): Promise<string[]> => {
    const stream = await InstanceStream.open(await build({ blockBytes, heldOut: 0 }), { seed: 1 })
    return take(stream, stream.info.instances).sort()
  }
  assert.equal(await sorted(1), await sorted(1 << 20))
})

test('blank lines of blanks and carriage returns separate documents too', async () => {
  const plain = join(folder, 'plain.txt')
  const windows = join(folder, 'windows.txt')
  writeFileSync(
    plain,
    'in the study\nof patients\n\nafter treatment\nwith cells\n\nnephritis was\nin group\n',
  )
  writeFileSync(
    windows,
    '\r\nin the study\r\nof patients\r\n \t\r\n\r\nafter treatment\r\nwith cells\r\n\r\nnephritis was\r\nin group',
  )
  const instances = async (file: string): Promise<string[]> => {
    const stream = await InstanceStream.open(await build({ corpus: [file], heldOut: 0 }), { seed: 1 })
    return take(stream, stream.info.instances).sort()
  }
  assert.equal(await instances(windows), await instances(plain))
})

async function refused(work: () => Promise<unknown>, ...says: (string | RegExp)[]): Promise<void> {
  try {
    await work()
  } catch (error) {
    assert.instance(error, UserError)
    for (const part of says) assert.match((error as Error).message, part)
    return
  }
  assert.unreachable('nothing was refused')
}

/** A copy of a folder in which one file is changed. */
function damaged(
  dir: string,
  pattern: RegExp,
  change: (bytes: Buffer) => Buffer,
): { copy: string; path: string } {
  const copy = join(folder, `d${built++}`)
  mkdirSync(copy)
  const name = readdirSync(dir).find((file) => pattern.test(file)) as string
  for (const file of readdirSync(dir)) copyFileSync(join(dir, file), join(copy, file))
  const path = join(copy, name)
  writeFileSync(path, change(readFileSync(path)))
  return { copy, path }
}

test('a damaged shard is refused with file and byte', async () => {
  for (const masking of ['static', 'dynamic'] as const) {
    const dir = await build({ masking, blockBytes: 1 << 20 })
    const pattern = masking === 'static' ? /^train-000/ : /^documents/
    const cases: [(bytes: Buffer) => Buffer, RegExp][] = [
      [(bytes) => bytes.subarray(0, bytes.length - 100), /end of the file at byte \d+, expected \d+ bytes/],
      [(bytes) => bytes.subarray(0, 20), /end of the file at byte 20/],
      [(bytes) => bytes.subarray(0, 0), /end of the file at byte 0/],
      [(bytes) => Buffer.concat([bytes, Buffer.alloc(3)]), /end of the file at byte/],
      [(bytes) => Buffer.from(bytes.map((byte, i) => (i === 1000 ? byte ^ 4 : byte))), /checksum/],
      [(bytes) => Buffer.concat([Buffer.from('PK\x03\x04zip!'), bytes.subarray(8)]), /at byte 0/],
      [(bytes) => Buffer.from(bytes.map((byte, i) => (i === 8 ? 9 : byte))), /version 9 at byte 8/],
      [(bytes) => Buffer.from(bytes.map((byte, i) => (i === 41 ? byte ^ 1 : byte))), /tokenizer/],
    ]
    for (const [change, says] of cases) {
      const { copy, path } = damaged(dir, pattern, change)
      await refused(
        async () => {
          const stream = await InstanceStream.open(copy, { seed: 1 })
          take(stream, stream.info.instances)
        },
        path,
        says,
      )
    }
  }
})

test('a folder that is none, a broken description and a foreign tokenizer are refused', async () => {
  const dir = await build()
  await refused(() => InstanceStream.open(folder, { seed: 1 }), 'instances.json')
  const torn = damaged(dir, /^instances\.json$/, (bytes) => bytes.subarray(0, 100))
  await refused(() => InstanceStream.open(torn.copy, { seed: 1 }), torn.path, /JSON/)
  const other = damaged(dir, /^instances\.json$/, () => Buffer.from('{"format":"something"}'))
  await refused(() => InstanceStream.open(other.copy, { seed: 1 }), other.path)
  await refused(() => InstanceStream.open(dir, { seed: 1, tokenizerDigest: 'f'.repeat(64) }), /tokenizer/)
  const stream = await InstanceStream.open(dir, { seed: 1, tokenizerDigest: tokenizer.digest })
  assert.throws(() => stream.restore({ ...stream.state(), seed: 2 }), /seed/)
})

test('nothing is left behind when the work fails', async () => {
  const bad = join(folder, 'bad.txt')
  const text = Buffer.from(corpusText(documents))
  const line = 1 + text.subarray(0, text.indexOf('itis', 30_000)).filter((byte) => byte === 10).length
  text[text.indexOf('itis', 30_000)] = 0xff
  writeFileSync(bad, text)
  for (const workers of [1, 2]) {
    const out = join(folder, `never${workers}`)
    await refused(() => build({ corpus: [bad], out, workers }), `${bad}:${line}`, /UTF-8/)
    assert.not.ok(existsSync(out))
  }
  assert.not.ok(readdirSync(folder).some((name) => name.includes('partial')))
})

test('an output folder with something in it is never touched', async () => {
  const out = join(folder, 'mine')
  mkdirSync(out)
  writeFileSync(join(out, 'thesis.txt'), 'precious')
  await refused(() => build({ out }), out)
  assert.equal(readdirSync(out), ['thesis.txt'])
})

test.run()
