/**
 * Runs benches: every bench/**\/*.bench.ts, built, whose path holds one of the given words, one after the other in
 * processes of their own; each leaves bench/results/STEM.json. Usage: npm run bench -- [PART_OF_PATH ...]
 * A bench file calls `bench(...)` at its top level and awaits it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { openCpu } from '../src/device/cpu.js'
import { measurePeaks, type Peaks } from '../src/device/peak.js'
import { facts, peaks, writeResults } from './support/record.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

if (process.argv[2] === '--file') await runFile(process.argv[3])
else runAll(process.argv.slice(2))

function runAll(filters: string[]): void {
  const files = readdirSync(join(root, 'bench'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.bench.ts'))
    .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
    .sort()
  if (files.length === 0) {
    console.error('no bench file matches')
    process.exitCode = 1
  }
  for (const file of files) {
    const built = join(root, 'dist', 'bench', file.replace(/\.ts$/, '.js'))
    console.log(`\n${file}`)
    const { status } = existsSync(built)
      ? spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--file', built], { stdio: 'inherit' })
      : { status: 1 }
    if (status === 0) continue
    console.error(`failed: ${file}`)
    process.exitCode = 1
  }
}

async function runFile(built: string): Promise<void> {
  const device = openCpu()
  Object.assign(peaks, await measurePeaks(device))
  Object.assign(facts, device.info.facts)
  await device.destroy()
  await import(pathToFileURL(built).href)
  const path = writeResults(basename(built, '.bench.js'))
  const described = Object.entries({ ...facts, ...rounded(peaks) }).map(([name, value]) => `${name} ${value}`)
  console.log(described.join(', '))
  if (path !== undefined) console.log(`written to ${path}`)
}

function rounded(values: Partial<Peaks>): Record<string, string> {
  const shown: Record<string, string> = {}
  if (values.gflops !== undefined) shown.peak_gflops = values.gflops.toFixed(0)
  if (values.int8 !== undefined) shown.peak_int8_gflops = values.int8.toFixed(0)
  if (values.gigabytes !== undefined) shown.peak_gigabytes_per_second = values.gigabytes.toFixed(1)
  return shown
}
