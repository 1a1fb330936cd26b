/** Which instruction sets of the CPU kernels a processor is given, and what is said where one is asked for that it has not got. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo, openCpu } from '../../src/device/cpu.js'
import { skip } from '../support/skip.js'

const test = suite('instruction sets')

test('a set of another architecture is told apart from one that this processor lacks', () => {
  const [foreign, home, here] =
    process.arch === 'arm64' ? ['avx2', 'x86-64', 'AArch64'] : ['neon_bf16', 'AArch64', 'x86-64']
  const has = `\\(want one of generic, .*${cpuInfo().isas.at(-1)}\\)`
  assert.throws(
    () => openCpu({ isa: foreign }),
    new RegExp(`instruction set ${foreign} is one of ${home}, and this is ${here} ${has}`),
  )
  assert.throws(() => openCpu({ isa: 'mmx' }), new RegExp(`set mmx is not available here ${has}`))
})

// what the processors of test/arm.ts's emulator have: neither, products of four pairs of bytes, those of 2 x 2 besides
const emulated = process.arch === 'arm64' && process.env.BIOALBERT_TEST_NODE !== undefined
for (const [processor, best] of [
  ['cortex-a57', 'neon'],
  ['a64fx', 'neon'],
  ['neoverse-n1', 'neon_int8'],
  ['max', 'neon_bf16'],
] as const) {
  const name = `the best set of ${processor} is ${best}`
  if (!emulated) skip(test, name, 'npm run test:arm emulates such processors')
  else
    test(name, () => {
      const module = new URL('../../src/device/cpu.js', import.meta.url).href
      const program = `import { cpuInfo } from ${JSON.stringify(module)}\nconsole.log(cpuInfo().isas.at(-1))`
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        encoding: 'utf8',
        env: { ...process.env, BIOALBERT_ARM_CPU: processor },
      })
      assert.is(stdout.trim(), best, stderr)
    })
}

test.run()
