/**
 * What a kernel has to do in a run of given sizes, from what its op declares: the operations and bytes by which benches
 * and profiles judge its time. See `Work` for what counts.
 */
import type { Access, Kernel } from '../device/kernel.js'
import type { Sizes, Work } from '../device/program.js'
import type { Attrs, Op } from './op.js'
import { byteSize, type Dim, resolveDim, type Spec } from './shape.js'

/** How often each element of a buffer moves. Scratch is meant to stay in the caches. */
const TIMES: Readonly<Record<Access, number>> = { read: 1, write: 1, accumulate: 2, scratch: 0 }

/**
 * The work of one kernel of an op as a function of run-time sizes. `specs` has the op's tensors by name, `bindings`
 * those of the kernel's slots.
 */
export function kernelWork<A extends Attrs>(
  op: Op<A>,
  kernel: Kernel,
  specs: Readonly<Record<string, Spec>>,
  attrs: A,
  bindings: readonly Spec[],
): (sizes: Sizes) => Work {
  return (sizes) => {
    const resolved = Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [name, resolveSpec(spec, sizes)]),
    )
    const chosen = resolveAttrs(attrs, sizes)
    const own = op.work?.(kernel.name, resolved, chosen, sizes) ?? {}
    const flops = own.flops ?? usualFlops(op, kernel, () => op.flops(resolved, chosen, sizes))
    return {
      flops,
      modelFlops: own.modelFlops ?? (kernel.multiplies ? flops : 0),
      bytes: own.bytes ?? bytesOf(kernel, bindings, sizes),
    }
  }
}

function usualFlops(op: Op, kernel: Kernel, forward: () => number): number {
  if (kernel === op.forward) return forward()
  return op.backward?.includes(kernel) ? (2 * forward()) / op.backward.length : 0
}

function bytesOf(kernel: Kernel, bindings: readonly Spec[], sizes: Sizes): number {
  return kernel.buffers.reduce(
    (n, { access }, i) => n + TIMES[access] * byteSize(resolveSpec(bindings[i], sizes)),
    0,
  )
}

function resolveSpec({ shape, dtype }: Spec, sizes: Sizes): Spec {
  return { shape: shape.map((d) => resolveDim(d, sizes)), dtype }
}

/** Attributes with the dimensions among them as numbers. */
function resolveAttrs<A extends Attrs>(attrs: A, sizes: Sizes): A {
  const resolve = (value: Attrs[string]): Attrs[string] => {
    if (typeof value !== 'object') return value
    if (Array.isArray(value)) return (value as readonly Dim[]).map((d) => resolveDim(d, sizes))
    return resolveDim(value as Dim, sizes)
  }
  return Object.fromEntries(Object.entries(attrs).map(([name, value]) => [name, resolve(value)])) as A
}
