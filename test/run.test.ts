/** The test runner judged from outside: small test files of every kind of bad end, run in a folder of their own. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from './support/paths.js'
import { folderWith } from './support/temporary.js'

const test = suite('test runner')
const uvu = `import { suite } from '${root}/node_modules/uvu/dist/index.mjs'\nconst test = suite('inner')\n`

function runner(files: Record<string, string>, ...argv: string[]) {
  const folder = folderWith({ 'package.json': '{"type":"module"}', ...files })
  const result = spawnSync(process.execPath, [`${root}/dist/test/run.js`, '--built', folder, ...argv], {
    encoding: 'utf8',
  })
  return { status: result.status, out: result.stdout, last: result.stdout.trimEnd().split('\n').at(-1) }
}

test('counts passed tests over files', () => {
  const file = `${uvu}test('a', () => {})\ntest('b', async () => {})\ntest.run()`
  const { status, last } = runner({ 'a.test.js': file, 'deep/b.test.js': file, 'c.js': 'throw 1' })
  assert.is(last, '4 passed, 0 failed, 0 skipped')
  assert.is(status, 0)
})

test('counts failed tests and shows their messages and output', () => {
  const file = `${uvu}test('a', () => { console.log('seen'); throw new Error('broken') })\ntest.run()`
  const { status, out, last } = runner({ 'a.test.js': file })
  assert.is(last, '0 passed, 1 failed, 0 skipped')
  assert.match(out, /broken/)
  assert.match(out, /seen/)
  assert.is(status, 1)
})

test('a file that forgets .run() fails', () => {
  const { status, out, last } = runner({ 'a.test.js': `${uvu}test('a', () => {})` })
  assert.match(out, /ran no test/)
  assert.is(last, '0 passed, 1 failed, 0 skipped')
  assert.is(status, 1)
})

test('a file that throws while loading fails', () => {
  const { out, last } = runner({ 'a.test.js': `throw new Error('at load')` })
  assert.match(out, /at load/)
  assert.is(last, '0 passed, 1 failed, 0 skipped')
})

test('a crash, an early exit and a bad end each fail their file', () => {
  const { out, last } = runner({
    'crash.test.js': `${uvu}test('a', () => process.kill(process.pid, 'SIGSEGV'))\ntest.run()`,
    'early.test.js': `${uvu}test('a', () => process.exit(0))\ntest.run()`,
    'late.test.js': `${uvu}test('a', () => { process.on('exit', () => { process.exitCode = 3 }) })\ntest.run()`,
  })
  assert.match(out, /killed by SIGSEGV/)
  assert.match(out, /ended before its tests did \(exit status 0\)/)
  assert.match(out, /ended badly after its tests \(exit status 3\)/)
  assert.is(last, '1 passed, 3 failed, 0 skipped')
})

test('a test that never ends is stopped at the timeout, and a process that never exits soon after', () => {
  const { out, last } = runner(
    {
      'hang.test.js': `${uvu}test('a', () => new Promise(() => setInterval(() => {}, 1000)))\ntest.run()`,
      'stay.test.js': `${uvu}test('a', () => { setInterval(() => {}, 1000) })\ntest.run()`,
    },
    '--timeout',
    '2',
    '--grace',
    '1',
  )
  assert.match(out, /took more than 2 s/)
  assert.match(out, /did not exit within 1 s/)
  assert.is(last, '1 passed, 2 failed, 0 skipped')
})

test('a hook that throws fails the tests it kept from running', () => {
  const { last } = runner({
    'a.test.js': `${uvu}test.before(() => { throw new Error('no') })\ntest('a', () => {})\ntest.run()`,
  })
  assert.is(last, '0 passed, 1 failed, 0 skipped')
})

test('skips are counted and their reasons printed', () => {
  const { status, out, last } = runner({
    'a.test.js':
      `${uvu}import { skip } from '${root}/dist/test/support/skip.js'\n` +
      `skip(test, 'needs gold', 'no gold here')\ntest('a', () => {})\ntest.run()`,
  })
  assert.match(out, /skipped: a\.test\.js: needs gold \(no gold here\)/)
  assert.is(last, '1 passed, 0 failed, 1 skipped')
  assert.is(status, 0)
})

test('--by-set tells what was found on each instruction set, and what on none', () => {
  const { out, last } = runner(
    {
      'a.test.js':
        `${uvu}import { onSet } from '${root}/dist/test/support/tally.js'\n` +
        `test('a', onSet('wide', () => {}))\ntest('b', onSet('wide', () => { throw new Error('no') }))\n` +
        `test('c', onSet('narrow', async () => {}))\ntest('d', () => {})\ntest.run()`,
    },
    '--by-set',
  )
  const lines = out.replace(/, [\d.]+ s$/gm, '').split('\n')
  const after = (set: string) => lines.slice(lines.findIndex((line) => line.startsWith(set)) + 1)
  for (const [set, counts] of [
    ['wide', '1 passed, 1 failed'],
    ['narrow', '1 passed, 0 failed'],
    ['once', '1 passed, 0 failed'],
  ])
    assert.equal(after(set).slice(0, 2), [`  a.test.js: ${counts}`, `  all: ${counts}`], set)
  assert.is(last, '3 passed, 1 failed, 0 skipped')
})

test('a filter selects by part of the path, and one that matches nothing fails', () => {
  const file = `${uvu}test('a', () => {})\ntest.run()`
  assert.is(runner({ 'a.test.js': file, 'b.test.js': file }, '/a.').last, '1 passed, 0 failed, 0 skipped')
  assert.is(runner({ 'a.test.js': file }, 'zebra').status, 1)
})

test.run()
