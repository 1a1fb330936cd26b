/** What is asked of the loops that products spend their time in: no stack, and a share of what the core could do. */
import type { Kind, Loop } from './assembly.js'
import { CORES, type Mca, mcaCore, mcaCycles, predict, shareOfPeak } from './predict.js'

/** Least share of the core's peak; the rest goes to what stands around the loop. */
export const GOALS: Readonly<Record<Kind, number>> = { f32: 0.85, bf16: 0.8, int8: 0.8 }

const percent = (share: number) => `${(100 * share).toFixed(0)}%`

/** What is wrong with the loop that products spend their time in. */
export function complaintsOf(loop: Loop, mca?: Mca): string[] {
  const complaints: string[] = []
  if (loop.spills > 0) complaints.push(`${loop.spills} loads and stores of the stack`)
  const shares = CORES.map((core) => ({
    what: core.name,
    share: shareOfPeak(loop, predict(loop, core).cycles, core),
  }))
  const cycles = mca && mcaCycles(mca, mcaCore(mca), loop)
  if (typeof cycles === 'number' && mcaCore(mca!) === 'neoverse-v2')
    shares.push({
      what: `neoverse-v2 by llvm-mca ${mca!.version}`,
      share: shareOfPeak(loop, cycles, CORES[0]),
    })
  for (const { what, share } of shares)
    if (share < GOALS[loop.kind])
      complaints.push(`${percent(share)} of the peak of ${what} (want ${percent(GOALS[loop.kind])})`)
  return complaints
}
