/** `npm run with-swiftshader`: any command finds the software adapter, and ends as it would without. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from './support/paths.js'
import { skip } from './support/skip.js'
import { swiftshaderEnvironment } from './support/swiftshader_driver.js'
import { temporaryFolder } from './support/temporary.js'

const test = suite('with-swiftshader')
const program = join(root, 'dist/test/with_swiftshader.js')
const run = (...argv: string[]) =>
  spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8', timeout: 120_000 })

test('without a command it says how it is called', () => {
  const { status, stderr } = run()
  assert.is(status, 2)
  assert.match(stderr, /found no command, expected npm run with-swiftshader -- COMMAND/)
})

test('without the package it says which one', () => {
  // the same files where no package of ours is found
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'support'))
  for (const file of ['with_swiftshader.js', 'support/end_as.js', 'support/swiftshader_driver.js'])
    copyFileSync(join(root, 'dist/test', file), join(folder, file))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  const argv = [join(folder, 'with_swiftshader.js'), process.execPath, '-e', '0']
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  assert.is(status, 1)
  assert.match(stderr, /the npm package @sparticuz\/chromium, which carries SwiftShader, is not installed/)
})

const names = [
  'a command finds the adapter',
  'status, streams and arguments are those of the command',
  'signals reach the command, and its end by one is ours',
]
if (swiftshaderEnvironment() === undefined)
  for (const name of names) skip(test, name, 'no package @sparticuz/chromium')
else {
  test(names[0], () => {
    const { status, stdout, stderr } = run(
      process.execPath,
      join(root, 'dist/src/cli/main.js'),
      'devices',
      '--json',
    )
    assert.is(status, 0, stderr)
    const { devices } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    const webgpu = devices.find(({ name }: { name: string }) => name === 'webgpu')
    assert.is(webgpu.available, true, JSON.stringify(webgpu))
    assert.match(JSON.stringify(webgpu), /SwiftShader/i)
  })

  test(names[1], () => {
    const code = 'console.log(process.argv[1]); console.error("said"); process.exit(7)'
    const { status, stdout, stderr } = run(process.execPath, '-e', code, 'a word')
    assert.equal([status, stdout, stderr], [7, 'a word\n', 'said\n'])
    const absent = run('no-such-command-of-ours')
    assert.is(absent.status, 127)
    assert.match(absent.stderr, /no-such-command-of-ours: there is no such command/)
  })

  test(names[2], async () => {
    const started = async (code: string): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [program, process.execPath, '-e', code], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      await once(child.stdout!, 'data')
      return child
    }
    const live = 'setInterval(() => 0, 1000); console.log("ready")'
    const graceful = await started(`process.on('SIGTERM', () => process.exit(5)); ${live}`)
    graceful.kill('SIGTERM')
    assert.equal(await once(graceful, 'exit'), [5, null])
    const killed = await started(live)
    killed.kill('SIGINT')
    assert.equal(await once(killed, 'exit'), [null, 'SIGINT'])
  })
}

test.run()
