/** The fuzzer finds what it is for: crashes, slow cases and growth, in cases that it can make again; and it stops a case that never ends. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UserError } from '../../src/error.js'
import { type FuzzOptions, fuzz, fuzzInput } from './fuzz.js'

const test = suite('fuzz')
const seeds = ['{"a": [1, 2, 3]}', 'plain text of a few words\n']
const dictionary = ['<![CDATA[', '\u0000']

async function failure(options: Partial<FuzzOptions>): Promise<string> {
  try {
    await fuzz({ seeds, dictionary, count: 200, run: () => {}, ...options })
  } catch (error) {
    return (error as Error).message
  }
  return 'no failure'
}

test('a case is the same every time, and cases differ', () => {
  const inputs = Array.from({ length: 300 }, (_, k) =>
    Buffer.from(fuzzInput({ seeds, dictionary }, k)).toString('hex'),
  )
  for (const k of [0, 17, 299])
    assert.is(Buffer.from(fuzzInput({ seeds, dictionary }, k)).toString('hex'), inputs[k])
  assert.ok(new Set(inputs).size > 250, `${new Set(inputs).size} different of 300`)
  assert.ok(inputs.some((hex) => hex.includes(Buffer.from(dictionary[0]).toString('hex'))))
})

test('seeds are left as they are, and what runs gets a copy', async () => {
  const seed = Buffer.from('0123456789')
  await fuzz({ seeds: [seed], count: 300, run: (bytes) => void bytes.fill(0) })
  assert.is(seed.toString(), '0123456789')
  const unchanged: number[] = []
  await fuzz({
    seeds: ['0123456789'],
    count: 300,
    run: (bytes, k) => {
      if (Buffer.from(bytes).includes('012345')) unchanged.push(k)
    },
  })
  assert.ok(
    unchanged.some((k) => k > 200),
    `${unchanged}`,
  )
})

test('refusals are counted, other errors name their case and its bytes', async () => {
  const refusing = (bytes: Uint8Array): void => {
    if (bytes.length % 2) throw new UserError('odd')
  }
  const { cases, refused } = await fuzz({ seeds, count: 200, run: refusing })
  assert.is(cases, 200)
  assert.ok(refused > 20 && refused < 180, `${refused} refused`)
  const crashing = (_: Uint8Array, k: number): void => {
    if (k === 123) throw new TypeError('x is not a function')
  }
  assert.match(
    await failure({ run: crashing }),
    /case 123 \(BIOALBERT_FUZZ_CASE=123 replays it\) of \d+ bytes ".*x is not a function/s,
  )
  assert.match(await failure({ run: async () => Promise.reject(new Error('later')) }), /case 0 .*later/s)
})

test('slow cases and growth fail, and so does a promise that is never kept', async () => {
  const kept: Uint8Array[] = []
  const growing = (): void => void kept.push(new Uint8Array(1 << 22).fill(1))
  assert.match(await failure({ run: growing, limits: { growth: 2 ** 26 } }), /grew by \d+ bytes/)
  const until = (milliseconds: number): void => {
    for (const start = performance.now(); performance.now() - start < milliseconds; );
  }
  assert.match(await failure({ run: () => until(60), limits: { milliseconds: 50 } }), /case 0 .*took \d+ ms/s)
  assert.match(
    await failure({ run: () => new Promise(() => {}), limits: { milliseconds: 50 } }),
    /case 0 .*not done after 50 ms/s,
  )
})

test('a case that never ends is named and stopped', () => {
  const program = `
    import { fuzz } from ${JSON.stringify(new URL('./fuzz.js', import.meta.url).href)}
    await fuzz({ seeds: ['x'], count: 9, limits: { milliseconds: 100 }, run: (_, k) => { for (; k === 3; ); } })
  `
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGTERM',
  })
  assert.is(signal, 'SIGKILL')
  assert.match(stderr, /case 3 does not end/)
})

test.run()
