/**
 * `npm run check:arm [-- STEM ...]`: compiles the kernel files with products and attention for AArch64 to assembly and prints, for each
 * instruction set, the inner loops that multiply: instructions a product beside the least that its block of registers allows,
 * spills, and the share of the core's multiply-adds to be expected. Nothing is measured: what is printed is predicted.
 * Fails where the largest loop of a kind touches the stack or is to stay below its goal.
 */
import { findCrossCompiler } from '../../test/support/arm_build.js'
import { innerLoops, type Loop, leastOverhead, mainLoops, overhead } from './assembly.js'
import { compilations, demangled } from './compile.js'
import { complaintsOf } from './goals.js'
import { CORES, findMca, type Mca, mcaCore, mcaCycles, predict, shareOfPeak } from './predict.js'

/** Files that are looked at where none is named. */
const STEMS = ['linear', 'attention']
/** Loops that add into fewer registers do not hold a block of a product: functions of a number, sums of a row. */
const LEAST_SUMS = 8
/** Loops that are printed of a file, those with the most products first. */
const SHOWN = 10

const percent = (share: number) => `${(100 * share).toFixed(0)}%`

function describe(loop: Loop, name: string, mca: Mca | undefined): string {
  const lines = [
    `  ${name} ${loop.label}: ${loop.instructions.length} instructions, ${loop.products} products of ${loop.kind} ` +
      `(${loop.multiplyAdds} multiply-adds) into ${loop.sums} sums, ${loop.loads} loads, ${loop.stores} stores, ${loop.spills} of the stack`,
    `    ${overhead(loop).toFixed(2)} instructions a product, at least ${leastOverhead(loop).toFixed(2)}`,
  ]
  for (const core of CORES) {
    const { cycles, bound } = predict(loop, core)
    lines.push(
      `    ${core.name}: ${cycles.toFixed(1)} cycles (${bound}), ${percent(shareOfPeak(loop, cycles, core))} of its peak, predicted`,
    )
  }
  if (mca !== undefined) {
    const cpu = mcaCore(mca)
    const cycles = mcaCycles(mca, cpu, loop)
    const share =
      typeof cycles === 'string' || cpu !== 'neoverse-v2'
        ? ''
        : `, ${percent(shareOfPeak(loop, cycles, CORES[0]))} of its peak`
    lines.push(
      `    ${cpu} by llvm-mca ${mca.version}: ${typeof cycles === 'string' ? cycles : `${cycles.toFixed(1)} cycles${share}, predicted`}`,
    )
  }
  return lines.join('\n')
}

function main(stems: readonly string[]): void {
  const compiler = findCrossCompiler()
  if ('missing' in compiler) {
    console.log(`skipped: loops of AArch64 (${compiler.missing})`)
    console.log('0 passed, 0 failed, 1 skipped')
    return
  }
  const mca = findMca()
  console.log(`${compiler.name}, ${mca ? `${mca.command} (LLVM ${mca.version})` : 'no llvm-mca'}`)
  const all = compilations(compiler)
  const counts = { passed: 0, failed: 0 }
  for (const { set, stem, assembly } of all.filter(({ stem }) => stems.includes(stem))) {
    const loops = innerLoops(assembly()).filter(({ sums }) => sums >= LEAST_SUMS)
    const names = demangled(loops.map(({ symbol }) => symbol))
    const named = loops.map((loop, i) => ({ loop, name: names[i] }))
    const hottest = named.sort((a, b) => b.loop.products - a.loop.products).slice(0, SHOWN)
    console.log(`${stem}, ${set}: ${hottest.length} of ${loops.length} loops`)
    for (const { loop, name } of hottest) console.log(describe(loop, name, mca))
    for (const loop of mainLoops(loops)) {
      const complaints = complaintsOf(loop, mca)
      if (complaints.length === 0) counts.passed++
      else counts.failed++
      const name = named.find((one) => one.loop === loop)!.name
      for (const complaint of complaints) console.log(`failed: ${stem}, ${set}, ${name}: ${complaint}`)
    }
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, 0 skipped`)
  if (counts.failed > 0) process.exitCode = 1
}

const stems = process.argv.slice(2)
main(stems.length > 0 ? stems : STEMS)
