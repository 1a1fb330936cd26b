/**
 * `npm run test:sanitize`: builds the native code under sanitizers into folders of its own and runs it. The addon with
 * AddressSanitizer and UndefinedBehaviorSanitizer runs the tests of the ops on every instruction set: a kernel that
 * touches anything but the buffers bound to its call is stopped (native/command_list.cc), and so is what touches memory of
 * a worker that has ended; so is the CUDA addon over its emulated runtime. The thread pool runs under ThreadSanitizer in a program of its own (test/native/pool_driver.cc),
 * because Node does not run under it.
 * Closes with `N passed, N failed, N skipped`; what cannot be built or run here is skipped with its reason.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { cpuInfo } from '../src/device/cpu.js'
import { root } from './support/paths.js'

const BUILDS = join(root, 'native', 'build')
/**
 * Tests of the ops, of the device that runs them, and of devices that end while they run. What starts a GPU or a browser is
 * left out: foreign code.
 */
const TESTS = ['test/ops/', 'test/device/pool', 'test/device/worker_storm']

/** Of the CUDA addon: what can fail, the order of its queue, and devices that end while they run. */
const CUDA_TESTS = ['test/device/cuda_errors', 'test/device/cuda_queue', 'test/device/cuda_storm']

const compiler = process.env.CXX ?? 'c++'
const NO_LIBRARIES = `${compiler} has no libasan.so and libubsan.so to preload`

const counts = { passed: 0, failed: 0, skipped: 0 }

function skip(what: string, why: string): void {
  counts.skipped++
  console.log(`skipped: ${what} (${why})`)
}

function fail(what: string): void {
  counts.failed++
  console.log(`failed: ${what}`)
}

await addresses()
await cudaAddresses()
await threads()
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed > 0 ? 1 : 0

async function addresses(): Promise<void> {
  const what = 'kernels under AddressSanitizer'
  const libraries = sanitizers()
  if (libraries === undefined) {
    skip(what, NO_LIBRARIES)
    return
  }
  const out = join(BUILDS, 'address')
  const cmake = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  // without the fallback of `compile`, which would clean the whole of native/build
  const build = [cmake, 'build', '-d', 'native', '-O', out, '--CDBIOALBERT_SANITIZE=address']
  if (!run(process.execPath, build)) return
  const addon = join(out, 'Release', 'bioalbert.node')
  if (!existsSync(addon)) {
    fail(`the build left no ${addon}`)
    return
  }
  const env = { ...sanitized(libraries), BIOALBERT_ADDON: addon, BIOALBERT_STORM_SHARE: '0.1' }
  checkFence(env)
  await tests(what, process.execPath, [join(root, 'dist/test/run.js'), '--timeout', '900', ...TESTS], env)
}

/** Libraries that must be there before everything else, or undefined. */
function sanitizers(): string[] | undefined {
  if (process.platform !== 'linux') return undefined
  const found = ['libasan.so', 'libubsan.so'].map((name) => libraryOf(compiler, name))
  return found.every((path) => path !== undefined) ? found : undefined
}

function sanitized(libraries: readonly string[]): Record<string, string> {
  return {
    LD_PRELOAD: libraries.join(' '),
    // Node and V8 end without freeing what they hold: not our leaks
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:abort_on_error=1',
  }
}

/** The CUDA addon over the emulated runtime. Its kernels are left out: the emulator checks what they touch. */
async function cudaAddresses(): Promise<void> {
  const what = 'the CUDA addon under AddressSanitizer'
  const libraries = sanitizers()
  if (libraries === undefined) {
    skip(what, NO_LIBRARIES)
    return
  }
  const build = [join(root, 'native/cuda/build.mjs'), '--emulated', '--sanitize']
  if (!run(process.execPath, build)) return
  const addon = join(root, 'native/cuda/build-emulated-sanitized/Release/bioalbert_cuda_emulated.node')
  const env = { ...sanitized(libraries), BIOALBERT_CUDA_ADDON: addon, BIOALBERT_STORM_SHARE: '0.3' }
  await tests(
    what,
    process.execPath,
    [join(root, 'dist/test/run.js'), '--timeout', '900', ...CUDA_TESTS],
    env,
  )
}

/** A kernel that writes past its buffer, but not out of its arena, must be stopped: or all else proves little. */
function checkFence(env: Record<string, string>): void {
  for (const isa of cpuInfo().isas) {
    const { stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/test/support/overrun.js')], {
      encoding: 'utf8',
      env: { ...process.env, ...env, BIOALBERT_ISA: isa },
    })
    const isStopped = stdout === 'what fits runs\n' && /AddressSanitizer: use-after-poison/.test(stderr)
    if (isStopped) counts.passed++
    else fail(`${isa}: a kernel that writes past its buffer was not stopped: ${stdout}${stderr}`)
  }
}

async function threads(): Promise<void> {
  const what = 'the pool under ThreadSanitizer'
  if (libraryOf(compiler, 'libtsan.so') === undefined) {
    skip(what, 'the compiler has no libtsan.so')
    return
  }
  const out = join(BUILDS, 'thread')
  if (!run('cmake', ['-S', join(root, 'native'), '-B', out, '-DBIOALBERT_SANITIZE=thread'])) return
  if (!run('cmake', ['--build', out, '--target', 'pool_driver', '--parallel'])) return
  await tests(what, join(out, 'pool_driver'), [], { TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1' })
}

/** Absolute path of a library of the compiler, or undefined. */
function libraryOf(compiler: string, name: string): string | undefined {
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' })
  const path = stdout?.trim() ?? ''
  // a compiler that does not know a library repeats its name
  return path.startsWith('/') && existsSync(path) ? realpathSync(path) : undefined
}

/** Runs a step of a build; a failure counts as one failed test. */
function run(command: string, argv: string[]): boolean {
  const { status, error } = spawnSync(command, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return true
  fail(`${command} ${argv.join(' ')} (${error?.message ?? `exit status ${status}`})`)
  return false
}

/** Runs tests that close with their counts, and passes on what they print as they print it. */
async function tests(
  what: string,
  command: string,
  argv: string[],
  env: Record<string, string>,
): Promise<void> {
  console.log(what)
  const child = spawn(command, argv, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    process.stdout.write(chunk)
  })
  const end = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit status ${code}`))
  })
  const found = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output)
  const [passed, failed, skipped] = found ? found.slice(1).map(Number) : [0, 0, 0]
  counts.passed += passed
  counts.failed += failed
  counts.skipped += skipped
  // nothing failed that could be counted, and still it ended badly or told no counts
  if (failed === 0 && (end !== 'exit status 0' || !found)) fail(`${what} ended with ${end}`)
}
