/**
 * Which file the addon is loaded from (native/prebuilt.cjs), what is said where there is none, and of binaries built ahead that
 * are here (npm run prebuild): what they ask for, and that those which this machine can run offer the instruction sets of
 * the build from source. test/prebuilt.ts runs the products' tests on them.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Processor } from '../../src/device/addon.js'
import { cpuInfo } from '../../src/device/cpu.js'
import { foreignNode } from '../support/foreign_node.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { folderWith } from '../support/temporary.js'

interface Prebuilt {
  addonFile(native: string): string | undefined
  prebuiltFile(native: string, target: string): string
  prebuiltTargets(native: string): string[]
  targetName(platform: string, arch: string, libc?: string): string
  targetOfProcess(): string
}
const prebuilt = createRequire(import.meta.url)(join(root, 'native/prebuilt.cjs')) as Prebuilt
const { addonFile, prebuiltFile, prebuiltTargets, targetName, targetOfProcess } = prebuilt
const check = await import(pathToFileURL(join(root, 'native/binaries/check.mjs')).href)

const test = suite('native/prebuilt.cjs')
const here = targetOfProcess()

/** The folder `native` of a package with empty binaries for these targets. */
function packageWith(targets: readonly string[]): string {
  const folder = folderWith({ 'package.json': '{}' })
  for (const target of targets) {
    const file = prebuiltFile(folder, target)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, '')
  }
  return folder
}

test('binaries lie by platform and processor, those of Linux by C library too', () => {
  const inside = (target: string) => prebuiltFile('native', target).replaceAll('\\', '/')
  assert.is(inside('linux-x64-glibc'), 'native/prebuilds/linux-x64/bioalbert.glibc.node')
  assert.is(inside('linux-arm64-musl'), 'native/prebuilds/linux-arm64/bioalbert.musl.node')
  assert.is(inside('darwin-arm64'), 'native/prebuilds/darwin-arm64/bioalbert.node')
  assert.is(inside('win32-x64'), 'native/prebuilds/win32-x64/bioalbert.node')
  assert.is(targetName('linux', 'arm64', 'musl'), 'linux-arm64-musl')
  assert.is(targetName('darwin', 'x64', undefined), 'darwin-x64')
  const targets = ['darwin-arm64', 'linux-arm64-musl', 'linux-x64-glibc', 'linux-x64-musl', 'win32-x64']
  assert.equal(prebuiltTargets(packageWith(targets)), targets)
  assert.equal(prebuiltTargets(packageWith([])), [])
})

test('the binary of this process is taken, no other one, and what was built here before it', () => {
  const others = [
    'linux-x64-glibc',
    'linux-x64-musl',
    'linux-arm64-glibc',
    'darwin-arm64',
    'win32-x64',
  ].filter((target) => target !== here)
  assert.is(addonFile(packageWith(others)), undefined)
  const folder = packageWith([...others, here])
  assert.is(addonFile(folder), prebuiltFile(folder, here))
  const built = join(folder, 'build/Release/bioalbert.node')
  mkdirSync(dirname(built), { recursive: true })
  writeFileSync(built, '')
  assert.is(addonFile(folder), built)
})

const byInterpreter = 'the C library is the one whose loader started Node'
if (process.platform !== 'linux')
  skip(test, byInterpreter, `only Linux has several, this is ${process.platform}`)
else
  test(byInterpreter, () => {
    // the loader that is mapped into this process
    const maps = readFileSync('/proc/self/maps', 'utf8')
    const libc = /\/(ld-musl-|libc\.musl-|\w+-linux-musl\/libc\.so)/.test(maps) ? 'musl' : 'glibc'
    assert.ok(libc === 'musl' || /\/(libc\.so\.6|libc-2)/.test(maps))
    assert.is(here, `linux-${process.arch}-${libc}`)
  })

/** What is said of the addon in a package without one: with these tools on the path, and binaries of these targets that do not load. */
function withoutAddon(tools: readonly string[], targets: readonly string[] = []): string {
  const folder = folderWith({ 'package.json': '{"type": "module"}', 'binding.gyp': '{}' })
  const script = `
    import { loadAddon } from '${pathToFileURL(join(folder, 'dist/src/device/addon.js')).href}'
    try { loadAddon(); console.log('loaded') } catch (error) { console.log(error.constructor.name + ': ' + error.message) }`
  for (const name of [
    'src/device/addon.js',
    'src/environment.js',
    'src/error.js',
    'src/paths.js',
    'src/device/program.js',
  ])
    copyInto(folder, join('dist', name))
  for (const name of ['prebuilt.cjs', 'tools.cjs']) copyInto(folder, join('native', name))
  for (const target of targets) {
    const file = prebuiltFile(join(folder, 'native'), target)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'no library')
  }
  const bin = folderWith(Object.fromEntries(tools.map((name) => [name, '#!/bin/sh\n'])))
  for (const name of tools) spawnSync('chmod', ['+x', join(bin, name)])
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { PATH: bin },
  })
  assert.is(stderr, '')
  return stdout.replaceAll(folder, 'FOLDER')
}

function copyInto(folder: string, name: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  copyFileSync(join(root, name), join(folder, name))
}

if (process.platform === 'win32')
  skip(test, 'what is said without an addon', 'the tools of this test are shell scripts')
else
  test('where there is no addon one line says what there is, how to build it, and what that wants', () => {
    const how = 'build it with `npm run build:native` in FOLDER'
    const start = `UserError: the native addon is not built, and no binary for ${here} came with the package`
    assert.is(
      withoutAddon([]),
      `${start} (there is none for any); ${how}, which wants a C++17 compiler (c++, g++, clang++) and CMake and Ninja or Make, not found here\n`,
    )
    const other = here === 'darwin-arm64' ? 'darwin-x64' : 'darwin-arm64'
    assert.is(
      withoutAddon(['c++', 'cmake', 'make'], [other]),
      `${start} (there are those for ${other}); ${how}\n`,
    )
    const broken = withoutAddon(['c++', 'make'], [here])
    assert.ok(
      broken.startsWith(`UserError: the native addon ${prebuiltFile('FOLDER/native', here)} does not load (`),
      broken,
    )
    assert.match(
      broken,
      /^[^\n]+\); build it with `npm run build:native` in FOLDER, which wants CMake, not found here\n$/,
    )
  })

const native = join(root, 'native')
const found = prebuiltTargets(native)
if (found.length === 0) skip(test, 'binaries built ahead', 'there are none here: npm run prebuild')
for (const target of found) {
  const file = prebuiltFile(native, target)
  test(`${target} asks for nothing but the system, and holds no path of this machine`, () => {
    const bytes = readFileSync(file)
    assert.is(check.complaints(target, check.requirements(bytes)).join('; '), '')
    assert.not(bytes.includes(root))
  })
  const loads = `${target} loads and offers the instruction sets of the build from source`
  const { node, reason } = foreignNode(target)
  if (node === undefined) skip(test, loads, reason)
  else if (!existsSync(join(native, 'build/Release/bioalbert.node')))
    skip(test, loads, 'nothing is built from source to compare with')
  else
    test(loads, () => {
      const script = 'console.log(JSON.stringify(require(process.argv[1]).processor()))'
      const { stdout, stderr } = spawnSync(node, ['-e', script, file], { encoding: 'utf8' })
      assert.ok(stdout !== '', stderr)
      const processor = JSON.parse(stdout) as Processor
      const isArm = target.includes('arm64')
      if (isArm !== (process.arch === 'arm64')) {
        // no build from source for that processor here; the emulated one has all that a binary can hold
        assert.equal(processor.isas, ['generic', 'neon', 'neon_int8', 'neon_bf16'])
        return
      }
      const { isas, emulated, refused } = cpuInfo()
      assert.equal(processor.isas, isas)
      assert.equal(processor.emulated, emulated)
      assert.equal(processor.refused, refused)
    })
}

test.run()
