/**
 * `npm run test:prebuilt`: loads the binaries built ahead (npm run prebuild) and runs tests on them: every one that this
 * machine can run, in Node of its own system (test/support/foreign_node.ts). Closes with `N passed, N failed, N skipped`;
 * a binary that cannot run here is one skip with its reason. Under emulation suites take one case of each kind.
 * Usage: node dist/test/prebuilt.js [--target TARGET]... [PART_OF_PATH ...]
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installForeignNode } from './support/foreign_node.js'
import { root } from './support/paths.js'

const { prebuiltFile, prebuiltTargets } = createRequire(import.meta.url)(
  join(root, 'native/prebuilt.cjs'),
) as {
  prebuiltFile(native: string, target: string): string
  prebuiltTargets(native: string): string[]
}

/** Where no paths are named: what a binary offers, and matrix products of every type, which differ most between sets. */
const TESTS = ['native/prebuilt', 'ops/linear.', 'ops/linear_gelu', 'ops/matmul', 'ops/pack', 'ops/attention']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string', multiple: true } },
})
const native = join(root, 'native')
const targets = values.target ?? prebuiltTargets(native)
const counts = { passed: 0, failed: 0, skipped: 0 }

if (targets.length === 0) skip('binaries built ahead', 'there are none: npm run prebuild')
for (const target of targets) {
  const { node, reason } = installForeignNode(target)
  if (node === undefined) skip(`tests on ${target}`, reason)
  else await run(target, node)
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed > 0 ? 1 : 0

function skip(what: string, why: string): void {
  counts.skipped++
  console.log(`skipped: ${what} (${why})`)
}

/** Runs the tests in a Node of the target and adds up what their last line says. */
async function run(target: string, node: string): Promise<void> {
  console.log(`${target}:`)
  const paths = positionals.length > 0 ? positionals : TESTS
  const isEmulated = target.split('-')[1] !== process.arch
  const child = spawn(process.execPath, [join(root, 'dist/test/run.js'), '--timeout', '1800', ...paths], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      BIOALBERT_TEST_NODE: node,
      BIOALBERT_ADDON: prebuiltFile(native, target),
      ...(isEmulated ? { BIOALBERT_TEST_CASES: 'few' } : {}),
    },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
    process.stdout.write(chunk)
  })
  await new Promise((resolve) => child.on('close', resolve))
  const last = output.trimEnd().split('\n').at(-1)!
  const found = last.match(/^(\d+) passed, (\d+) failed, (\d+) skipped$/)
  if (!found) {
    counts.failed++
    console.log(`failed: tests on ${target} ended with: ${last}`)
    return
  }
  counts.passed += Number(found[1])
  counts.failed += Number(found[2])
  counts.skipped += Number(found[3])
}
