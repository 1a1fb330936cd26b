/**
 * The emulator of CUDA blocks finds what is wrong: kernels with a planted bug each (planted.cu), run by a small program,
 * must be stopped or give wrong numbers, and what is said must name the thing; without the bug they are right under many
 * orders of threads.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCudaProgram } from '../support/cuda_program.js'
import { skip } from '../support/skip.js'

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

interface Line {
  kernel: string
  /** '' if every order of threads was right. */
  found: string
}

const lines = runCudaProgram<Line>('planted', `${SEEDS_OF_RIGHT}`, `${SEEDS_OF_WRONG}`)
if ('reason' in lines) skip(test, 'planted bugs', lines.reason)
else {
  const found = new Map(lines.map((line) => [line.kernel, line.found]))

  test('kernels without a bug are right under every order of threads', () => {
    const right = [...found.keys()].filter((name) => !name.includes(' '))
    assert.equal(right, ['pipeline', 'pipeline_mn', 'stores', 'sums'])
    for (const name of right) assert.is(found.get(name), '', `${name}: ${found.get(name)}`)
  })

  test('every planted bug has its line here', () => {
    const planted = [...found.keys()].filter((name) => name.includes(' '))
    assert.equal(planted.sort(), Object.keys(expected).sort())
  })

  for (const [name, message] of Object.entries(expected))
    test(`found: ${name}`, () => {
      assert.match(found.get(name) ?? '', message)
    })
}

test.run()
