/** Times an op by itself, forward and backward apart, once both agree with an oracle (op_program.ts). */
import type { Attrs, Op } from '../../src/ops/op.js'
import { bench } from './bench.js'
import { isCase } from './case.js'
import { openBenchDevice } from './device.js'
import { checkPart, dropoutScalars, type OpBench, prepareOp } from './op_program.js'

export * from './op_program.js'

/** Times forward and backward of an op. Rejects when one of them computes something else than expected. */
export async function benchOp<A extends Attrs>(name: string, op: Op<A>, options: OpBench<A>): Promise<void> {
  if (!isCase(name)) return
  const device = await openBenchDevice()
  try {
    const ready = await prepareOp(device, op, options)
    const { parts } = ready
    const scalars = { ...dropoutScalars, ...options.scalars }
    for (const part of ['forward', 'backward'] as const) {
      const { prepared, flops, products, bytes } = parts[part]
      if (!prepared) continue
      const run = () => device.run(prepared, scalars)
      const check = async () => {
        await run()
        await checkPart(`${op.name} ${name}`, op, options, ready, part)
      }
      await bench(`${op.name} ${name} ${part}`, { flops: flops || undefined, products, bytes }, run, {
        check,
      })
    }
  } finally {
    await device.destroy()
  }
}
