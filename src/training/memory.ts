/** Memory of a run against what the machine has left, before anything is allocated. */
import { freemem } from 'node:os'
import { UserError } from '../error.js'
import type { MemoryPlan } from '../graph/runtime.js'

/** Bytes that this process can still take: what the machine or the process's control group leaves, the lesser. */
export function availableMemory(): number {
  const known = process as { availableMemory?: () => number }
  return known.availableMemory?.() ?? freemem()
}

/** Refuses a run whose native memory does not fit, with the figures. `working`: the device's own bytes. */
export function refuseTooLarge(plan: MemoryPlan, working: number, available = availableMemory()): void {
  const need = plan.totalBytes + working
  if (need <= available) return
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`
  throw new UserError(
    `not enough memory: the run needs ${gib(need)} (parameters ${gib(plan.parameterBytes)}, gradients and moments ` +
      `${gib(plan.gradientBytes + plan.optimizerBytes)}, activations ${gib(plan.activationBytes)}), ` +
      `${gib(available)} are available; fewer --rows or --recompute need less`,
  )
}
