/** The command line of benches. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { benchArguments, isWanted } from '../../bench/support/arguments.js'
import { root } from '../support/paths.js'

const test = suite('arguments of benches')

test('filters, peers and a label', () => {
  assert.equal(benchArguments([]), {
    command: 'run',
    filters: [],
    peers: false,
    precisions: undefined,
    only: undefined,
    label: undefined,
    device: 'cpu',
    file: undefined,
  })
  const { filters, peers, only, label } = benchArguments([
    'steps',
    '--peers',
    'ops/linear',
    '--case',
    '8x128',
    '--label',
    'amx-2',
  ])
  assert.equal(
    { filters, peers, only, label },
    { filters: ['steps', 'ops/linear'], peers: true, only: '8x128', label: 'amx-2' },
  )
})

test('devices', () => {
  assert.is(benchArguments(['--device', 'cuda:1']).device, 'cuda:1')
  assert.throws(() => benchArguments(['--device', 'gpu']), /--device: found 'gpu', expected cpu/)
})

test('report stands alone', () => {
  assert.is(benchArguments(['report']).command, 'report')
  assert.throws(() => benchArguments(['report', 'steps']), /report stands alone/)
  assert.throws(() => benchArguments(['report', '--peers']), /report stands alone/)
})

test('precisions', () => {
  assert.equal(benchArguments(['--precision', 'f32,int8']).precisions, ['f32', 'int8'])
  assert.throws(
    () => benchArguments(['--precision', 'f16']),
    /--precision: found 'f16', expected some of f32,bf16,int8/,
  )
})

test('benches run on the devices that their shapes are for', () => {
  const runs = (file: string, device: string, ...filters: string[]) => isWanted(file, filters, device)
  assert.ok(runs('ops/linear.bench.ts', 'cpu') && runs('ops/linear.bench.ts', 'cpu', 'ops'))
  assert.not.ok(runs('ops/linear.bench.ts', 'cpu', 'steps'))
  assert.ok(runs('gpu/products.bench.ts', 'cuda:1') && !runs('gpu/products.bench.ts', 'webgpu'))
  const ours = 'webgpu/webgpu_ops.bench.ts'
  assert.ok(runs(ours, 'webgpu', 'ops') && !runs(ours, 'cpu', 'ops'))
  assert.ok(
    !runs('ops/linear.bench.ts', 'webgpu', 'ops') && runs('ops/linear.bench.ts', 'webgpu', 'ops/linear'),
  )
})

test('refuses what it does not know', () => {
  assert.throws(() => benchArguments(['--peer']), /--peer/)
  assert.throws(() => benchArguments(['--label', '../x']), /--label: found '..\/x', expected letters/)
})

test('the runner exits with 2 and a message, without a stack', () => {
  const run = spawnSync(process.execPath, [`${root}/dist/bench/run.js`, '--peer'], { encoding: 'utf8' })
  assert.is(run.status, 2)
  assert.match(run.stderr, /--peer/)
  assert.not.match(run.stderr, /\n\s+at /)
})

test.run()
