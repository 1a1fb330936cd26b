/**
 * Makes the prebuilt binary of this platform, native/prebuilds/linux-x64/bioalbert.glibc.node, which `npm pack` takes along:
 * `npm run prebuild`. One for all processors, since instruction sets are chosen at run time.
 *
 * It must load on every Linux on which Node 20 does: no glibc newer than 2.28, no library but glibc's. A compiler links
 * what its own system has, so Zig's is taken (BIOALBERT_ZIG names it; otherwise it is installed from PyPI into
 * native/build), which brings the symbols of every glibc and a C++ library of its own. Afterwards the result is checked:
 * what it asks for, that it loads, and that it offers the instruction sets of the build from source.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { foreignLibraries } from './elf.mjs'

const GLIBC = '2.28'
const ZIG = 'ziglang==0.17.0'

const native = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
const build = join(native, 'build', 'prebuild')

function fail(message) {
  console.error(`prebuild: ${message}`)
  process.exit(1)
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) fail(`${command} ${args.slice(0, 3).join(' ')} ended with ${error?.message ?? status}`)
}

/** The words that call Zig. */
function zig() {
  if (process.env.BIOALBERT_ZIG) return process.env.BIOALBERT_ZIG.split(' ')
  const folder = join(native, 'build', 'zig')
  const python = join(folder, 'bin', 'python')
  if (!existsSync(python)) run('python3', ['-m', 'venv', folder])
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ZIG])
  return [python, '-m', 'ziglang']
}

/** CMake wants a program without arguments. */
function wrapper(name, words) {
  mkdirSync(build, { recursive: true })
  const file = join(build, name)
  writeFileSync(file, `#!/bin/sh\nexec ${words.map((w) => `'${w}'`).join(' ')} "$@"\n`)
  chmodSync(file, 0o755)
  return file
}

/** Newest version of glibc that a shared object asks for, read from its strings of versions. */
function glibcOf(file) {
  const text = file.toString('latin1')
  const numbers = [...text.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map((m) => [Number(m[1]), Number(m[2])])
  const newest = numbers.sort((a, b) => a[0] - b[0] || a[1] - b[1]).at(-1)
  return newest?.join('.') ?? 'none'
}

/** What processor() of an addon says, asked in a process of its own. */
function isasOf(file) {
  const script =
    'const p = require(process.argv[1]).processor(); console.log(JSON.stringify([p.isas, p.emulated]))'
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script, file], { encoding: 'utf8' })
  if (status !== 0) fail(`${file} does not load: ${stderr.trim().split('\n').at(-1)}`)
  return stdout.trim()
}

if (process.platform !== 'linux' || process.arch !== 'x64')
  fail(`${process.platform}-${process.arch} is not built ahead (want linux-x64); npm install compiles there`)

const words = zig()
const target = `x86_64-linux-gnu.${GLIBC}`
const compiler = wrapper('zig-c++', [...words, 'c++', '-target', target])
const ar = wrapper('zig-ar', [...words, 'ar'])
const ranlib = wrapper('zig-ranlib', [...words, 'ranlib'])
run('cmake', [
  '-S',
  native,
  '-B',
  build,
  '-DCMAKE_BUILD_TYPE=Release',
  `-DCMAKE_CXX_COMPILER=${compiler}`,
  `-DCMAKE_AR=${ar}`,
  `-DCMAKE_RANLIB=${ranlib}`,
  '-DCMAKE_SHARED_LINKER_FLAGS=-s',
  `-DCMAKE_JS_INC=${require('node-api-headers').include_dir}`,
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(build, 'Release')}`,
])
run('cmake', ['--build', build, '--target', 'bioalbert', '--parallel', String(availableParallelism())])

const made = join(build, 'Release', 'bioalbert.node')
const bytes = readFileSync(made)
const glibc = glibcOf(bytes)
const libraries = foreignLibraries(bytes)
if (glibc.localeCompare(GLIBC, undefined, { numeric: true }) > 0)
  fail(`asks for glibc ${glibc} (want at most ${GLIBC})`)
if (libraries.length > 0) fail(`asks for ${libraries.join(', ')} (want libraries of glibc only)`)
const isas = isasOf(made)
const own = join(native, 'build', 'Release', 'bioalbert.node')
if (existsSync(own) && isasOf(own) !== isas) fail(`offers ${isas}, the build from source ${isasOf(own)}`)

const folder = join(native, 'prebuilds', 'linux-x64')
mkdirSync(folder, { recursive: true })
const file = join(folder, 'bioalbert.glibc.node')
renameSync(made, file)
console.log(
  `${file}: ${(bytes.length / 1e6).toFixed(1)} MB, glibc ${glibc}, instruction sets ${JSON.parse(isas)[0].join(', ')}`,
)
