/**
 * A program whose kernel writes one element more than the buffer that is bound to it, inside its arena. Run as a process
 * by test/sanitize.ts: with a sanitized addon it must not come to its end, where it prints `not stopped`.
 */
import { openCpu } from '../../src/device/cpu.js'
import { fill } from '../../src/ops/fill.js'

const count = 100
const device = openCpu({ threads: 2 })
const arena = device.alloc(4096, 'arena')
const ref = { arena: 0, offset: 256, bytes: count * 4, stride: 0, shift: 0, modulo: 1 }
const call = { kind: 'call', kernel: fill.forward, refs: [ref], label: 'overrun' } as const
const program = (elements: number) => ({
  name: 'overrun',
  arenas: [{ name: 'arena', bytes: 4096 }],
  scalars: [],
  steps: [{ ...call, params: [elements, 1] }],
})
await device.run(device.prepare(program(count), [arena]), {})
console.log('what fits runs')
await device.run(device.prepare(program(count + 1), [arena]), {})
console.log('not stopped')
await device.destroy()
