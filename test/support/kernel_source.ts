/**
 * Reads the argument lists of kernels out of their C++ and CUDA sources, for the comparison with what the ops declare:
 * `void op_forward(Team& team, const float* x, float* y, uint32_t rows, float eps)`, and in CUDA
 * `void op_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> rows, Param<float> eps)`. A
 * template over the type of activations that KERNELS exports counts as two kernels, the second with the suffix `_bf16`.
 */
export interface KernelSignature {
  /** Pointers or buffers in order; const ones are only read. */
  buffers: { name: string; readOnly: boolean }[]
  /** Four-byte arguments in order. */
  params: { name: string; type: 'u32' | 'i32' | 'f32' }[]
}

const paramTypes: Record<string, 'u32' | 'i32' | 'f32'> = { uint32_t: 'u32', int32_t: 'i32', float: 'f32' }

/** How a kind of source spells an argument list. */
interface Spelling {
  /** The first argument, and what it is called. */
  readonly first: RegExp
  readonly firstName: string
  /** (const)(name) of a buffer, (type)(name) of a parameter. */
  readonly buffer: RegExp
  readonly param: RegExp
}

const cpu: Spelling = {
  first: /^Team& ?(team)?$/,
  firstName: 'Team&',
  buffer: /^(const )?\w+ ?\* ?(?:__restrict(?:__)? )?(\w+)$/,
  param: /^(?:const )?(uint32_t|int32_t|float) (\w+)$/,
}

const cuda: Spelling = {
  first: /^Launch& ?(launch)?$/,
  firstName: 'Launch&',
  // Weight<T> is a buffer that is only read (kernels/cuda/dense.cuh)
  buffer: /^(?:\[\[maybe_unused\]\] )?(?:Buffer<)?(const |Weight<)?\w+> (\w+)$/,
  param: /^(?:\[\[maybe_unused\]\] )?Param<(uint32_t|int32_t|float)> (\w+)$/,
}

/** The kernels that a file of kernels/cpu exports, by name. Throws on one whose argument list it cannot read. */
export function cpuKernels(source: string): Map<string, KernelSignature> {
  return exportedKernels(source, cpu)
}

/** As `cpuKernels`, of a file of kernels/cuda. */
export function cudaKernels(source: string): Map<string, KernelSignature> {
  return exportedKernels(source, cuda)
}

function exportedKernels(source: string, spelling: Spelling): Map<string, KernelSignature> {
  const code = source.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '')
  const kernels = new Map<string, KernelSignature>()
  const exported = code.slice(code.lastIndexOf('EXPORT_KERNELS('))
  for (const [, both, name] of exported.matchAll(/KERNEL(S?)\((\w+)\)/g)) {
    const list = code.match(new RegExp(`void ${name}\\(([^)]*)\\)`))?.[1]
    if (list === undefined) throw new Error(`${name}: no function of that name with a plain argument list`)
    kernels.set(name, signature(name, list, spelling))
    const template = new RegExp(`template <class T>\\s+void ${name}\\(`).test(code)
    if (template !== (both === 'S'))
      throw new Error(`${name}: want a template over T under KERNELS, no other`)
    if (template) kernels.set(`${name}_bf16`, signature(name, list, spelling))
  }
  return kernels
}

function signature(name: string, list: string, spelling: Spelling): KernelSignature {
  const [first, ...args] = list.split(',').map((arg) => arg.trim().replace(/\s+/g, ' '))
  if (!spelling.first.test(first))
    throw new Error(`${name}: the first argument is \`${first}\`, not ${spelling.firstName}`)
  const found: KernelSignature = { buffers: [], params: [] }
  for (const arg of args) {
    const pointer = arg.match(spelling.buffer)
    const word = arg.match(spelling.param)
    if (pointer !== null) {
      if (found.params.length > 0) throw new Error(`${name}: buffer ${pointer[2]} stands behind a parameter`)
      found.buffers.push({ name: pointer[2], readOnly: pointer[1] !== undefined })
    } else if (word !== null) found.params.push({ name: word[2], type: paramTypes[word[1]] })
    else throw new Error(`${name}: cannot read the argument \`${arg}\``)
  }
  return found
}
