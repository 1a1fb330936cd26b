/** bench/gpu.sh: its table, the cards that it knows, and what it says where there is no GPU. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { goalOf, gpuTable } from '../../bench/gpu/table.js'
import { cardOf, cardPeaks } from '../../bench/support/device.js'
import type { Race, Results } from '../../bench/support/record.js'
import { openCudaForTest } from '../support/cuda.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('bench/gpu.sh')

test('cards are known by the names that drivers give', () => {
  assert.is(cardOf('NVIDIA H100 80GB HBM3'), 'h100')
  assert.is(cardOf('NVIDIA H100 PCIe'), undefined)
  assert.is(cardOf('NVIDIA H200'), 'h200')
  assert.is(cardOf('NVIDIA A100-SXM4-80GB'), 'a100')
  assert.is(cardOf('NVIDIA A100-PCIE-40GB'), undefined)
  assert.is(cardOf('NVIDIA GeForce RTX 4090'), 'rtx4090')
  assert.is(cardOf('NVIDIA GeForce RTX 4090 D'), undefined)
  assert.is(cardOf('block emulator'), undefined)
  assert.is(Math.round(cardPeaks('h100').bf16! / 1e3), 989)
})

function results(...races: Partial<Race>[]): Results {
  const filled = races.map(
    (race): Race => ({
      name: '',
      precision: 'bf16',
      ours: { name: 'ours', seconds: 1e-3 },
      rounds: 3,
      ...race,
    }),
  )
  const peaks = { gflops: 60_000, bf16: 989_000, gigabytes: 3000 }
  return { command: '', facts: {}, peaks, date: '', entries: [], peers: [], races: filled, figures: [] }
}

test('the table says which goals are met', () => {
  const peer = { name: 'PyTorch graph-cudnn', seconds: 2e-3 }
  const bf16 = { products: 'bf16' as const, peer }
  const table = gpuTable(
    new Map([
      ['pretraining.h100', results({ name: 'base_64x512', ...bf16, flops: 420e9, ratio: 1.5 })],
      [
        'products.h100',
        results(
          { name: 'qkv_8192 forward', ...bf16, flops: 300e9, ratio: 0.8 },
          { name: 'ffn_8192 forward', products: 'bf16', flops: 300e9 },
        ),
      ],
      ['attention.h100', results({ name: 'attention_64x512', ...bf16, flops: 200e9, ratio: 1.3 })],
      [
        'streams.h100',
        results(
          // 3 TB/s, the peer's copy is faster
          {
            name: 'copy',
            bytes: 3e9,
            ours: { name: 'ours', seconds: 1.2e-3 },
            peer: { name: 'PyTorch copy', seconds: 1e-3 },
          },
          { name: 'layernorm forward', bytes: 2.7e9, flops: 1e9, peer, ratio: 2 },
          { name: 'lamb', bytes: 2.4e9, flops: 1e9, peer, ratio: 2 },
        ),
      ],
    ]),
  )
  const line = (name: string) => table.find((text) => text.startsWith(`${name} `)) ?? 'none'
  assert.match(line('base_64x512'), /1\.50 +42\.5% +1\.3 x, 40\.0% +met$/)
  assert.match(line('base_64x512'), /graph-cudnn +2\.00 ms/)
  assert.match(line('qkv_8192 forward'), /0\.80 +30\.3% +0\.9 x +MISSED$/)
  // without a peer nothing is known of a ratio
  assert.match(line('ffn_8192 forward'), /0\.9 x$/)
  // 200 TFLOP/s are not 215
  assert.match(line('attention_64x512'), /1\.2 x, 215 TFLOP\/s +MISSED$/)
  assert.match(line('layernorm forward'), /90\.0% of a copy +85\.0% of a copy +met$/)
  assert.match(line('lamb'), /80\.0% of a copy +85\.0% of a copy +MISSED$/)
})

test('every race of bench/gpu that has a peer has a goal', () => {
  for (const name of [
    'base_64x512',
    'base_256x128',
    'base_64x512_dropout',
    'ffn_output_32768 input gradient',
    'attention_output_65536 weight gradient',
    'attention_ner_32',
    'attention_256x128',
    'finetune_base_32',
  ])
    assert.ok(goalOf(name)?.ratio, name)
  for (const name of ['GELU gradient', 'dropout + add + layernorm backward', 'adamw'])
    assert.ok(goalOf(name)?.copy, name)
})

test('parts of the script are benches that are there', () => {
  const script = readFileSync(join(root, 'bench/gpu.sh'), 'utf8')
  const named = [...script.matchAll(/^.*\bpart (\w+) .* gpu\/(\w+)$/gm)].map(([, part, bench]) => [
    part,
    bench,
  ])
  const benches = readdirSync(join(root, 'bench/gpu'))
    .filter((file) => file.endsWith('.bench.ts'))
    .map((file) => file.replace('.bench.ts', ''))
  assert.equal(named.map(([, bench]) => bench).sort(), benches.sort())
  for (const [part, bench] of named) assert.is(part, bench)
})

function bash(...argv: string[]) {
  const out = temporaryFolder()
  // no PyTorch, whatever is installed
  const env = { ...process.env, OUT: out, BIOALBERT_PEER_PYTHON: '/nowhere/python' }
  return { ...spawnSync('bash', ['bench/gpu.sh', ...argv], { cwd: root, encoding: 'utf8', env }), out }
}

test('an option that is not known is refused', () => {
  const { status, stderr } = bash('--fast')
  assert.is(status, 2)
  assert.match(stderr, /found --fast, expected --quick, --emulated/)
})

if (spawnSync('nvidia-smi', ['-L']).status === 0) skip(test, 'no GPU', 'there is one')
else
  test('without a GPU it says so and ends', () => {
    const { status, stdout } = bash()
    assert.is(status, 1)
    assert.match(stdout, /cuda/)
  })

const emulator = await openCudaForTest()
if ('reason' in emulator) skip(test, 'the script over the emulator', emulator.reason)
else {
  await emulator.device.destroy()
  test('the script over the emulator writes results and its table', () => {
    const { status, stdout, out } = bash('--emulated', '--only', 'streams')
    assert.is(status, 0, stdout)
    assert.match(stdout, /^block emulator/)
    assert.match(stdout, /skipped: all of PyTorch/)
    assert.match(stdout, /emulated: times mean nothing/)
    const written = JSON.parse(readFileSync(join(out, 'streams.emulated.json'), 'utf8')) as Results
    const names = written.races.map(({ name }) => name)
    assert.ok(names.includes('copy') && names.includes('vocabulary + loss forward + backward'), names.join())
    for (const name of names) assert.ok(stdout.split('times mean nothing')[1].includes(`\n${name} `), name)
    assert.is(readFileSync(join(out, 'log.txt'), 'utf8'), stdout)
  })
}

test('the peers in Python are Python', () => {
  const folder = join(root, 'bench/peers')
  const files = readdirSync(folder).filter((file) => file.endsWith('.py'))
  const code = 'import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f, encoding="utf-8").read(), f)'
  const { status, stderr, error } = spawnSync(
    'python3',
    ['-c', code, ...files.map((file) => join(folder, file))],
    {
      encoding: 'utf8',
    },
  )
  if (error) skip(test, 'the peers in Python', 'no python3')
  else assert.is(status, 0, stderr)
})

test.run()
