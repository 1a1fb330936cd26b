/**
 * Bad input as a table: each case is a folder of files and a command line that must be refused. The refusal has the right
 * exit status, a one-line reason on standard error that names what is wrong (no stack), the same reason as JSON
 * where --json asks for it, and leaves the folder exactly as it was.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fail } from './failure.js'
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
  const complain = (reason: string): void => {
    const seen = `${stdout.slice(-1000)}${stderr.slice(-2000)}`.trimEnd()
    fail(`${reason}\n      $ bioalbert ${argv.join(' ')}\n${seen.replace(/^/gm, '      ')}`)
  }
  if (result.signal !== null) complain(`killed by ${result.signal}`)
  if (result.status !== status) complain(`exit status ${result.status}, want ${status}`)
  if (!/^bioalbert: /m.test(stderr)) complain('no reason is given')
  if (/^\s+at .*:\d+:\d+/m.test(stderr)) complain('a stack is shown')
  for (const pattern of [says].flat()) {
    if (!pattern.test(stderr)) complain(`${pattern} is not said`)
  }
  if (argv.includes('--json')) {
    const last = stdout.trimEnd().split('\n').at(-1) ?? ''
    if (!/^\{"error":".+"\}$/.test(last)) complain('the last line of standard output is no {"error": ...}')
  }
  const after = contents(folder)
  const changed = [
    ...after.filter((entry) => !before.includes(entry)).map((entry) => `+ ${entry}`),
    ...before.filter((entry) => !after.includes(entry)).map((entry) => `- ${entry}`),
  ]
  if (changed.length > 0) complain(`the folder was changed: ${changed.join(', ')}`)
}

/** Every path below the folder, files with a digest of what they hold. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = relative(folder, join(entry.parentPath, entry.name))
      if (!entry.isFile()) return `${path}/`
      return `${path} ${createHash('sha256')
        .update(readFileSync(join(folder, path)))
        .digest('hex')}`
    })
    .sort()
}
