/**
 * Bad input as a table: each case is a folder of files and a command line that must be refused. The refusal has the right
 * exit status, a one-line reason on standard error that names what is wrong (no stack), the same reason as JSON
 * where --json asks for it, and leaves the folder exactly as it was.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { commandLine } from './paths.js'
import { folderWith } from './temporary.js'

export interface BadInput {
  /** What is wrong, as a fact: the test's name. */
  name: string
  /** Arguments after `bioalbert`. Relative paths lie in the case's folder. */
  argv: string[]
  /** What the folder holds: path -> content. */
  files?: Record<string, string | Uint8Array>
  /** 1: the work cannot be done; 2: the command is used wrongly. */
  status: 1 | 2
  /** What standard error must say; every one of them. */
  says: RegExp | RegExp[]
  /** Environment variables on top of the test's own. */
  environment?: Record<string, string>
}

type Registrable = (name: string, run: () => void) => void

/** Registers one test for each case. */
export function badInput(test: Registrable, cases: BadInput[]): void {
  for (const one of cases) test(one.name, () => refused(one))
}

function refused({ argv, files = {}, status, says, environment }: BadInput): void {
  const folder = folderWith(files)
  const before = contents(folder)
  const result = spawnSync(process.execPath, [commandLine, ...argv], {
    cwd: folder,
    encoding: 'utf8',
    input: '',
    timeout: 60_000,
    env: { ...process.env, ...environment },
  })
  const { stderr, stdout } = result
  const seen = `\n      $ bioalbert ${argv.join(' ')}\n${stdout.slice(-1000)}${stderr.slice(-2000)}`
  assert.is(result.signal, null, `killed by ${result.signal}${seen}`)
  assert.is(result.status, status, `exit status ${result.status}, want ${status}${seen}`)
  assert.match(stderr, /^bioalbert: /m, `no reason given${seen}`)
  assert.not.match(stderr, /^\s+at .*:\d+:\d+/m, `a stack is shown${seen}`)
  for (const pattern of [says].flat()) assert.match(stderr, pattern, `${pattern} is not said${seen}`)
  if (argv.includes('--json')) {
    const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { error?: unknown }
    assert.type(last.error, 'string')
  }
  assert.equal(contents(folder), before, `the folder was changed${seen}`)
}

/** Every path below the folder, files with a digest of what they hold. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile()) return `${path}/`
      return `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
    })
    .sort()
}
