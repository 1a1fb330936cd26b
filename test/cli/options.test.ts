/** Shared options: what their parsers take, refuse and say. */
import { Command } from 'commander'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  addShared,
  integerWithin,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  probability,
  type SharedOptions,
  seed,
} from '../../src/cli/options.js'

const test = suite('options')

function refuses(parse: (text: string) => number, texts: string[], says: RegExp): void {
  for (const text of texts) {
    assert.throws(
      () => parse(text),
      (error: Error) => says.test(error.message),
      `${text} is taken`,
    )
  }
}

const notNumbers = ['', ' ', 'x', '1x', '0x10', '1,5', 'NaN', 'Infinity', '--', '1e', '.']

test('whole numbers', () => {
  assert.is(positiveInteger('12'), 12)
  assert.is(positiveInteger('1e3'), 1000)
  assert.is(nonNegativeInteger('0'), 0)
  refuses(positiveInteger, [...notNumbers, '0', '-1', '1.5', '1e300'], /whole number of 1 or more/)
  refuses(nonNegativeInteger, [...notNumbers, '-1', '0.5'], /whole number of 0 or more/)
  assert.is(integerWithin(2, 4)('4'), 4)
  refuses(integerWithin(2, 4), ['1', '5', '2.5'], /from 2 to 4/)
})

test('numbers', () => {
  assert.is(positiveNumber('1e-5'), 1e-5)
  assert.is(positiveNumber('.5'), 0.5)
  assert.is(nonNegativeNumber('0'), 0)
  refuses(positiveNumber, [...notNumbers, '0', '-1', '1e999'], /number above 0/)
  refuses(nonNegativeNumber, [...notNumbers, '-0.1'], /0 or more/)
})

test('probabilities and seeds', () => {
  assert.is(probability('0'), 0)
  assert.is(probability('1'), 1)
  refuses(probability, [...notNumbers, '1.01', '-0.01'], /from 0 to 1/)
  assert.is(seed('4294967295'), 2 ** 32 - 1)
  refuses(seed, [...notNumbers, '-1', '4294967296', '1.5'], /from 0 to 4294967295/)
})

test('shared options have defaults and end up in the action', async () => {
  let seen: SharedOptions | undefined
  const command = addShared(
    new Command('x'),
    'device',
    'precision',
    'threads',
    'seed',
    'steps',
    'json',
    'quiet',
  )
  command.action((options: SharedOptions) => {
    seen = options
  })
  await command.parseAsync(['--threads', '3', '--json'], { from: 'user' })
  assert.equal(seen, { device: 'cpu', precision: 'f32', seed: 42, threads: 3, json: true })
})

test('a device that does not exist is refused with the choices', () => {
  const command = addShared(new Command('x'), 'device')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
  assert.throws(() => command.parse(['--device', 'tpu'], { from: 'user' }), /cpu, webgpu, cuda/)
  assert.throws(() => command.parse(['--device', 'cuda:x'], { from: 'user' }), /cuda:1 for the second GPU/)
  assert.throws(() => command.parse(['--device', 'webgpu:1'], { from: 'user' }), /cpu, webgpu, cuda/)
  for (const name of ['cuda', 'cuda:3', 'cuda-emulated'])
    assert.is(command.parse(['--device', name], { from: 'user' }).opts().device, name)
  assert.not.match(command.helpInformation(), /emulated/)
})

test.run()
