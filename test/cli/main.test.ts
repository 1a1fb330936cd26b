/** The command line's frame: help, version, unknown commands, exit statuses, the reader that leaves. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandNames, loadCommand } from '../../src/cli/program.js'
import { badInput } from '../support/bad_input.js'
import { commandLine, root } from '../support/paths.js'

const test = suite('command line')

function run(...argv: string[]) {
  return spawnSync(process.execPath, [commandLine, ...argv], { encoding: 'utf8', input: '' })
}

test('--help lists every command with its summary, on standard output', () => {
  const { status, stdout, stderr } = run('--help')
  assert.is(status, 0)
  assert.is(stderr, '')
  for (const name of commandNames()) assert.match(stdout, new RegExp(`^ +${name} .*\\w`, 'm'))
})

test('every command file is in the table, and makes the command of its name with a description', async () => {
  const files = readdirSync(join(root, 'src/cli/commands')).map((file) => file.replace(/\.ts$/, ''))
  assert.equal([...commandNames()].sort(), files.sort())
  for (const name of commandNames()) {
    const command = await loadCommand(name)
    assert.is(command.name(), name)
    assert.ok(command.description().length > 0 || command.summary().length > 0, `${name} has no description`)
  }
})

test('every command and subcommand answers --help, and `help NAME` says the same', async () => {
  for (const name of commandNames()) {
    const { status, stdout } = run(name, '--help')
    assert.is(status, 0)
    assert.match(stdout, new RegExp(`Usage: bioalbert ${name}`))
    assert.is(run('help', name).stdout, stdout)
    for (const inner of (await loadCommand(name)).commands) {
      const answer = run(name, inner.name(), '--help')
      assert.is(answer.status, 0)
      assert.match(answer.stdout, new RegExp(`Usage: bioalbert ${name} ${inner.name()}`))
    }
  }
})

test('--version prints the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const { status, stdout } = run('--version')
  assert.is(status, 0)
  assert.is(stdout, `${version}\n`)
})

test('a reader that leaves early ends the command quietly', () => {
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `"${process.execPath}" "${commandLine}" --help | head -n 1; echo "$?"`],
    { encoding: 'utf8' },
  )
  assert.is(stderr, '')
  assert.match(stdout, /^Usage/)
})

badInput(test, [
  { name: 'no command at all is bad usage', argv: [], status: 2, says: /a command is missing/ },
  {
    name: 'an unknown command is bad usage',
    argv: ['frobnicate'],
    status: 2,
    says: /unknown command 'frobnicate'/,
  },
  {
    name: 'an unknown command is named before its options',
    argv: ['frobnicate', '--steps', '3', '--json'],
    status: 2,
    says: /unknown command 'frobnicate'/,
  },
  {
    name: 'an unknown option is bad usage',
    argv: ['--frobnicate'],
    status: 2,
    says: /unknown option '--frobnicate'/,
  },
])

test.run()
