/**
 * Builds the CUDA addon: `npm run build:cuda`, or `npm run build:cuda-emulated` for the one over the block emulator, which
 * wants a C++ compiler alone. CMake compiles only what changed; Ninja and ccache are used where they are.
 * `--sanitize`: the addon itself under AddressSanitizer, in a folder of its own. `--if-possible`: where what a build wants is
 * missing, say so and end well.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findToolkit, lookedFor } from './toolkit.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
const isEmulated = process.argv.includes('--emulated')
const name = isEmulated ? 'bioalbert_cuda_emulated' : 'bioalbert_cuda'
const isSanitized = process.argv.includes('--sanitize')
const build = join(here, `build${isEmulated ? '-emulated' : ''}${isSanitized ? '-sanitized' : ''}`)

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

function lacking(what) {
  console.error(`bioalbert: the ${isEmulated ? 'emulated ' : ''}CUDA addon is not built: ${what}`)
  process.exit(process.argv.includes('--if-possible') ? 0 : 1)
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' })
  if (status === 0) return
  console.error(`bioalbert: ${command} ${args.slice(0, 2).join(' ')} ended with ${error?.message ?? status}`)
  process.exit(1)
}

if (!runs('cmake')) lacking('CMake is not found')
const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++']
if (!compilers.some(runs)) lacking(`a C++17 compiler is not found (${compilers.join(', ')})`)
const definitions = {
  CMAKE_BUILD_TYPE: 'Release',
  CMAKE_JS_INC: require('node-api-headers').include_dir,
  // relative to the working directory
  NODE_ADDON_API: resolve(require('node-addon-api').include_dir),
  BIOALBERT_CUDA_EMULATED: isEmulated ? 'ON' : 'OFF',
  BIOALBERT_SANITIZE: isSanitized ? 'ON' : 'OFF',
}
if (!isEmulated) {
  const toolkit = findToolkit()
  if (!toolkit) lacking(`no CUDA toolkit is found (looked for ${lookedFor()})`)
  definitions.CMAKE_CUDA_COMPILER = join(toolkit, 'bin', 'nvcc')
}
if (runs('ccache')) {
  definitions.CMAKE_CXX_COMPILER_LAUNCHER = 'ccache'
  if (!isEmulated) definitions.CMAKE_CUDA_COMPILER_LAUNCHER = 'ccache'
}
const isNew = !existsSync(join(build, 'CMakeCache.txt'))
run('cmake', [
  '-S',
  here,
  '-B',
  build,
  // an existing folder keeps its generator
  ...(isNew && runs('ninja') ? ['-G', 'Ninja'] : []),
  ...Object.entries(definitions).map(([key, value]) => `-D${key}=${value}`),
])
run('cmake', ['--build', build, '--target', name, '--parallel', String(availableParallelism())])
console.log(`built ${relative(process.cwd(), join(build, 'Release', `${name}.node`))}`)
