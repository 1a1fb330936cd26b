/** Peers that are not installed are named and counted; those that are are held to our threads and instruction set. */
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { withPeer } from '../../bench/support/finetune_peer.js'
import { lastError, startPeer } from '../../bench/support/peer.js'
import {
  isaLimits,
  isaNote,
  type PeerSpec,
  peerCommand,
  skippedText,
  threads,
} from '../../bench/support/peers.js'
import { UserError } from '../../src/error.js'
import { root } from '../support/paths.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('peers of benches')
const spec: PeerSpec = {
  name: 'p',
  precision: 'f32',
  script: 'ops.py',
  options: { op: 'linear', repeat: 3, compile: true, absent: false },
}

function withEnvironment<T>(set: Record<string, string | undefined>, task: () => T): T {
  const before = { ...process.env }
  for (const [name, value] of Object.entries(set))
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  try {
    return task()
  } finally {
    process.env = before
  }
}

test('a peer that is not installed says how to install it', () => {
  const python = withEnvironment({ BIOALBERT_PEER_PYTHON: '/nowhere/python' }, () => peerCommand(spec))
  assert.match(
    (python as { missing: string }).missing,
    /not installed: pip install -r bench\/peers\/requirements.txt/,
  )
  const node = peerCommand({ ...spec, script: 'x.mjs', npm: 'no-such-package' })
  assert.match((node as { missing: string }).missing, /not installed: npm --prefix bench\/peers ci/)
})

test('an interpreter without PyTorch says what to install, another fault is passed on', async () => {
  const python = join(temporaryFolder(), 'python')
  const failing = (error: string) => {
    writeFileSync(python, `#!/bin/sh\necho "${error}" >&2\nexit 1\n`, { mode: 0o755 })
    return withEnvironment({ BIOALBERT_PEER_PYTHON: python }, () =>
      withPeer({ folder: 'run' }, (peer) => peer.ready).catch((thrown: Error) => thrown),
    )
  }
  const absent = await failing("ModuleNotFoundError: No module named 'torch'")
  assert.instance(absent, UserError)
  assert.match(
    (absent as Error).message,
    /No module named 'torch' \(pip install -r bench\/peers\/requirements.txt/,
  )
  const other = await failing('ValueError: 3')
  assert.is((other as Error).message, 'ValueError: 3')
  assert.not.instance(other, UserError)
})

test('a peer gets its options, our threads and our instruction set', () => {
  const found = withEnvironment({ BIOALBERT_PEER_PYTHON: process.execPath, BIOALBERT_ISA: 'avx2' }, () =>
    peerCommand(spec),
  )
  if ('missing' in found) throw new Error(found.missing)
  assert.is(found.command, process.execPath)
  assert.match(found.argv[0], /bench\/peers\/ops\.py$/)
  assert.equal(found.argv.slice(1), [
    '--op',
    'linear',
    '--repeat',
    '3',
    '--compile',
    '--threads',
    `${threads}`,
  ])
  assert.is(found.env.ATEN_CPU_CAPABILITY, 'avx2')
  assert.is(found.env.ONEDNN_MAX_CPU_ISA, 'AVX2')
  assert.is(found.env.MKL_ENABLE_INSTRUCTIONS, 'AVX2')
  assert.is(found.env.OMP_NUM_THREADS, `${threads}`)
  assert.equal(isaLimits(undefined), {})
  assert.equal(isaLimits('amx'), {})
  assert.match(
    isaNote('avx2'),
    /ours held to avx2, PyTorch to ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2/,
  )
})

test('skipped peers are counted, those of one reason together', () => {
  assert.is(skippedText([]), 'no peer was skipped')
  const text = skippedText([
    { name: 'a', reason: 'not there' },
    { name: 'b', reason: 'not there' },
    { name: 'a', reason: 'not there' },
    { name: 'c', reason: 'broken' },
  ])
  assert.is(text, '4 peers skipped\n  a, b: not there\n  c: broken')
})

test('a peer takes a step for each line, and its last error is the message', async () => {
  const file = join(temporaryFolder(), 'peer.mjs')
  writeFileSync(
    file,
    `console.log('{"ready": 1}')
    let n = 0
    process.stdin.on('data', () => {
      if (++n === 2) throw new TypeError('tired of it')
      console.log(JSON.stringify({ seconds: n, limit: Number(process.env.LIMIT) }))
    })`,
  )
  const peer = startPeer(process.execPath, [file], { LIMIT: '7' })
  try {
    assert.equal(await peer.ready, { ready: 1 })
    if (process.platform === 'linux') assert.type(peer.cpu(), 'number')
    assert.equal(await peer.step(), { seconds: 1, limit: 7 })
    const failure = await peer.step().then(
      () => 'none',
      (error: Error) => error.message,
    )
    assert.is(failure, 'TypeError: tired of it')
  } finally {
    await peer.close()
  }
})

test('a peer that knows several ways takes its steps as it is told', async () => {
  const file = join(temporaryFolder(), 'peer.mjs')
  writeFileSync(
    file,
    `import { createInterface } from 'node:readline'
    console.log('{"modes": ["eager", "graph"], "failed": {"cudnn": "not here"}}')
    createInterface({ input: process.stdin }).on('line', (line) => console.log(JSON.stringify({ line })))`,
  )
  const peer = startPeer(process.execPath, [file])
  try {
    assert.equal(await peer.ready, { modes: ['eager', 'graph'], failed: { cudnn: 'not here' } })
    assert.equal(await peer.step(), { line: 'step' })
    assert.equal(await peer.step('graph'), { line: 'step graph' })
    assert.equal(await peer.step('graph', 5), { line: 'step graph 5' })
    assert.equal(await peer.ask('case {}'), { line: 'case {}' })
  } finally {
    await peer.close()
  }
})

test('the peers in Node are JavaScript', () => {
  const folder = join(root, 'bench/peers')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.mjs') && !file.startsWith('node_modules'),
  )
  assert.ok(files.includes('webgpu/tfjs.mjs'))
  for (const file of files) {
    const { status, stderr } = spawnSync(process.execPath, ['--check', join(folder, file)], {
      encoding: 'utf8',
    })
    assert.is(status, 0, stderr)
  }
})

test('the line that names an error', () => {
  const trace = "Traceback:\n  File x\nModuleNotFoundError: No module named 'torch'\n\nsome note\n"
  assert.is(lastError(trace), "ModuleNotFoundError: No module named 'torch'")
  assert.is(lastError('one\ntwo\n'), 'two')
  assert.is(lastError(''), undefined)
})

test.run()
