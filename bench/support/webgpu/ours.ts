/** Ours of an op in a race on WebGPU: compared with an oracle in float64, then the kernels that are timed by themselves. */
import type { InputData } from '../../../src/graph/runtime.js'
import type { Attrs, Op } from '../../../src/ops/op.js'
import type { Results } from '../agree.js'
import { checkPart, dropoutScalars, type OpBench, prepareOp, uniform } from '../op_program.js'
import type { Operand, WebgpuCase } from './contract.js'

export const operand = (data: InputData, ...shape: number[]): Operand => ({ shape, data })
/** As `prepareOp` draws the gradient that arrives. */
export const arriving = (...shape: number[]) => operand(uniform(99, shape), ...shape)
export const given = (of: Operand, role: 'activation' | 'weight' | 'fixed') => ({ ...of, role })

/** `kernels` begin the names of those that are timed; `results` takes what peers give too. */
export function opOurs<A extends Attrs>(
  op: Op<A>,
  options: OpBench<A>,
  kernels: string,
  results: (read: (name: string) => Promise<InputData>) => Promise<Results>,
): WebgpuCase['ours'] {
  return async (device) => {
    const ready = await prepareOp(device, op, options)
    const scalars = { ...dropoutScalars, ...options.scalars }
    for (const part of ['forward', 'backward'] as const) {
      const { prepared } = ready.parts[part]
      if (!prepared) continue
      await device.run(prepared, scalars)
      await checkPart('ours', op, options, ready, part)
    }
    const first = await results(ready.read)
    const part = ready.kernels(kernels)
    const repeated = new Map<number, ReturnType<typeof part.repeated>>()
    return {
      results: first,
      flops: part.flops,
      bytes: part.bytes,
      async run(count) {
        const prepared = repeated.get(count) ?? part.repeated(count)
        repeated.set(count, prepared)
        await device.run(prepared, scalars)
      },
      free: ready.free,
    }
  }
}

/** Takes results of these names. */
export function named(...names: string[]) {
  return async (read: (name: string) => Promise<InputData>): Promise<Results> => {
    const results: Record<string, InputData> = {}
    for (const name of names) results[name] = await read(name)
    return results
  }
}
