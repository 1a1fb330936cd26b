/** Gzip and tar in front of the formats: members, broken archives, bombs, hostile names and sizes, mutated input. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LayerError, membersOf } from '../../../src/data/corpus/layers.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('layers')

const folder = temporaryFolder()
let files = 0
function file(content: string | Uint8Array, name = 'f'): string {
  const path = join(folder, `${files++}-${name}`)
  writeFileSync(path, content)
  return path
}

type Entry = { name: string; content?: string | Uint8Array; type?: 'file' | 'symlink' | 'directory' | 'link' }

async function tar(entries: Entry[]): Promise<Buffer> {
  const archive = pack()
  for (const { name, content = '', type = 'file' } of entries) {
    const body = Buffer.from(content)
    archive.entry({ name, type, size: type === 'file' ? body.length : 0, linkname: '/etc/passwd' }, body)
  }
  archive.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Members as `name: content`, defects as `byte: message`. */
async function read(path: string, leave = (_name: string) => false): Promise<string[]> {
  const seen: string[] = []
  let last: unknown
  const note = (error: unknown) => {
    if (!(error instanceof LayerError)) throw error
    if (error !== last) seen.push(`${error.byte}: ${error.message}`)
    last = error
  }
  try {
    for await (const member of membersOf(path)) {
      const name = member.inside ?? 'file'
      if (leave(name)) {
        seen.push(`${name} left`)
        continue
      }
      const chunks: Uint8Array[] = []
      try {
        for await (const chunk of member.bytes) chunks.push(Uint8Array.from(chunk))
      } catch (error) {
        note(error)
      }
      seen.push(`${name}: ${Buffer.concat(chunks)}`)
      assert.ok(Buffer.concat(chunks).subarray(0, 4096).subarray(0, member.head.length).equals(member.head))
    }
  } catch (error) {
    note(error)
  }
  return seen
}

const text = 'Some text of a file.\n'

test('plain files, gzip of one and of several members', async () => {
  assert.equal(await read(file(text)), [`file: ${text}`])
  assert.equal(await read(file('')), ['file: '])
  assert.equal(await read(file(gzipSync(text), 'a.txt')), [`file: ${text}`])
  const several = Buffer.concat([gzipSync(text), gzipSync(''), gzipSync('More.\n')])
  assert.equal(await read(file(several)), [`file: ${text}More.\n`])
  for await (const member of membersOf(file(several, 'x.xml.gz'))) assert.match(member.name, /x\.xml$/)
})

test('tar and tar.gz, with gzip inside, regular files only', async () => {
  const entries: Entry[] = [
    { name: 'a/', type: 'directory' },
    { name: 'a/one.txt', content: text },
    { name: 'a/link', type: 'symlink' },
    { name: 'a/hard', type: 'link' },
    { name: 'a/empty.txt' },
    { name: `${'long/'.repeat(40)}two.txt.gz`, content: gzipSync('Two.') },
    { name: 'big.txt', content: 'line\n'.repeat(100_000) },
  ]
  const expected = [
    `a/one.txt: ${text}`,
    'a/empty.txt: ',
    `${'long/'.repeat(40)}two.txt.gz: Two.`,
    `big.txt: ${'line\n'.repeat(100_000)}`,
  ]
  const archive = await tar(entries)
  assert.equal(await read(file(archive)), expected)
  assert.equal(await read(file(gzipSync(archive))), expected)
  assert.equal(await read(file(archive), (name) => name !== 'a/empty.txt'), [
    'a/one.txt left',
    'a/empty.txt: ',
    `${'long/'.repeat(40)}two.txt.gz left`,
    'big.txt left',
  ])
})

test('names in an archive are only names', async () => {
  const names = [
    '/etc/cron.d/x.txt',
    '../../up.txt',
    'a/../../b.txt',
    'c:\\x.txt',
    '-rf',
    `${'n'.repeat(5000)}.txt`,
  ]
  const inside = join(folder, 'empty')
  mkdirSync(inside)
  const path = file(await tar(names.map((name) => ({ name, content: text }))), 'hostile.tar')
  const before = readdirSync(folder)
  assert.equal(
    await read(path),
    names.map((name) => `${name}: ${text}`),
  )
  assert.equal(readdirSync(folder), before)
})

test('archives that break off give what was whole, and say where', async () => {
  const long = Array.from({ length: 5000 }, (_, i) => `line ${i * 7919}\n`).join('')
  const zipped = gzipSync(long)
  const [first, rest] = await read(file(zipped.subarray(0, zipped.length - 300)))
  assert.match(
    first,
    new RegExp(`^${zipped.length - 300}: found gzip data that breaks off, expected a whole gzip file$`),
  )
  assert.ok(rest.startsWith('file: line 0\n') && rest.length > 1000)

  const damaged = Buffer.from(zipped)
  damaged.fill(0xff, 2000, 2100)
  assert.match((await read(file(damaged)))[0], /found gzip data that cannot be read \(/)

  const archive = await tar([
    { name: 'one', content: text },
    { name: 'two', content: long },
  ])
  const [one, two] = await read(file(archive.subarray(0, 3000)))
  assert.is(one, `one: ${text}`)
  assert.match(two, /^\d+: found a tar archive that cannot be read .*, expected a whole tar archive$/)
})

test('a broken gzip file inside a tar leaves the next one readable', async () => {
  const entries = [
    { name: 'bad.gz', content: gzipSync(text).subarray(0, 20) },
    { name: 'worse.gz', content: Buffer.of(0x1f, 0x8b, 9, 9, 9) },
    { name: 'good.txt', content: text },
  ]
  const seen = await read(file(await tar(entries)))
  assert.equal(
    seen.filter((line) => !line.includes('found gzip data')),
    ['bad.gz: ', 'worse.gz: ', `good.txt: ${text}`],
  )
  assert.is(seen.length, 5)
})

test('absurd sizes in tar headers end with the file', async () => {
  for (const size of ['77777777777', '00000000000']) {
    const archive = await tar([
      { name: 'one', content: text },
      { name: 'two', content: text },
    ])
    archive.write(size, 124, 'latin1')
    let sum = 0
    archive.fill(' ', 148, 156)
    for (const byte of archive.subarray(0, 512)) sum += byte
    archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    const seen = await read(file(archive))
    assert.match(seen.join('\n'), size.startsWith('7') ? /Unexpected end of data/ : /^one: \n/)
  }
  // a header of 8 GiB for a long name
  const archive = await tar([{ name: 'one', content: text }])
  archive.write('77777777777', 124, 'latin1')
  archive.write('x', 156, 'latin1')
  archive.fill(' ', 148, 156)
  let sum = 0
  for (const byte of archive.subarray(0, 512)) sum += byte
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  assert.match((await read(file(archive))).join(), /Header exceeds max size/)
})

test('a gzip bomb is refused once it has grown past all text, in bounded memory', async () => {
  const path = join(folder, 'bomb.gz')
  // several members, as the compressed form of zeros is the same again and again
  const member = gzipSync(Buffer.alloc(64 << 20))
  assert.ok(member.length < (64 << 20) / 1000)
  writeFileSync(path, Buffer.concat(Array.from({ length: 12 }, () => member)))
  const before = process.resourceUsage().maxRSS
  let length = 0
  try {
    for await (const member of membersOf(path)) for await (const bytes of member.bytes) length += bytes.length
    assert.unreachable()
  } catch (error) {
    assert.instance(error, LayerError)
    assert.match((error as Error).message, /bomb\.gz to expand more than 300 times, expected compressed text/)
  }
  assert.ok(length >= 256 << 20 && length < 12 * (64 << 20), `${length}`)
  assert.ok(process.resourceUsage().maxRSS - before < 300 << 10)
})

test('text that repeats itself is no bomb', async () => {
  const repeated = text.repeat(100_000)
  const zipped = gzipSync(repeated)
  assert.ok(repeated.length > 300 * zipped.length)
  assert.equal(await read(file(zipped)), [`file: ${repeated}`])
})

test('mutated input', async () => {
  const archive = await tar([
    { name: 'one.txt', content: text },
    { name: `${'n'.repeat(120)}.gz`, content: gzipSync(text) },
    { name: 'link', type: 'symlink' },
  ])
  const path = join(folder, 'mutated')
  await fuzz({
    seeds: [archive, gzipSync(archive), gzipSync(text), Buffer.concat([gzipSync(text), gzipSync(text)])],
    dictionary: [
      'ustar\0',
      Buffer.of(0x1f, 0x8b, 8),
      Buffer.alloc(512),
      '77777777777',
      Buffer.alloc(12, 0xff),
    ],
    count: fuzzCount(1000),
    async run(bytes) {
      writeFileSync(path, bytes)
      await read(path)
    },
  })
})

test.run()
