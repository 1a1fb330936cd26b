/**
 * Makes the prebuilt binaries, native/prebuilds/linux-x64/bioalbert.glibc.node and so on, which `npm pack` takes along.
 * One for all processors of a platform, since instruction sets are chosen at run time.
 * Usage: npm run prebuild [-- TARGET ...]   (all of them if left out; minutes each)
 *
 * A binary must load wherever Node 20 does, so it may ask for nothing but the C library, and on Linux for none newer than
 * glibc 2.28. A compiler links what its own system has, so Zig's is taken (BIOALBERT_ZIG names it; otherwise it is
 * installed from PyPI into native/build), which brings the symbols of every glibc, musl, what macOS and Windows have to
 * link against, and a C++ library of its own. Afterwards each result is checked: what it asks for, that no path of this
 * machine is in it, and where this process can load it that it offers the instruction sets of the build from source.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { complaints, requirements } from './binaries/check.mjs'

const ZIG = 'ziglang==0.17.0'
/** What it is inside. */
const CLANG = '22.1.8'

/** Zig's name of each target, and CMake's of its system and processor. */
const TARGETS = {
  'linux-x64-glibc': { zig: 'x86_64-linux-gnu.2.28', system: 'Linux', processor: 'x86_64' },
  'linux-x64-musl': { zig: 'x86_64-linux-musl', system: 'Linux', processor: 'x86_64' },
  'linux-arm64-glibc': { zig: 'aarch64-linux-gnu.2.28', system: 'Linux', processor: 'aarch64' },
  'linux-arm64-musl': { zig: 'aarch64-linux-musl', system: 'Linux', processor: 'aarch64' },
  'darwin-arm64': { zig: 'aarch64-macos.11.0', system: 'Darwin', processor: 'arm64' },
  'darwin-x64': { zig: 'x86_64-macos.11.0', system: 'Darwin', processor: 'x86_64' },
  'win32-x64': { zig: 'x86_64-windows-gnu', system: 'Windows', processor: 'AMD64' },
}

const native = dirname(fileURLToPath(import.meta.url))
const root = dirname(native)
const require = createRequire(import.meta.url)
const { prebuiltFile, targetOfProcess } = require('./prebuilt.cjs')
const headers = require('node-api-headers')

function fail(message) {
  console.error(`prebuild: ${message}`)
  process.exit(1)
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) fail(`${command} ${args.slice(0, 3).join(' ')} ended with ${error?.message ?? status}`)
}

/** The words that call Zig. */
function findZig() {
  if (process.env.BIOALBERT_ZIG) return process.env.BIOALBERT_ZIG.split(' ')
  const folder = join(native, 'build', 'zig')
  const python = join(folder, 'bin', 'python')
  if (!existsSync(python)) run('python3', ['-m', 'venv', folder])
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ZIG])
  return [python, '-m', 'ziglang']
}

/** CMake wants programs without arguments. */
function wrapper(folder, name, words) {
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\nexec ${words.map((w) => `'${w}'`).join(' ')} "$@"\n`)
  chmodSync(file, 0o755)
  return file
}

/** What CMake and the linker are told of a system beside the target. */
function systemSettings(target, folder, zig) {
  switch (TARGETS[target].system) {
    case 'Darwin':
      // Node's own functions are found when it loads the addon
      return {
        CMAKE_SHARED_LINKER_FLAGS: '-s -undefined dynamic_lookup',
        CMAKE_INSTALL_NAME_TOOL: 'install_name_tool',
        // else its name inside would be its path here
        CMAKE_INSTALL_NAME_DIR: '@rpath',
        CMAKE_BUILD_WITH_INSTALL_NAME_DIR: 'ON',
      }
    case 'Windows': {
      const library = join(folder, 'libnode.a')
      const definitions = headers.def_paths.node_api_def
      run(zig[0], [...zig.slice(1), 'dlltool', '-m', 'i386:x86-64', '-d', definitions, '-l', library])
      return {
        CMAKE_SHARED_LINKER_FLAGS: '-s',
        CMAKE_RC_COMPILER: wrapper(folder, 'zig-rc', [...zig, 'rc']),
        CMAKE_JS_LIB: library,
      }
    }
    default: {
      // Else Node's operator new would stand in for the one here, and what that throws nobody here would catch
      const exports = join(folder, 'exports.map')
      writeFileSync(
        exports,
        '{ global: napi_register_module_v1; node_api_module_get_api_version_v1; local: *; };\n',
      )
      return { CMAKE_SHARED_LINKER_FLAGS: `-s -Wl,--version-script=${exports}` }
    }
  }
}

/** Builds a target; path of the binary. */
function build(target, zig) {
  const folder = join(native, 'build', 'prebuild', target)
  mkdirSync(folder, { recursive: true })
  const { zig: triple, system, processor } = TARGETS[target]
  const settings = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_SYSTEM_NAME: system,
    CMAKE_SYSTEM_PROCESSOR: processor,
    // What CMake would find out by programs that it links, for each of which Zig would build its C++ library once more
    CMAKE_CXX_COMPILER_ID_RUN: 1,
    CMAKE_CXX_COMPILER_ID: 'Clang',
    CMAKE_CXX_COMPILER_FRONTEND_VARIANT: 'GNU',
    CMAKE_CXX_COMPILER_VERSION: CLANG,
    CMAKE_CXX_STANDARD_COMPUTED_DEFAULT: 17,
    CMAKE_CXX_EXTENSIONS_COMPUTED_DEFAULT: 'ON',
    CMAKE_CXX_COMPILER_WORKS: 1,
    CMAKE_CXX_ABI_COMPILED: 1,
    CMAKE_TRY_COMPILE_TARGET_TYPE: 'STATIC_LIBRARY',
    CMAKE_CXX_COMPILER: wrapper(folder, 'zig-c++', [...zig, 'c++', '-target', triple]),
    CMAKE_AR: wrapper(folder, 'zig-ar', [...zig, 'ar']),
    CMAKE_RANLIB: wrapper(folder, 'zig-ranlib', [...zig, 'ranlib']),
    CMAKE_CXX_FLAGS: `-ffile-prefix-map=${root}=.`,
    // Zig reads -march as the name of a processor
    BIOALBERT_DOTPROD_FLAG: '-mcpu=generic+dotprod',
    BIOALBERT_MATRIX_FLAG: '-mcpu=generic+dotprod+bf16+i8mm',
    CMAKE_JS_INC: headers.include_dir,
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: join(folder, 'Release'),
    CMAKE_RUNTIME_OUTPUT_DIRECTORY: join(folder, 'Release'),
    ...systemSettings(target, folder, zig),
  }
  const words = Object.entries(settings).map((pair) => `-D${pair.join('=')}`)
  run('cmake', ['-S', native, '-B', folder, ...words])
  // Make takes one file at a time unless it is told otherwise
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  run('cmake', ['--build', folder, '--target', 'bioalbert', '--parallel', parallel])
  return join(folder, 'Release', 'bioalbert.node')
}

/** What processor() of an addon says, asked in a process of its own. */
function isasOf(file) {
  const script =
    'const p = require(process.argv[1]).processor(); console.log(JSON.stringify([p.isas, p.emulated]))'
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script, file], { encoding: 'utf8' })
  if (status !== 0) fail(`${file} does not load: ${stderr.trim().split('\n').at(-1)}`)
  return stdout.trim()
}

const targets = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TARGETS)
for (const target of targets)
  if (!Object.hasOwn(TARGETS, target))
    fail(`${target} is not built ahead (want some of ${Object.keys(TARGETS).join(', ')})`)

const zig = findZig()
const lines = []
for (const target of targets) {
  const made = build(target, zig)
  const bytes = readFileSync(made)
  const found = requirements(bytes)
  const wrong = complaints(target, found)
  for (const path of [root, homedir(), dirname(dirname(zig[0]))])
    if (path.length > 1 && bytes.includes(path)) wrong.push(`it holds the path ${path}`)
  if (wrong.length > 0) fail(`${made}: ${wrong.join('; ')}`)
  if (target === targetOfProcess()) {
    const own = join(native, 'build', 'Release', 'bioalbert.node')
    const isas = isasOf(made)
    if (existsSync(own) && isasOf(own) !== isas) fail(`offers ${isas}, the build from source ${isasOf(own)}`)
  }
  const file = prebuiltFile(native, target)
  mkdirSync(dirname(file), { recursive: true })
  copyFileSync(made, file)
  const size = `${(bytes.length / 1e6).toFixed(2)} MB`
  lines.push(
    `${target}: ${size}, asks for ${found.libraries.join(', ')}${found.version ? ` (${found.version})` : ''}`,
  )
}
console.log(lines.join('\n'))
