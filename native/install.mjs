/**
 * What `npm install` runs. In an installed package the JavaScript is there, and native code is compiled only if no prebuilt
 * binary loads (native/prebuilds, in the convention of node-gyp-build); in a clone both are built. Kernels for NVIDIA's GPUs
 * are compiled where there is one and a toolkit.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findToolkit, hasDriver } from './cuda/toolkit.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isClone = existsSync(join(root, 'test'))

/** Whether a prebuilt binary for this platform is there and loads; tried in a process of its own. */
function prebuiltLoads() {
  const script = 'const { resolve } = require("node-gyp-build"); require(resolve(process.argv[1]))'
  const { status } = spawnSync(process.execPath, ['-e', script, join(root, 'native')], {
    cwd: root,
    env: { ...process.env, PREBUILDS_ONLY: '1' },
  })
  return status === 0
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

/** What is missing for a build, by name. */
function missing() {
  const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++']
  return [
    ...(process.platform === 'win32' || compilers.some(runs)
      ? []
      : [`a C++17 compiler (${compilers.join(', ')})`]),
    ...(runs('cmake') ? [] : ['CMake']),
  ]
}

/** The exit status of a script of the package. */
function run(script) {
  const npm = process.env.npm_execpath
  const [command, ...args] = npm ? [process.execPath, npm] : ['npm']
  const { status } = spawnSync(command, [...args, 'run', script], { cwd: root, stdio: 'inherit' })
  return status ?? 1
}

function mustRun(script) {
  const status = run(script)
  if (status !== 0) process.exit(status)
}

/** The CUDA addon, where there are a toolkit and a GPU to run it on; what goes wrong ends no installation. */
function buildCuda() {
  if (process.platform !== 'linux' || !findToolkit() || !hasDriver()) return
  if (run('build:cuda') !== 0)
    console.error('bioalbert: the CUDA addon could not be built; all other devices work. Later: npm run build:cuda')
}

if (!isClone && prebuiltLoads()) {
  buildCuda()
  process.exit(0)
}

const lacking = missing()
if (lacking.length > 0) {
  console.error(
    `bioalbert: no prebuilt binary fits ${process.platform}-${process.arch}, and building one wants ${lacking.join(' and ')}, which is not found`,
  )
  process.exit(1)
}
mustRun('build:native')
if (isClone) mustRun('build:js')
buildCuda()
