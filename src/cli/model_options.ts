/** Options of the commands that speak of a pretraining run, `pretrain` and `plan`, and what they make of them. */
import { type Command, Option } from 'commander'
import type { MemoryPlan } from '../graph/runtime.js'
import { PRESETS } from '../model/config.js'
import { availableMemory, UNKNOWN_MEMORY } from '../training/memory.js'
import type { PretrainChoices } from '../training/pretraining/settings.js'
import { positiveInteger } from './options.js'
import { bytes, warn } from './output.js'

/** Adds --preset and the sizes that override it. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(new Option('--preset <name>', 'sizes of the model').choices(PRESETS))
    .option('--embedding-size <n>', 'E instead of the preset’s', positiveInteger)
    .option('--hidden-size <n>', 'H', positiveInteger)
    .option('--layers <n>', 'L', positiveInteger)
    .option('--heads <n>', 'A', positiveInteger)
    .option('--intermediate-size <n>', 'I', positiveInteger)
    .option('--max-positions <n>', 'longest sequence', positiveInteger)
}

/** Says so where nobody can know whether a run fits into memory: it is not refused then. */
export function warnOfUnknownMemory(): void {
  if (availableMemory() === undefined) warn(`${UNKNOWN_MEMORY}: whether this run fits was not checked`)
}

/** `1.20 GiB (parameters ..., gradients and moments ..., activations ..., device ...)`. */
export function memoryText(plan: MemoryPlan, working: number): string {
  return (
    `${bytes(plan.totalBytes + working)} (parameters ${bytes(plan.parameterBytes)}, gradients and moments ` +
    `${bytes(plan.gradientBytes + plan.optimizerBytes)}, ` +
    `${plan.operandBytes > 0 ? `packed weights ${bytes(plan.operandBytes)}, ` : ''}activations ${bytes(plan.activationBytes)}, ` +
    `device ${bytes(working + plan.programBytes)})`
  )
}

/** `mini with layers 6`. */
export function modelText({ preset, ...choices }: PretrainChoices): string {
  const names = [
    'embeddingSize',
    'hiddenSize',
    'layers',
    'heads',
    'intermediateSize',
    'maxPositions',
  ] as const
  const changed = names
    .filter((name) => choices[name] !== undefined)
    .map((name) => `${name} ${choices[name]}`)
  return [preset ?? 'a model', ...(changed.length > 0 ? [`with ${changed.join(', ')}`] : [])].join(' ')
}
