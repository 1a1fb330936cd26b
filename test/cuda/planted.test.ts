/**
 * The emulator of CUDA blocks finds what is wrong: kernels with a planted bug each (planted.cu), run by a small program,
 * must be stopped or give wrong numbers, and what is said must name the thing; without the bug they are right under many
 * orders of threads.
 */
import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('planted bugs')

const SEEDS_OF_RIGHT = 40
const SEEDS_OF_WRONG = 10

const expected: Record<string, RegExp> = {
  'pipeline wrong phase':
    /gives wgmma shared byte \d+( while an asynchronous copy|, which nobody|, which an asynchronous copy wrote, with nothing)/,
  'pipeline no empty wait':
    /writes shared byte \d+, which (an asynchronous copy wrote|a wgmma of warp \d read), with nothing/,
  'pipeline early release':
    /(which a wgmma of warp \d read, with nothing|was overwritten while it was under way)/,
  'pipeline no wait': /touches accumulators of a wgmma that is under way/,
  'pipeline no fence': /issues a wgmma without wgmma_fence/,
  'pipeline wrong swizzle': /wrong numbers/,
  'pipeline wrong stride': /wrong numbers/,
  'pipeline wrong fragment': /wrong numbers/,
  'pipeline wrong bytes': /deadlock, .* at the mbarrier at shared byte \d+, parity 0/,
  'pipeline no init fence': /initialised without a fence/,
  'pipeline no init sync': /where no mbarrier was initialised|with nothing to order/,
  'pipeline stage past': /gives wgmma shared byte \d+, which nobody has written/,
  'pipeline one warp': /warp 1 issued other wgmma/,
  'stores no proxy fence': /by an ordinary store without fence.proxy.async/,
  'stores wrong a': /wrong numbers/,
  'sums no syncthreads': /(reads|writes) shared byte \d+, which (nobody has written|thread \d+ (read|wrote))/,
  'sums no syncwarp': /(reads|writes) shared byte \d+, which (nobody has written|thread \d+ (read|wrote))/,
  'sums off by one': /reads 2 bytes of device memory that the call does not bind, byte \d+ of range 0/,
  'sums two blocks': /writes byte \d+ of range 2, which another block wrote/,
}

const compiler = process.env.CXX ?? 'g++'
const about = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout ?? ''
if (/Free Software Foundation/.test(about)) plant()
else skip(test, 'planted bugs', `${compiler} is not GCC, whose instrumentation the emulator is made for`)

function plant(): void {
  const found = new Map<string, string>()

  test('kernels without a bug are right under every order of threads', async () => {
    const driver = await build(temporaryFolder())
    const run = spawnSync(driver, [`${SEEDS_OF_RIGHT}`, `${SEEDS_OF_WRONG}`], { encoding: 'utf8' })
    assert.is(run.status, 0, `${run.stderr}\n${run.stdout}`)
    for (const line of run.stdout.trim().split('\n')) {
      const { kernel, found: what } = JSON.parse(line)
      found.set(kernel, what)
    }
    const right = [...found.keys()].filter((name) => !name.includes(' '))
    assert.equal(right, ['pipeline', 'pipeline_mn', 'stores', 'sums'])
    for (const name of right) assert.is(found.get(name), '', `${name}: ${found.get(name)}`)
  })

  test('every planted bug has its line here', () => {
    assert.equal([...found.keys()].filter((name) => name.includes(' ')).sort(), Object.keys(expected).sort())
  })

  for (const [name, message] of Object.entries(expected))
    test(`found: ${name}`, () => {
      assert.match(found.get(name) ?? '', message)
    })
}

/** Compiles emulator, kernels and program; returns the program's path. */
async function build(folder: string): Promise<string> {
  const emulator = join(root, 'native/cuda/emulator')
  const flags = ['-std=c++17', '-O1', '-Wno-psabi']
  const includes = [
    'kernels/cuda',
    'native',
    'native/cuda',
    'native/cuda/emulator',
    'native/cuda/emulator/include',
  ]
  for (const include of includes) flags.push('-I', join(root, include))
  const instrumented = [
    '-x',
    'c++',
    '-fsanitize=thread',
    '--param',
    'tsan-instrument-func-entry-exit=0',
    '-Wno-unknown-pragmas',
  ]
  const jobs = [
    [...instrumented, join(root, 'test/cuda/planted.cu')],
    [join(root, 'test/cuda/planted_driver.cc')],
    ['-DBIOALBERT_EMULATED', join(root, 'native/cuda/tensor_map.cc')],
    ...sources(emulator).map((file) => [file]),
  ].map((args, i) => ({ args: [...flags, '-c', ...args], object: join(folder, `${i}.o`) }))
  const objects = jobs.map(({ object }) => object)
  const run = promisify(execFile)
  const work = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await run(compiler, [...job.args, '-o', job.object])
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work))
  const program = join(folder, 'planted')
  await run(compiler, [...objects, '-o', program])
  return program
}

/** All but the CUDA runtime over the emulator, which belongs to the device. */
function sources(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cc'))
    .map((file) => join(folder, file))
    .filter((file) => !readFileSync(file, 'utf8').includes('"runtime.h"'))
}

test.run()
