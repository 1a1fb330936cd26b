/**
 * What a kernel is to the host: a name, buffers in order with their access, then parameters of four bytes.
 * The same order stands in the C++ function, in the WGSL bindings and in the CUDA arguments.
 */

/** read: input. write: every element is written. accumulate: `+=` onto what is there. scratch: contents mean nothing before and after. */
export type Access = 'read' | 'write' | 'accumulate' | 'scratch'

export type ParamType = 'u32' | 'i32' | 'f32'

export interface BufferSlot {
  readonly name: string
  readonly access: Access
}

export interface ParamSlot {
  readonly name: string
  readonly type: ParamType
}

export interface Kernel {
  /** Entry point, `<op>_forward`, `<op>_backward` or `<op>_backward_<part>`. */
  readonly name: string
  readonly buffers: readonly BufferSlot[]
  readonly params: readonly ParamSlot[]
  /** Its operations are matrix products, which a model's FLOPs count. */
  readonly multiplies?: boolean
  /** What its products are of, where that has a peak of its own. */
  readonly products?: Products
}

/** Types of operands whose products a processor may make faster than those of f32. */
export type Products = 'bf16' | 'int8'

/**
 * The same kernel on activations of bf16: same buffers, same parameters, an entry point of its own. Which of its buffers
 * hold bf16 then is said by the source; statistics, weights and their gradients stay f32. Matrix products then are of bf16.
 */
export function inBf16(kernel: Kernel): Kernel {
  return { ...kernel, name: `${kernel.name}_bf16`, ...(kernel.multiplies && { products: 'bf16' as const }) }
}

/** The same kernel on a weight of 8-bit integers (ops/pack_int8.ts), an entry point of its own too. */
export function inInt8(kernel: Kernel): Kernel {
  return { ...kernel, name: `${kernel.name}_int8`, products: 'int8' }
}

/** Declares a kernel; the order of the keys is the order of the arguments. `multiplies` as in `Kernel`. */
export function kernel(
  name: string,
  buffers: Readonly<Record<string, Access>>,
  params: Readonly<Record<string, ParamType>>,
  { multiplies }: Pick<Kernel, 'multiplies'> = {},
): Kernel {
  return {
    name,
    buffers: Object.entries(buffers).map(([name, access]) => ({ name, access })),
    params: Object.entries(params).map(([name, type]) => ({ name, type })),
    ...(multiplies && { multiplies }),
  }
}
