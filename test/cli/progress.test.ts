/** Progress off and on a terminal, under a clock of the test's own; and the printing of tables and quantities. */
import { Writable } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bytes, duration, table } from '../../src/cli/output.js'
import { compilingBar, type Progress, progress, showCompiling } from '../../src/cli/progress.js'

const test = suite('progress and output')

function sink(isTTY = false) {
  let text = ''
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk
      done()
    },
  }) as Writable & { isTTY?: boolean; columns?: number }
  if (isTTY)
    Object.assign(stream, { isTTY: true, columns: 200, cursorTo() {}, clearLine() {}, moveCursor() {} })
  return { stream, text: () => text }
}

test('off a terminal it prints a plain line every few seconds, with rate and time left', () => {
  let clock = 0
  const { stream, text } = sink()
  const bar = progress({ total: 100, label: 'train', unit: 'steps', stream, every: 5000, now: () => clock })
  for (let step = 1; step <= 100; step++) {
    clock += 250
    bar.update(step, `loss ${step}`)
  }
  bar.stop()
  const lines = text().trimEnd().split('\n')
  assert.is(lines.length, 5)
  assert.is(lines[0], 'train:  20/100 steps (20%)  4.00 steps/s  20 s left  loss 20')
  assert.is(lines.at(-1), 'train:  100/100 steps (100%)  4.00 steps/s  loss 100')
  assert.not.ok(text().includes('\u001b') || text().includes('\r'))
})

test('work done before a resume counts as done, not towards the rate', () => {
  let clock = 0
  const { stream, text } = sink()
  const bar = progress({ total: 1000, label: 'x', done: 900, stream, every: 1000, now: () => clock })
  clock = 1000
  bar.update(910)
  assert.match(text(), /910\/1,000 items \(91%\) {2}10\.0 items\/s {2}9\.0 s left/)
})

test('kernels that are compiled are shown on a bar that is there, until all are', () => {
  let clock = 0
  let bar: Progress | undefined
  const { stream, text } = sink()
  const compiling = showCompiling(() => bar)
  compiling(0, 3)
  bar = progress({ total: 10, label: 'pretrain', unit: 'steps', stream, every: 1000, now: () => clock })
  for (const [done, total] of [
    [12, 57],
    [57, 57],
  ]) {
    clock += 1000
    compiling(done, total)
  }
  assert.is(text(), 'pretrain:  0/10 steps (0%)  compiling kernels 12 of 57\npretrain:  0/10 steps (0%)\n')
  clock += 1000
  bar.update(2)
  assert.match(text(), /2\/10 steps \(20%\) {2}2\.00 steps\/s {2}4\.0 s left/, 'compiling counts for no rate')
  bar.stop()
})

test('kernels have a bar of their own where there is no other, one for each lot', () => {
  let clock = 0
  const { stream, text } = sink()
  const compiling = compilingBar({ stream, every: 1000, now: () => clock })
  for (const [done, total] of [
    [0, 10],
    [5, 20],
    [20, 20],
    [0, 4],
    [4, 4],
  ]) {
    compiling(done, total)
    clock += 1000
  }
  assert.is(
    text(),
    'compile:  5/20 kernels (25%)  5.00 kernels/s  3.0 s left\ncompile:  20/20 kernels (100%)  10.0 kernels/s\n' +
      'compile:  4/4 kernels (100%)  4.00 kernels/s\n',
  )
})

test('an unknown total shows the count and the rate alone', () => {
  let clock = 0
  const { stream, text } = sink()
  const bar = progress({ label: 'read', unit: 'lines', stream, every: 1000, now: () => clock })
  clock = 2000
  bar.increment(500)
  assert.is(text(), 'read:  500 lines  250 lines/s\n')
})

test('quiet prints nothing, and short work prints nothing either', () => {
  const { stream, text } = sink()
  const quiet = progress({ total: 2, label: 'x', quiet: true, stream })
  quiet.update(1)
  quiet.line('note')
  quiet.stop()
  const short = progress({ total: 2, label: 'x', stream })
  short.update(2)
  short.stop()
  assert.is(text(), '')
})

test('on a terminal it draws a bar and keeps other lines apart', () => {
  let clock = 0
  const { stream, text } = sink(true)
  const bar = progress({ total: 4, label: 'train', unit: 'steps', stream, now: () => clock })
  clock = 1000
  bar.update(2, 'loss 3')
  bar.line('saved')
  bar.stop()
  assert.match(text(), /train \[=+ +\] {2}2\/4 steps \(50%\)/)
  assert.match(text(), /saved\n/)
  assert.ok(process.listenerCount('SIGINT') === 0)
})

test('tables align text left and numbers right', () => {
  const text = table(
    ['name', 'f1'],
    [
      ['a', '9.5'],
      ['long name', 100],
    ],
  )
  assert.is(text, ['name        f1', '---------  ---', 'a          9.5', 'long name  100'].join('\n'))
})

test('quantities are printed for people', () => {
  assert.equal([0, 1023, 1536, 3 * 2 ** 30].map(bytes), ['0 B', '1023 B', '1.50 KiB', '3.00 GiB'])
  assert.equal([0.44, 12.2, 59.7, 200, 3661, 7500, Number.POSITIVE_INFINITY].map(duration), [
    '0.4 s',
    '12 s',
    '1 min 00 s',
    '3 min 20 s',
    '1 h 01 min',
    '2 h 05 min',
    '?',
  ])
})

test.run()
