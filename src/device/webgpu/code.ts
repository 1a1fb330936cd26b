/** What a text of WGSL declares: constants, functions, and which words an entry point reaches through those that it calls. */
import { parseExpression } from './expression.js'

export const stripComments = (code: string) => code.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '')

/** Constants of a code that are numbers: `const TILE = 64u;`, also of constants before them. */
export function readConstants(code: string): Map<string, number> {
  const constants = new Map<string, number>()
  for (const [, name, value] of code.matchAll(/^const (\w+)(?:\s*:\s*u32)?\s*=\s*([^;]+);/gm)) {
    const text = value.replace(/(\d)u\b/g, '$1')
    if (!/^[\w\s+*/()-]+$/.test(text)) continue
    try {
      constants.set(
        name,
        parseExpression(text)((used) => constants.get(used) ?? Number.NaN),
      )
    } catch {
      // not a number that a count of workgroups could use
    }
  }
  return constants
}

/** Words in the body of every function of some WGSL without comments. */
export function readFunctions(code: string): Map<string, Set<string>> {
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
export function reachable(name: string, functions: ReadonlyMap<string, Set<string>>): Set<string> {
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
