/** What the Node peers share: their options, and the protocol of bench/support/peer.ts, a step for every line "step". */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/** Options of a peer: `--name value` for each of `names`, and --threads. */
export function peerOptions(...names) {
  const options = Object.fromEntries([...names, 'threads'].map((name) => [name, { type: 'string' }]))
  return parseArgs({ options }).values
}

/** Warms up, says what runs, and takes a step for each line; its seconds are those of one of its `repeat` passes. */
export async function serve(step, description, repeat = 1) {
  for (let i = 0; i < 2; i++) await step()
  console.log(JSON.stringify(description))
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== 'step') throw new Error(`found ${JSON.stringify(line)}, expected "step"`)
    const start = performance.now()
    await step()
    console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 / repeat }))
  }
}
