/** Memory while training: what the plan says, and no more after 500 steps than after 2. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../support/paths.js'
import { pretrainingData } from '../support/pretraining_case.js'
import type { SoakReport } from '../support/soak.js'

const test = suite('memory of training')

test('native memory is as planned, and resident memory stays within 2% from step 2 to step 500', async () => {
  const { folder } = await pretrainingData()
  // One arena of malloc and small semi-spaces: what threads and V8 keep in reserve is not what is judged here.
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--max-semi-space-size=1', `${root}/dist/test/support/soak.js`, folder, '500'],
    { encoding: 'utf8', env: { ...process.env, MALLOC_ARENA_MAX: '1' } },
  )
  assert.is(status, 0, stderr)
  const { resident, native, planned } = JSON.parse(stdout) as SoakReport
  for (const bytes of Object.values(native)) assert.is(bytes, planned)
  assert.ok(Math.abs(native[500] / planned - 1) < 0.05)
  for (const [step, bytes] of Object.entries(resident)) {
    const growth = bytes / resident[2] - 1
    assert.ok(
      growth < 0.02,
      `step ${step}: ${(100 * growth).toFixed(2)}% more than after step 2 (${bytes} bytes)`,
    )
  }
})

test.run()
