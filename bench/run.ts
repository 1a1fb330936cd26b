/**
 * Runs benches: every bench/**\/*.bench.ts, built, whose path holds one of the given words, one after the other in
 * processes of their own; each leaves bench/results/STEM.json. Usage: npm run bench -- [--device NAME] [--peers] [PART_OF_PATH ...];
 * `npm run bench -- report` writes README's table, docs/figures.md and the plots from those files. A bench file calls `bench(...)` or
 * `race(...)` at its top level and awaits it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { measurePeaks, type Peaks } from '../src/device/peak.js'
import { UserError } from '../src/error.js'
import { type BenchArguments, benchArguments, isWanted } from './support/arguments.js'
import { isaNote, type SkippedPeer, skippedPeers, skippedText } from './support/peers.js'
import { facts, keepResults, peaks, writeResults } from './support/record.js'
import { writeReport } from './support/report.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

try {
  const options = benchArguments(process.argv.slice(2))
  if (options.command === 'report')
    for (const path of await writeReport(root)) console.log(`written: ${path}`)
  else if (options.file === undefined) runAll(options)
  else await runFile(options.file)
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

function runAll({ filters, peers, precisions, only, label, device }: BenchArguments): void {
  const files = readdirSync(join(root, 'bench'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.bench.ts') && !file.includes('node_modules'))
    .filter((file) => isWanted(file, filters, device))
    .sort()
  if (files.length === 0) {
    console.error('no bench file matches')
    process.exitCode = 1
  }
  const env = {
    ...process.env,
    BIOALBERT_BENCH_PEERS: peers ? '1' : '',
    BIOALBERT_BENCH_PRECISIONS: precisions?.join(',') ?? '',
    BIOALBERT_BENCH_CASE: only ?? '',
    BIOALBERT_BENCH_LABEL: label ?? '',
    BIOALBERT_BENCH_DEVICE: device,
  }
  const skipped: SkippedPeer[] = []
  if (peers) console.log(device === 'webgpu' ? 'ours and peers: f32 on one adapter' : isaNote())
  for (const file of files) {
    const built = join(root, 'dist', 'bench', file.replace(/\.ts$/, '.js'))
    console.log(`\n${file}`)
    const child = existsSync(built)
      ? spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--file', built], {
          env,
          // the fourth stream brings the peers that were not there
          stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
          encoding: 'utf8',
        })
      : undefined
    if (child?.output[3]) skipped.push(...(JSON.parse(child.output[3]) as SkippedPeer[]))
    if (child?.status === 0) continue
    console.error(`failed: ${file}`)
    process.exitCode = 1
  }
  if (peers) console.log(`\n${skippedText(skipped)}`)
}

async function runFile(built: string): Promise<void> {
  // what it is made of is read where the runner has set the environment
  const { cardOf, cardPeaks, openBenchDevice } = await import('./support/device.js')
  const device = await openBenchDevice()
  Object.assign(facts, device.info.facts)
  const card = cardOf(`${device.info.facts.gpu ?? ''}`)
  if (card) Object.assign(facts, { card })
  Object.assign(peaks, card ? cardPeaks(card) : await measurePeaks(device))
  await device.destroy()
  keepResults(built.slice(join(root, 'dist', 'bench').length + 1).replace(/\.bench\.js$/, ''))
  await import(pathToFileURL(built).href)
  const path = writeResults()
  const described = Object.entries({ ...facts, ...rounded(peaks) }).map(([name, value]) => `${name} ${value}`)
  console.log(described.join(', '))
  if (path !== undefined) console.log(`written to ${path}`)
  sendSkipped()
}

/** Tells the runner of the peers that were skipped, where one listens. */
function sendSkipped(): void {
  if (skippedPeers.length === 0) return
  try {
    writeSync(3, JSON.stringify(skippedPeers))
  } catch {
    // run by hand: the lines printed are all there is
  }
}

function rounded(values: Partial<Peaks>): Record<string, string> {
  const shown: Record<string, string> = {}
  if (values.gflops !== undefined) shown.peak_gflops = values.gflops.toFixed(0)
  if (values.int8 !== undefined) shown.peak_int8_gflops = values.int8.toFixed(0)
  if (values.gigabytes !== undefined) shown.peak_gigabytes_per_second = values.gigabytes.toFixed(1)
  return shown
}
