/**
 * Reads kernels out of WGSL files. A file `kernels/wgsl/<stem>.wgsl` is cut into sections:
 *
 *     <helpers that every kernel of the file may call>
 *     // kernel <op>_forward
 *     struct Params { rows: u32, eps: f32 }
 *     @group(0) @binding(0) var<storage, read_write> x: array<f32>;   // one per buffer slot, in its order
 *     @group(0) @binding(1) var<uniform> params: Params;              // last; left out when there are no parameters
 *     // workgroups: ceil(rows / 4)
 *     @compute @workgroup_size(64) fn main(...) { ... }
 *
 * A section is valid WGSL once prelude.wgsl and the helpers stand in front of it. Its entry points run in the order of
 * the file with a barrier between; the line in front of each says how many workgroups, from the parameters. Buffers
 * are all read_write because ranges of one arena may not mix usages within a dispatch. A slot whose name is a word of
 * WGSL is written with an underscore behind it (`fn_`).
 */
import type { ParamSlot, ParamType } from './kernel.js'

/** Numbers of workgroups: an expression over the parameters of a kernel. */
export type WorkgroupCount = (param: (name: string) => number) => number

export interface WgslEntry {
  readonly name: string
  readonly workgroups: WorkgroupCount
  /** Parameters that `workgroups` reads. */
  readonly reads: readonly string[]
  /** Numbers of the bindings that the entry point reaches, itself or through functions that it calls. */
  readonly bindings: readonly number[]
}

export interface WgslKernel {
  readonly name: string
  readonly code: string
  /** Buffers in the order of their binding numbers. */
  readonly buffers: readonly { readonly name: string; readonly type: string }[]
  readonly params: readonly ParamSlot[]
  /** Number of the binding of the parameters, which is the number of buffers; undefined when there are none. */
  readonly paramsBinding: number | undefined
  readonly entries: readonly WgslEntry[]
}

/** Where kernel sources come from: a folder in Node, a bundle in a browser. */
export interface KernelSources {
  readonly prelude: string
  /** Text by stem. */
  readonly files: Readonly<Record<string, string>>
}

/** All kernels of all files by name. Throws on a file that breaks the conventions above. */
export function readKernels({ prelude, files }: KernelSources): Map<string, WgslKernel> {
  const kernels = new Map<string, WgslKernel>()
  for (const [stem, text] of Object.entries(files)) {
    const [helpers, ...sections] = text.split(/^\/\/ kernel (?=\w+\s*$)/m)
    if (sections.length === 0) throw new Error(`${stem}.wgsl has no line \`// kernel NAME\``)
    for (const section of sections) {
      const name = /^\w+/.exec(section)![0]
      if (kernels.has(name)) throw new Error(`${stem}.wgsl: kernel ${name} is there twice`)
      kernels.set(name, readSection(name, `${prelude}\n${helpers}`, section.slice(name.length)))
    }
  }
  return kernels
}

const slotName = (name: string) => name.replace(/_$/, '')

const stripComments = (code: string) => code.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '')

function readSection(name: string, front: string, section: string): WgslKernel {
  const fail = (what: string): never => {
    throw new Error(`WGSL kernel ${name}: ${what}`)
  }
  const plain = stripComments(section)
  const buffers: { name: string; type: string }[] = []
  const variables: string[] = []
  let paramsBinding: number | undefined
  const declaration = /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<([^>]+)>\s*(\w+)\s*:\s*([^;]+);/g
  for (const [, group, binding, space, variable, type] of plain.matchAll(declaration)) {
    if (group !== '0' || Number(binding) !== buffers.length || paramsBinding !== undefined)
      fail(
        `${variable} is @group(${group}) @binding(${binding}) (want group 0, numbers in order, params last)`,
      )
    if (space.trim() === 'uniform') {
      if (variable !== 'params' || type.trim() !== 'Params') fail('the uniform is not `params: Params`')
      paramsBinding = buffers.length
    } else {
      const element = /^array<(?:atomic<)?(f32|i32|u32)>+$/.exec(type.trim())
      if (!/^storage\s*,\s*read_write$/.test(space.trim()) || !element)
        fail(`${variable} is not var<storage, read_write> of an array of f32, i32 or u32`)
      buffers.push({ name: slotName(variable), type: element![1] })
      variables.push(variable)
    }
  }
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

  const functions = readFunctions(stripComments(`${front}\n${section}`))
  if (paramsBinding !== undefined) variables.push('params')
  const entries: WgslEntry[] = []
  const entry = /((?:^\/\/.*\n)*)^@compute\s+@workgroup_size\([^)]*\)\s*fn\s+(\w+)\s*\(/gm
  for (const [, comments, entryName] of section.matchAll(entry)) {
    const expression = /^\/\/ workgroups: (.+)$/m.exec(comments)
    if (!expression) return fail(`no line \`// workgroups: ...\` in front of ${entryName}`)
    const reads = new Set<string>()
    const workgroups = parseExpression(expression[1], (parameter) => {
      if (!params.some((p) => p.name === parameter))
        fail(`workgroups of ${entryName}: no parameter ${parameter}`)
      reads.add(parameter)
    })
    const words = reachable(entryName, functions)
    const bindings = variables.flatMap((v, i) => (words.has(v) ? [i] : []))
    entries.push({ name: entryName, workgroups, reads: [...reads], bindings })
  }
  if (entries.length === 0) fail('it has no entry point')
  return { name, code: `${front}\n${section}`, buffers, params, paramsBinding, entries }
}

/** Words in the body of every function of some WGSL without comments. */
function readFunctions(code: string): Map<string, Set<string>> {
  const functions = new Map<string, Set<string>>()
  for (const match of code.matchAll(/\bfn\s+(\w+)\s*\(/g)) {
    const open = code.indexOf('{', match.index)
    let depth = 0
    let end = open
    do {
      if (code[end] === '{') depth++
      else if (code[end] === '}') depth--
      end++
    } while (depth > 0 && end < code.length)
    // a word behind a point is a member (params.x), not the variable of that name
    const body = code.slice(open, end).replace(/\.\s*\w+/g, ' ')
    functions.set(match[1], new Set(body.match(/\b[A-Za-z_]\w*\b/g)))
  }
  return functions
}

/** Words in a function and in all that it calls. */
function reachable(name: string, functions: ReadonlyMap<string, Set<string>>): Set<string> {
  const words = new Set<string>()
  const seen = new Set<string>()
  const visit = (f: string) => {
    if (seen.has(f)) return
    seen.add(f)
    for (const word of functions.get(f) ?? []) {
      words.add(word)
      if (functions.has(word)) visit(word)
    }
  }
  visit(name)
  return words
}

/**
 * Compiles an expression of numbers, parameters, + - * / (real division), parentheses, ceil(x), min(x, y), max(x, y).
 * Throws on anything else; `use` hears every parameter that occurs.
 */
export function parseExpression(text: string, use: (name: string) => void = () => {}): WorkgroupCount {
  const tokens = text.match(/\d+|[A-Za-z_]\w*|[-+*/(),]|\S/g) ?? []
  let at = 0
  const expect = (token: string) => {
    if (tokens[at] !== token)
      throw new Error(`\`${text}\`: found ${tokens[at] ?? 'the end'}, expected ${token}`)
    at++
  }
  const sum = (): WorkgroupCount => {
    let left = term()
    while (tokens[at] === '+' || tokens[at] === '-') {
      const plus = tokens[at++] === '+'
      const [a, b] = [left, term()]
      left = plus ? (p) => a(p) + b(p) : (p) => a(p) - b(p)
    }
    return left
  }
  const term = (): WorkgroupCount => {
    let left = factor()
    while (tokens[at] === '*' || tokens[at] === '/') {
      const times = tokens[at++] === '*'
      const [a, b] = [left, factor()]
      left = times ? (p) => a(p) * b(p) : (p) => a(p) / b(p)
    }
    return left
  }
  const factor = (): WorkgroupCount => {
    const token = tokens[at++] ?? ''
    if (/^\d/.test(token)) {
      const value = Number(token)
      return () => value
    }
    if (token === '(') {
      const inner = sum()
      expect(')')
      return inner
    }
    if (!/^[A-Za-z_]/.test(token))
      throw new Error(`\`${text}\`: found ${token || 'the end'}, expected a value`)
    if (tokens[at] !== '(') {
      use(token)
      return (p) => p(token)
    }
    at++
    const a = sum()
    if (token === 'ceil') {
      expect(')')
      return (p) => Math.ceil(a(p))
    }
    if (token !== 'min' && token !== 'max') throw new Error(`\`${text}\`: there is no function ${token}`)
    expect(',')
    const b = sum()
    expect(')')
    return token === 'min' ? (p) => Math.min(a(p), b(p)) : (p) => Math.max(a(p), b(p))
  }
  const result = sum()
  if (at < tokens.length) throw new Error(`\`${text}\`: found ${tokens[at]}, expected the end`)
  return result
}
