/**
 * What `npm install` runs. In an installed package the JavaScript is there, and native code is compiled only if no prebuilt
 * binary loads (native/prebuilds, in the convention of node-gyp-build) or `npm install --build-from-source` asks for it; in
 * a clone both are built. Kernels for NVIDIA's GPUs are compiled where there is one and a toolkit.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findToolkit, hasDriver } from './cuda/toolkit.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isClone = existsSync(join(root, 'test'))

/** Whether native code for this platform is there and loads, prebuilt or built here; tried in a process of its own. */
function loads(environment) {
  const script = 'const { resolve } = require("node-gyp-build"); require(resolve(process.argv[1]))'
  const { status } = spawnSync(process.execPath, ['-e', script, join(root, 'native')], {
    cwd: root,
    env: { ...process.env, ...environment },
  })
  return status === 0
}

/** Whether compiling was asked for, of every package or of this one by name, as npm hands it to scripts. */
function isFromSource() {
  const asked = process.env.npm_config_build_from_source ?? ''
  return asked === 'true' || asked.split(',').includes('bioalbert')
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

/** What is missing for a build, by name. On Windows Visual Studio brings the compiler and what runs it. */
function missing() {
  const isWindows = process.platform === 'win32'
  const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++']
  return [
    ...(isWindows || compilers.some(runs) ? [] : [`a C++17 compiler (${compilers.join(', ')})`]),
    ...(runs('cmake') ? [] : ['CMake']),
    ...(isWindows || ['ninja', 'make', 'gmake'].some(runs) ? [] : ['Ninja or Make']),
  ]
}

/** The exit status of a script of the package. */
function run(script) {
  const npm = process.env.npm_execpath
  const [command, ...args] = npm ? [process.execPath, npm] : ['npm']
  // Make takes one file at a time unless it is told otherwise
  const env = { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env }
  const { status } = spawnSync(command, [...args, 'run', script], { cwd: root, env, stdio: 'inherit' })
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
    console.error(
      'bioalbert: the CUDA addon could not be built; all other devices work. Later: npm run build:cuda',
    )
}

const isAsked = isFromSource()
// the first `npx bioalbert` in a clone installs the clone into a folder of npx's own: what is built here is not built again
const isByNpx = isClone && process.env.npm_command === 'exec'
if (isByNpx && existsSync(join(root, 'dist', 'src', 'cli', 'main.js')) && loads({})) process.exit(0)
if (!isClone && !isAsked && loads({ PREBUILDS_ONLY: '1' })) {
  buildCuda()
  process.exit(0)
}

const lacking = missing()
if (lacking.length > 0) {
  const why =
    isClone || isAsked
      ? 'building native code'
      : `no prebuilt binary fits ${process.platform}-${process.arch}, and building one`
  console.error(`bioalbert: ${why} wants ${lacking.join(' and ')}, which is not found`)
  process.exit(1)
}
mustRun('build:native')
if (isClone) mustRun('build:js')
buildCuda()
