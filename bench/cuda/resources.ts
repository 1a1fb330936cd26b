/**
 * What each kernel takes of a multiprocessor and how it is made, from the PTX, from what ptxas says with -v and from the
 * machine code. Shared memory is a struct that `shared_as` names (kernels/cuda/language.cuh): its size stands in the PTX as a
 * comment, because ptxas does not know it.
 */
import { spawnSync } from 'node:child_process'
import type { Compiled, Target } from './compile.js'
import { type Counts, instructionCounts } from './cubin.js'

export interface Resources {
  readonly stem: string
  readonly target: Target
  /** Template arguments included: `attention_forward_kernel<64, true>`. */
  readonly name: string
  readonly registers: number
  /** Threads of a block, from __launch_bounds__; undefined where there are none. */
  readonly threads?: number
  /** Bytes; the struct of the kernel, without what a launch may ask for behind it. */
  readonly shared: number
  /** Bytes. */
  readonly stack: number
  readonly spillStores: number
  readonly spillLoads: number
  readonly instructions: Counts
  /** What ptxas warned of: products that it had to serialise, register counts that it ignored. */
  readonly warnings: readonly string[]
  /** The body is empty: the kernel is for other chips. */
  readonly empty: boolean
}

/** All kernels of a file for one target, by name. */
export function resourcesOf(compiled: Compiled): Resources[] {
  const { stem, target, ptx, log, cubin } = compiled
  const bodies = entries(ptx)
  const names = [...bodies.keys()]
  const readable = demangle(names)
  const counts = instructionCounts(cubin)
  const said = functionProperties(log)
  return names
    .map((mangled, i): Resources => {
      const body = bodies.get(mangled)!
      const found = said.get(mangled)
      const instructions = counts.get(mangled)
      if (!found || !instructions) throw new Error(`${stem}: ptxas says nothing of ${readable[i]}`)
      const threads = body.match(/^\.maxntid (\d+), (\d+), (\d+)/m)
      const shared = [...body.matchAll(/\/\/ bioalbert shared (\d+)/g)].map((m) => Number(m[1]))
      return {
        stem,
        target,
        name: readable[i],
        ...found,
        shared: Math.max(found.shared, ...shared),
        ...(threads && { threads: Number(threads[1]) * Number(threads[2]) * Number(threads[3]) }),
        instructions,
        warnings: warningsOf(log, mangled),
        empty: isEmpty(body),
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The text of every entry of PTX by its mangled name. */
function entries(ptx: string): Map<string, string> {
  const parts = ptx.split(/^\s*(?:\.visible |\.weak )?\.entry /m).slice(1)
  return new Map(parts.map((text) => [text.match(/^[\w$]+/)![0], text.split(/^\}/m)[0]]))
}

/** Nothing but a return. */
function isEmpty(body: string): boolean {
  const lines = body.slice(body.indexOf('{') + 1).split('\n')
  return (
    lines
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('//'))
      .join() === 'ret;'
  )
}

/** Names as people write them, without the anonymous namespace and the types of arguments. */
export function demangle(names: readonly string[]): string[] {
  if (names.length === 0) return []
  const { stdout, error } = spawnSync('c++filt', [], { input: `${names.join('\n')}\n`, encoding: 'utf8' })
  if (error) throw new Error(`c++filt: ${error.message}`)
  return stdout.trimEnd().split('\n').map(readableName)
}

/** `void (anonymous namespace)::f<(A)1, 2>(float*)` -> `f<1, 2>`. */
export function readableName(demangled: string): string {
  const text = demangled.replaceAll('(anonymous namespace)::', '').replace(/\((?:[\w:]+)\)(?=[\d-])/g, '')
  let depth = 0
  let end = text.length
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '<') depth++
    else if (text[i] === '>') depth--
    else if (text[i] === '(' && depth === 0) {
      end = i
      break
    }
  }
  return text
    .slice(0, end)
    .replace(/^void /, '')
    .replaceAll(/(?<=\d)u\b/g, '')
}

type Properties = Pick<Resources, 'registers' | 'shared' | 'stack' | 'spillStores' | 'spillLoads'>

/** What `ptxas -v` says of each entry. */
function functionProperties(log: string): Map<string, Properties> {
  const found = new Map<string, Properties>()
  const parts = log.split(/^ptxas info\s*: Compiling entry function '/m).slice(1)
  for (const part of parts) {
    const number = (pattern: RegExp) => Number(part.match(pattern)?.[1] ?? 0)
    found.set(part.slice(0, part.indexOf("'")), {
      registers: number(/Used (\d+) registers/),
      shared: number(/(\d+) bytes smem/),
      stack: number(/(\d+) bytes stack frame/),
      spillStores: number(/(\d+) bytes spill stores/),
      spillLoads: number(/(\d+) bytes spill loads/),
    })
  }
  return found
}

/** Lines that name the function and a loss of speed or something ignored, without the name. */
function warningsOf(log: string, mangled: string): string[] {
  const lines = log.split('\n').filter((line) => line.includes(mangled))
  const bad = lines.filter((line) => /warning|Performance Loss|ignored/i.test(line))
  return [
    ...new Set(
      bad.map((line) =>
        line.replace(/^ptxas \w+\s*: /, '').replace(/ (in|of|for) (the )?(function|kernel) .*/, ''),
      ),
    ),
  ]
}
