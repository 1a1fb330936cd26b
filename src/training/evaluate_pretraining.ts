/** Held-out evaluation of pretraining: MLM and pair losses and accuracies without dropout, and a baseline to beat. */
import type { Instance, InstanceStream } from '../data/instance_stream.js'
import type { Runtime } from '../graph/runtime.js'
import type { PretrainingCapacity } from '../model/pretraining.js'
import { Collator, splitStep } from './pretraining_batch.js'
import { addLosses, type Losses, means, noLosses } from './pretraining_programs.js'

/** The first instances of the held-out split, at most `limit`. */
export function heldOutInstances(stream: InstanceStream, limit: number): Instance[] {
  return Array.from({ length: Math.min(limit, stream.info.instances) }, () => stream.next())
}

/** Share of the most frequent label: the MLM accuracy of the best guess that ignores the text. */
export function unigramBaseline(instances: readonly Instance[]): number {
  const counts = new Map<number, number>()
  let all = 0
  for (const { labels } of instances)
    for (const label of labels) {
      counts.set(label, (counts.get(label) ?? 0) + 1)
      all++
    }
  return all === 0 ? 0 : Math.max(...counts.values()) / all
}

/** Means over all instances. */
export async function evaluatePretraining(
  runtime: Runtime,
  capacity: PretrainingCapacity,
  instances: readonly Instance[],
): Promise<Losses> {
  const collator = new Collator(capacity)
  const sums = noLosses()
  for (const part of splitStep(instances, capacity)) {
    const batch = collator.collate(part)
    const { rows, sequences, masked } = batch
    const scalars = { rows, sequences, masked, mlm_scale: 1, sop_scale: 1, seed: 0, draw: 0 }
    await runtime.run('evaluate', batch.inputs, scalars)
    await addLosses(runtime, 'evaluate', batch, sums)
  }
  return means(sums)
}
