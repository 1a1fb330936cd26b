/**
 * Reads the argument lists of kernels out of their C++ sources, for the comparison with what the ops declare:
 * `void op_forward(Team& team, const float* x, float* y, uint32_t rows, float eps)`. A template over the type of
 * activations that KERNELS exports counts as two kernels, the second with the suffix `_bf16`.
 */
export interface KernelSignature {
  /** Pointer arguments in order; const ones are only read. */
  buffers: { name: string; readOnly: boolean }[]
  /** Four-byte arguments in order. */
  params: { name: string; type: 'u32' | 'i32' | 'f32' }[]
}

const paramTypes: Record<string, 'u32' | 'i32' | 'f32'> = { uint32_t: 'u32', int32_t: 'i32', float: 'f32' }

/** The kernels that a file of kernels/cpu exports, by name. Throws on one whose argument list it cannot read. */
export function cpuKernels(source: string): Map<string, KernelSignature> {
  const code = source.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '')
  const kernels = new Map<string, KernelSignature>()
  const exported = code.slice(code.lastIndexOf('EXPORT_KERNELS('))
  for (const [, both, name] of exported.matchAll(/KERNEL(S?)\((\w+)\)/g)) {
    const list = code.match(new RegExp(`void ${name}\\(([^)]*)\\)`))?.[1]
    if (list === undefined) throw new Error(`${name}: no function of that name with a plain argument list`)
    kernels.set(name, signature(name, list))
    const template = new RegExp(`template <class T>\\s+void ${name}\\(`).test(code)
    if (template !== (both === 'S'))
      throw new Error(`${name}: want a template over T under KERNELS, no other`)
    if (template) kernels.set(`${name}_bf16`, signature(name, list))
  }
  return kernels
}

function signature(name: string, list: string): KernelSignature {
  const [team, ...args] = list.split(',').map((arg) => arg.trim().replace(/\s+/g, ' '))
  if (!/^Team& ?(team)?$/.test(team)) throw new Error(`${name}: the first argument is \`${team}\`, not Team&`)
  const found: KernelSignature = { buffers: [], params: [] }
  for (const arg of args) {
    const pointer = arg.match(/^(const )?\w+ ?\* ?(?:__restrict(?:__)? )?(\w+)$/)
    const word = arg.match(/^(?:const )?(uint32_t|int32_t|float) (\w+)$/)
    if (pointer !== null) {
      if (found.params.length > 0) throw new Error(`${name}: buffer ${pointer[2]} stands behind a parameter`)
      found.buffers.push({ name: pointer[2], readOnly: pointer[1] !== undefined })
    } else if (word !== null) found.params.push({ name: word[2], type: paramTypes[word[1]] })
    else throw new Error(`${name}: cannot read the argument \`${arg}\``)
  }
  return found
}
