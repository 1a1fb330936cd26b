/**
 * Memory of 500 pretraining steps of a small model, in a process of their own. From step 2 on resident memory must not
 * grow by more than 2%; without JavaScript's heap, from which the collector gives pages back when it likes, and on the
 * device it must stay within 2% either way. Prints beside it what was planned and what the process grew by.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { steps } from '../shapes.js'
import { quick, time } from '../support/bench.js'
import { record, recordFigure } from '../support/record.js'
import type { Soak } from '../support/soak.js'

const last = quick ? 20 : 500
const tolerance = 0.02
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const change = (from: number, to: number) => `${(100 * (to / from - 1)).toFixed(2)}%`

for (const { name } of [steps.mini_8x128]) {
  const script = fileURLToPath(new URL('../support/soak.js', import.meta.url))
  const child = spawnSync(process.execPath, ['--expose-gc', script, name, `${last}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.status !== 0) throw new Error(`${script}: exit status ${child.status}`)
  const { before, second, most, end, heap, device, planned, seconds } = JSON.parse(child.stdout) as Soak
  console.log(`${name}, steps 2 to ${last}, ${time(seconds)} each`)
  console.log(
    `resident: ${mib(second)} after step 2, at most ${change(second, most)}, at the end ${change(second, end)}, ` +
      `${change(second - heap[0], end - heap[1])} without JavaScript's heap of ${mib(heap[0])}`,
  )
  console.log(
    `grown since the device was opened: ${mib(end - before)}; device ${mib(device[1])}, planned ${mib(planned)}`,
  )
  const bytes = { before, second, most, end, device: device[1], planned }
  record(`memory ${name}`, {}, { mean: seconds, rme: 0, deviation: 0, samples: last - 2 }, bytes)
  recordFigure({
    what: `resident memory of ${name}, step 2 to step ${last}`,
    value: `${mib(second)}, at most ${change(second, most)} more, ${change(second, end)} at the end`,
  })
  for (const [what, from, to, grown] of [
    ['resident memory at most', second, most, most / second - 1],
    [
      "resident memory at the end without JavaScript's heap",
      second - heap[0],
      end - heap[1],
      Math.abs((end - heap[1]) / (second - heap[0]) - 1),
    ],
    ['device memory', ...device, Math.abs(device[1] / device[0] - 1)],
  ] as const)
    if (grown > tolerance) throw new Error(`${what}: ${mib(to)}, ${mib(from)} after step 2`)
}
