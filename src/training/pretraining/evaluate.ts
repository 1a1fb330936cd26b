/** Held-out evaluation of pretraining: MLM and pair losses and accuracies without dropout, and a baseline to beat. */
import type { Instance, InstanceStream } from '../../data/instances/stream.js'
import type { Runtime } from '../../graph/runtime.js'
import type { PretrainingCapacity } from '../../model/pretraining.js'
import { Queue } from '../queue.js'
import { Collators, splitStep } from './batch.js'
import { type Losses, means, noLosses, runLosses } from './programs.js'

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
  const collators = new Collators(capacity)
  const queue = new Queue()
  const sums = noLosses()
  const runs: Promise<void>[] = []
  for (const part of splitStep(instances, capacity)) {
    await queue.room()
    const batch = collators.collate(part)
    const scalars = { mlm_scale: 1, sop_scale: 1, seed: 0, draw: 0 }
    const run = runLosses(runtime, 'evaluate', batch, scalars, {}, sums)
    queue.add(run)
    runs.push(run)
  }
  await Promise.all(runs)
  return means(sums)
}
