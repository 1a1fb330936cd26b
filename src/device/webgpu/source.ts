/**
 * Reads kernels out of WGSL files. A file `kernels/wgsl/<stem>.wgsl` is cut into sections:
 *
 *     // uses product                                                 // shared code that stands in front, by family
 *     <helpers that every kernel of the file may call>
 *     // kernel <op>_forward
 *     // when: in % 4 == 0                                            // left out where the section fits any shape
 *     struct Params { rows: u32, in: u32 }
 *     @group(0) @binding(0) var<storage, read_write> x: array<vec4f>; // one per buffer slot, in its order
 *     @group(0) @binding(1) var<uniform> params: Params;              // last; left out when there are no parameters
 *     // workgroups: ceil(rows / TILE)
 *     @compute @workgroup_size(64) fn main(...) { ... }
 *
 * A section is valid WGSL once prelude.wgsl, the shared code and the helpers stand in front of it. Its entry points run in the
 * order of the file with a barrier between; the line in front of each says how many workgroups, from the parameters and from
 * constants of the code. Buffers are all read_write because ranges of one arena may not mix usages within a dispatch. A slot whose
 * name is a word of WGSL is written with an underscore behind it (`fn_`).
 *
 * Sections of one name are forms of one kernel: of those whose condition holds for the parameters that are known when a program
 * is prepared, the first is taken; the last has no condition. Forms that differ in no more than shared code, constants and condition
 * are one section with a line for each: `// form vec4, TILE = 8u when: in % 4 == 0`. A line `// f16 vec4, halves` is a form of another
 * kernel, the section's for activations of f16 (`inHalf` in kernel.ts): `<op>_forward_f16`.
 *
 * Where entry points do not agree on what the shared code asks of a section, a line `// part` begins code of its own for those behind
 * it: what stands in front of the first one stands in front of each. Entry points with the line `// in rounds` run in turns, as often as
 * the section says: `// rounds: ceil(vocabulary / WORDS)`, from parameters that no run changes. The last word of `Params` is then `round`,
 * which the device counts from 0. `// scratch: labels * WORDS` says how many words of memory a kernel wants beside its buffers, from such
 * parameters and the words of buffers, by their names; its binding is behind the parameters.
 *
 * Shared code is a family: a file `shared/<family>.wgsl`, or variants of it, `shared/<family>/<variant>.wgsl`, which declare the same
 * functions and differ in what they are fast on; one is chosen for an adapter. It stands in front of every section, or of one
 * if the line is in that. It may call functions that sections declare (WGSL knows no order of declarations), and use other
 * families. `// requires subgroups` in a variant names a feature of the adapter, whose `enable` line is put in front of the code; `// multiplies
 * f32 -> f32 from 8x4x4 to 16x32x16` matrices of subgroups, of whose shapes there the first that the variant can use (each size a
 * multiple of the one and a divisor of the other) stands in front as constants M, N and K; `// suits adapters in software` says what
 * it says.
 */
import type { ParamSlot, ParamType } from '../kernel.js'
import { reachable, readConstants, readFunctions, stripComments } from './code.js'
import { type Expression, parseExpression } from './expression.js'

export interface WgslEntry {
  readonly name: string
  readonly workgroups: Expression
  /** Parameters that `workgroups` reads. */
  readonly reads: readonly string[]
  /** Whether it runs once in each of the kernel's rounds. */
  readonly inRounds: boolean
  /** Numbers of the bindings that the entry point reaches, itself or through functions that it calls. */
  readonly bindings: readonly number[]
  /** The module that it is in. */
  readonly code: string
}

/** One form of a kernel. */
export interface WgslKernel {
  readonly name: string
  /** The name, and which form it is if there are several: for messages and as a key. */
  readonly label: string
  /** Buffers in the order of their binding numbers. */
  readonly buffers: readonly { readonly name: string; readonly type: string }[]
  readonly params: readonly ParamSlot[]
  /** Number of the binding of the parameters, which is the number of buffers; undefined when there are none. */
  readonly paramsBinding: number | undefined
  /** Memory that it wants beside its buffers: words, over parameters and the words of buffers. */
  readonly scratch?: { readonly binding: number; readonly words: Expression }
  /** How often the entry points run that take turns, over parameters that no run changes. */
  readonly rounds?: Expression
  readonly entries: readonly WgslEntry[]
  /** Whether this form is right for these parameters, and which of them that depends on. */
  readonly when?: { readonly holds: Expression; readonly reads: readonly string[] }
  /** Families of shared code in it. */
  readonly families: readonly string[]
}

/** Where kernel sources come from: a folder in Node, a bundle in a browser. */
export interface KernelSources {
  readonly prelude: string
  /** Text by stem. */
  readonly files: Readonly<Record<string, string>>
  /** Shared code by family and variant; a family with a single form has the variant ''. */
  readonly shared: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** The variant of each family to use; the first one of a family that is left out (`variantNames`). */
export type Variants = Readonly<Record<string, string>>

/** Features of an adapter that a variant wants, by the names that WebGPU gives them. */
export function variantFeatures(text: string): string[] {
  return [...text.matchAll(/^\/\/ requires ([\w-]+)\s*$/gm)].map(([, feature]) => feature)
}

/** The matrices of subgroups that a variant multiplies. */
interface Matrices {
  /** Operands and sums: `f32 -> f32`. */
  readonly kind: string
  /** M, N and K are multiples of the one and divisors of the other. */
  readonly least: readonly number[]
  readonly most: readonly number[]
}

function variantMatrices(text: string): Matrices | undefined {
  const line = /^\/\/ multiplies (\w+ -> \w+) from (\d+)x(\d+)x(\d+) to (\d+)x(\d+)x(\d+)$/m.exec(text)
  if (line === null) return undefined
  const sizes = line.slice(2).map(Number)
  return { kind: line[1], least: sizes.slice(0, 3), most: sizes.slice(3) }
}

/**
 * Of an adapter's matrices, `f32 -> f32 8x8x8`, in the order of its preference, the first that a variant multiplies, as constants;
 * '' for a variant that multiplies none, undefined where there are none for it.
 */
export function matrixConstants(text: string, matrices: readonly string[]): string | undefined {
  const wanted = variantMatrices(text)
  if (!wanted) return ''
  for (const matrix of matrices) {
    const [, kind, ...sizes] = /^(\w+ -> \w+) (\d+)x(\d+)x(\d+)$/.exec(matrix) ?? []
    const fits = sizes.every(
      (size, i) => Number(size) % wanted.least[i] === 0 && wanted.most[i] % Number(size) === 0,
    )
    if (kind === wanted.kind && fits)
      return sizes.map((size, i) => `const ${'MNK'[i]} = ${size}u;\n`).join('')
  }
  return undefined
}

/** The variants of a family: first those that every adapter can run, in the order of their names. */
export function variantNames(variants: Readonly<Record<string, string>>): string[] {
  const needs = (name: string) => Math.min(1, variantFeatures(variants[name]).length)
  return Object.keys(variants).sort((a, b) => needs(a) - needs(b))
}

/** Whether a variant is the one for adapters that compute on the processor: `// suits adapters in software`. */
export function suitsSoftware(text: string): boolean {
  return /^\/\/ suits adapters in software$/m.test(text)
}

/** What WGSL calls the features that it has other names for. */
const ENABLE: Readonly<Record<string, string>> = { 'shader-f16': 'f16' }

/**
 * All kernels of all files by name, each with its forms, for an adapter with these matrices of subgroups. Throws on a file that
 * breaks the conventions above.
 */
export function readKernels(
  sources: KernelSources,
  variants: Variants = {},
  matrices: readonly string[] = [],
): Map<string, WgslKernel[]> {
  const { prelude, files } = sources
  const kernels = new Map<string, WgslKernel[]>()
  const homes = new Map<string, string>()
  for (const [stem, text] of Object.entries(files)) {
    const [helpers, ...sections] = text.split(/^\/\/ kernel (?=\w+\s*$)/m)
    if (sections.length === 0) throw new Error(`${stem}.wgsl has no line \`// kernel NAME\``)
    for (const section of sections.flatMap(formsOf)) {
      const shared = sharedCode(stem, `${helpers}\n${section.text}`, sources, variants, matrices)
      const front = [...shared.enable, prelude, ...shared.texts, helpers].join('\n')
      const { name, text: body } = section
      const forms = kernels.get(name) ?? []
      if (forms.length > 0 && homes.get(name) !== stem)
        throw new Error(`${stem}.wgsl: kernel ${name} is in ${homes.get(name)}.wgsl already`)
      homes.set(name, stem)
      const label = forms.length === 0 ? name : `${name} (form ${forms.length + 1})`
      forms.push(readSection(name, label, front, body, shared.families))
      kernels.set(name, forms)
    }
  }
  for (const forms of kernels.values()) checkForms(forms)
  return kernels
}

/**
 * The kernel that a section is and its text behind the name; once for each of its lines `// form` and `// f16`, with what these
 * name as lines of their own.
 */
function formsOf(section: string): { name: string; text: string }[] {
  const line = /^\/\/ (form|f16) (.+?)(?: when: (.+))?\n/gm
  const forms = [...section.matchAll(line)]
  const [name, ...rest] = section.replace(line, '').split('\n')
  if (forms.length === 0) return [{ name: name.trim(), text: rest.join('\n') }]
  return forms.map(([, kind, text, condition]) => {
    const items = text.split(',').map((item) => item.trim())
    const constants = items.filter((item) => item.includes('='))
    const families = items.filter((item) => !item.includes('='))
    const lines = [
      ...(condition === undefined ? [] : [`// when: ${condition}`]),
      ...(families.length > 0 ? [`// uses ${families.join(', ')}`] : []),
      ...constants.map((constant) => `const ${constant};`),
    ]
    return {
      name: kind === 'f16' ? `${name.trim()}_f16` : name.trim(),
      text: [...lines, ...rest].join('\n'),
    }
  })
}

/** Shared code that a text names, and that that code names in turn, each once. */
function sharedCode(
  stem: string,
  text: string,
  { shared }: KernelSources,
  variants: Variants,
  matrices: readonly string[],
) {
  const families: string[] = []
  const texts: string[] = []
  const enable = new Set<string>()
  const add = (user: string, part: string) => {
    for (const [, names] of part.matchAll(/^\/\/ uses (.+)$/gm))
      for (const family of names.split(',').map((name) => name.trim())) {
        if (families.includes(family)) continue
        const found = shared[family]
        if (!found) throw new Error(`${user}.wgsl uses ${family}, which is not in the folder shared`)
        const variant = variants[family] ?? variantNames(found)[0]
        if (found[variant] === undefined)
          throw new Error(`${family} has no variant ${variant} (want ${Object.keys(found).join(', ')})`)
        families.push(family)
        const constants = matrixConstants(found[variant], matrices)
        if (constants === undefined)
          throw new Error(
            `${family}/${variant} multiplies ${variantMatrices(found[variant])!.kind}, of which the adapter has no matrices`,
          )
        texts.push(`${constants}${found[variant]}`)
        for (const feature of variantFeatures(found[variant]))
          enable.add(`enable ${ENABLE[feature] ?? feature.replace(/-/g, '_')};`)
        add(`shared/${family}`, found[variant])
      }
  }
  add(stem, text)
  return { families, texts, enable: [...enable] }
}

function checkForms(forms: readonly WgslKernel[]): void {
  const [first] = forms
  const text = ({ buffers, params }: WgslKernel) => [...buffers, ...params].map(({ name }) => name).join(', ')
  for (const form of forms)
    if (text(form) !== text(first))
      throw new Error(`WGSL kernel ${form.label}: it declares ${text(form)} (want ${text(first)})`)
  const open = forms.findIndex(({ when }) => when === undefined)
  if (open !== forms.length - 1)
    throw new Error(`WGSL kernel ${first.name}: the last of its forms, and no other, is without \`// when:\``)
}

/** The form for parameters of which some are known; a form that depends on others is passed over. */
export function formFor(
  forms: readonly WgslKernel[],
  known: (param: string) => number | undefined,
): WgslKernel {
  return forms.find(
    ({ when }) =>
      when === undefined ||
      (when.reads.every((name) => known(name) !== undefined) && when.holds((name) => known(name)!) !== 0),
  )!
}

/** What an alias stands for in the end. */
function plainType(type: string, aliases: ReadonlyMap<string, string>): string {
  const meant = aliases.get(type)
  return meant === undefined ? type : plainType(meant, aliases)
}

/** The parameter that tells an entry point which of its rounds it is in; it is the device's own. */
const ROUND_PARAM = 'round'

const slotName = (name: string) => name.replace(/_$/, '')

/** What an element of a buffer may be, and the type of its words. */
const ELEMENTS: Readonly<Record<string, string>> = { vec4f: 'f32', vec2u: 'u32', vec4u: 'u32', vec4i: 'i32' }

function readSection(
  name: string,
  label: string,
  front: string,
  section: string,
  families: readonly string[],
): WgslKernel {
  const fail = (what: string): never => {
    throw new Error(`WGSL kernel ${label}: ${what}`)
  }
  const [head, ...parts] = section.split(/^\/\/ part$/m)
  const plain = stripComments(head)
  const aliases = new Map(
    [...front.matchAll(/^alias (\w+) = (\w+);/gm)].map(([, alias, type]) => [alias, type]),
  )
  const buffers: { name: string; type: string }[] = []
  const variables: string[] = []
  let paramsBinding: number | undefined
  let scratchBinding: number | undefined
  const scratchWords = /^\/\/ scratch: (.+)$/m.exec(head)
  const declaration = /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<([^>]+)>\s*(\w+)\s*:\s*([^;]+);/g
  for (const [, group, binding, space, variable, type] of plain.matchAll(declaration)) {
    const isScratch = paramsBinding !== undefined && scratchWords !== null && scratchBinding === undefined
    if (group !== '0' || Number(binding) !== variables.length || (paramsBinding !== undefined && !isScratch))
      fail(
        `${variable} is @group(${group}) @binding(${binding}) (want group 0, numbers in order, params last, but for scratch)`,
      )
    if (space.trim() === 'uniform') {
      if (variable !== 'params' || type.trim() !== 'Params') fail('the uniform is not `params: Params`')
      paramsBinding = variables.length
    } else {
      const element = /^array<(?:atomic<)?(\w+)>+$/.exec(type.trim())?.[1] ?? ''
      const plainElement = plainType(element, aliases)
      const word = ELEMENTS[plainElement] ?? plainElement
      if (!/^storage\s*,\s*read_write$/.test(space.trim()) || !['f32', 'i32', 'u32'].includes(word))
        fail(`${variable} is not var<storage, read_write> of an array of f32, i32, u32 or vectors of them`)
      if (isScratch) scratchBinding = variables.length
      else buffers.push({ name: slotName(variable), type: word })
    }
    variables.push(variable)
  }
  if ((scratchWords === null) !== (scratchBinding === undefined))
    fail('a line `// scratch: ...` and a binding behind the parameters belong together')
  const params: ParamSlot[] = []
  const struct = /struct\s+Params\s*\{([^}]*)\}/.exec(plain)
  if ((struct !== null) !== (paramsBinding !== undefined))
    fail('struct Params and its uniform belong together')
  for (const field of (struct?.[1] ?? '').split(',')) {
    if (field.trim() === '') continue
    const match = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(field.trim())
    if (!match) return fail(`cannot read the parameter \`${field.trim()}\``)
    params.push({ name: slotName(match[1]), type: match[2] as ParamType })
  }

  const roundsText = /^\/\/ rounds: (.+)$/m.exec(head)
  if ((roundsText !== null) !== (params.at(-1)?.name === ROUND_PARAM))
    fail(`a line \`// rounds: ...\` and a parameter ${ROUND_PARAM}, the last one, belong together`)
  if (roundsText) params.pop()

  const constants = readConstants(stripComments(`${front}\n${section}`))
  /** Compiles an expression over parameters and constants; the names of the parameters in it. */
  const expression = (text: string, what: string) => {
    const reads = new Set<string>()
    const compiled = parseExpression(text, (used) => {
      if (params.some((p) => p.name === used)) reads.add(used)
      else if (what === 'scratch' && buffers.some((buffer) => buffer.name === used)) return
      else if (!Number.isFinite(constants.get(used))) fail(`${what}: no parameter or constant ${used}`)
    })
    const value: Expression = (param) => compiled((used) => constants.get(used) ?? param(used))
    return { value, reads: [...reads] }
  }
  const condition = /^\/\/ when: (.+)$/m.exec(section)
  const when = condition && expression(condition[1], 'when')
  const scratch =
    scratchBinding === undefined
      ? undefined
      : { binding: scratchBinding, words: expression(scratchWords![1], 'scratch').value }
  const rounds = roundsText && expression(roundsText[1], 'rounds').value
  const entries: WgslEntry[] = []
  const entry = /((?:^\/\/.*\n)*)^@compute\s+@workgroup_size\([^)]*\)\s*fn\s+(\w+)\s*\(/gm
  for (const part of parts.length > 0 ? parts : ['']) {
    const code = `${front}\n${head}${part}`
    const functions = readFunctions(stripComments(code))
    for (const [, comments, entryName] of `${parts.length > 0 ? part : head}`.matchAll(entry)) {
      const count = /^\/\/ workgroups: (.+)$/m.exec(comments)
      if (!count) return fail(`no line \`// workgroups: ...\` in front of ${entryName}`)
      const { value: workgroups, reads } = expression(count[1], `workgroups of ${entryName}`)
      const inRounds = /^\/\/ in rounds$/m.test(comments)
      if (inRounds && !rounds)
        return fail(`${entryName} is in rounds, and there is no line \`// rounds: ...\``)
      const words = reachable(entryName, functions)
      const bindings = variables.flatMap((v, i) => (words.has(v) ? [i] : []))
      entries.push({ name: entryName, workgroups, reads, inRounds, bindings, code })
    }
  }
  if (entries.length === 0) fail('it has no entry point')
  return {
    name,
    label,
    buffers,
    params,
    paramsBinding,
    entries,
    families,
    ...(scratch && { scratch }),
    ...(rounds && { rounds }),
    ...(when && { when: { holds: when.value, reads: when.reads } }),
  }
}
