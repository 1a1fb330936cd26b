/**
 * What native/install.mjs decides, in a folder that holds nothing but it and what it imports, with tools that are scripts of the test: when it
 * compiles, on how many cores, and what it says is missing.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../support/paths.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'

const test = suite('native/install.mjs')
const TOOLS = ['c++', 'cmake', 'make']
const { prebuiltFile, targetOfProcess } = createRequire(import.meta.url)(join(root, 'native/prebuilt.cjs'))
const target: string = targetOfProcess()
/** Where the binary for this process lies in a package. */
const placeIn = (folder: string): string => prebuiltFile(join(folder, 'native'), target)

/** A package as it lies in node_modules, whose npm prints what it is asked to run; `prebuilt` with a binary that loads. */
function packageFolder(prebuilt = false): string {
  const own = ['install.mjs', 'prebuilt.cjs', 'tools.cjs', 'cuda/toolkit.mjs'].map((name) => `native/${name}`)
  const folder = folderWith({
    ...Object.fromEntries(own.map((name) => [name, readFileSync(join(root, name))])),
    'npm.cjs': 'console.log(process.argv.slice(2).join(" "), process.env.CMAKE_BUILD_PARALLEL_LEVEL)',
  })
  if (prebuilt) {
    mkdirSync(dirname(placeIn(folder)), { recursive: true })
    copyFileSync(join(root, 'native/build/Release/bioalbert.node'), placeIn(folder))
  }
  return folder
}

/** Runs it where the given tools are all there is. */
function install(folder: string, tools: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const bin = temporaryFolder()
  for (const name of tools) {
    writeFileSync(join(bin, name), '#!/bin/sh\n')
    chmodSync(join(bin, name), 0o755)
  }
  return spawnSync(process.execPath, ['native/install.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: bin, npm_execpath: join(folder, 'npm.cjs'), ...env },
  })
}

/** What is said to be missing, behind which beginning. */
function refusal(tools: readonly string[], env: NodeJS.ProcessEnv = {}, prebuilt = false): string {
  const { status, stdout, stderr } = install(packageFolder(prebuilt), tools, env)
  assert.is(status, 1)
  assert.is(stdout, '')
  return stderr
}

test('where tools are missing, one line names them', () => {
  const start = `bioalbert: no prebuilt binary fits ${target}, and building one wants`
  const compiler = 'a C++17 compiler (c++, g++, clang++)'
  const end = 'which is not found\n'
  assert.is(refusal([]), `${start} ${compiler} and CMake and Ninja or Make, ${end}`)
  assert.is(refusal(['cmake', 'ninja']), `${start} ${compiler}, ${end}`)
  assert.is(refusal(['g++', 'make']), `${start} CMake, ${end}`)
  assert.is(refusal(['clang++', 'cmake']), `${start} Ninja or Make, ${end}`)
  assert.is(refusal(TOOLS, { CXX: 'icpx -v' }), `${start} a C++17 compiler (icpx), ${end}`)
})

test('compiles with any of the tools, on all cores unless it is told how many', () => {
  const cores = availableParallelism()
  for (const tools of [TOOLS, ['g++', 'cmake', 'ninja'], ['clang++', 'cmake', 'gmake']])
    assert.is(install(packageFolder(), tools).stdout, `run build:native ${cores}\n`)
  const told = install(packageFolder(), TOOLS, { CMAKE_BUILD_PARALLEL_LEVEL: '3' })
  assert.is(told.stdout, 'run build:native 3\n')
})

test('a build that fails fails the installation', () => {
  const folder = packageFolder()
  writeFileSync(join(folder, 'npm.cjs'), 'process.exit(7)')
  assert.is(install(folder, TOOLS).status, 7)
})

test('in a clone JavaScript is built too', () => {
  const folder = packageFolder()
  mkdirSync(join(folder, 'test'))
  assert.match(install(folder, TOOLS).stdout, /^run build:native \d+\nrun build:js \d+\n$/)
  assert.match(install(folder, ['c++']).stderr, /^bioalbert: building native code wants CMake and /)
})

test('a prebuilt binary that loads is taken, unless building from source is asked for', () => {
  const folder = packageFolder(true)
  for (const value of [undefined, '', 'false', 'sharp']) {
    const { status, stdout, stderr } = install(folder, [], { npm_config_build_from_source: value })
    assert.is(stderr, '')
    assert.is(status, 0)
    assert.is(stdout, '')
  }
  for (const value of ['true', 'bioalbert', 'sharp,bioalbert'])
    assert.match(
      install(folder, TOOLS, { npm_config_build_from_source: value }).stdout,
      /^run build:native \d+\n$/,
    )
  assert.is(
    refusal(['c++', 'make'], { npm_config_build_from_source: 'true' }, true),
    'bioalbert: building native code wants CMake, which is not found\n',
  )
})

test('a prebuilt binary that does not load is not taken, and says why where none can be built', () => {
  const folder = packageFolder(true)
  writeFileSync(placeIn(folder), 'no library')
  assert.match(install(folder, TOOLS).stdout, /^run build:native \d+\n$/)
  const { status, stderr } = install(folder, ['c++', 'make'])
  assert.is(status, 1)
  const start = `bioalbert: the prebuilt binary for ${target} does not load (`
  assert.ok(stderr.startsWith(start), stderr)
  assert.match(stderr, /^[^\n]+\), and building one wants CMake, which is not found\n$/)
})

test('the binary of another system is not tried', () => {
  const folder = packageFolder(true)
  const other = target.replace(/^linux-(\w+)-.*$/, '$1') === 'x64' ? 'linux-arm64-musl' : 'linux-x64-musl'
  const file = prebuiltFile(join(folder, 'native'), other)
  mkdirSync(dirname(file), { recursive: true })
  renameSync(placeIn(folder), file)
  assert.match(install(folder, ['c++', 'make']).stderr, /^bioalbert: no prebuilt binary fits /)
})

test.run()
