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

/** Types of activations of two bytes: of the CPU and CUDA, and of WebGPU. */
export const HALF_TYPES = ['bf16', 'f16'] as const
export type HalfType = (typeof HALF_TYPES)[number]

/**
 * The same kernel on activations of two bytes: same buffers, same parameters, an entry point of its own. Which of its buffers
 * hold them then is said by the source; statistics, gradients of weights and sums stay f32. Matrix products then are of bf16;
 * those of f16 are made in f32, unless an adapter multiplies f16 with sums in f32.
 */
export function inHalf(kernel: Kernel, type: HalfType): Kernel {
  const products = type === 'bf16' && kernel.multiplies ? ({ products: 'bf16' } as const) : {}
  return { ...kernel, name: `${kernel.name}_${type}`, ...products }
}

/** Whether that name is a kernel's own, or that of its form for activations of two bytes. */
export function isFormOf(name: string, kernel: Kernel): boolean {
  return name === kernel.name || HALF_TYPES.some((type) => name === inHalf(kernel, type).name)
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
