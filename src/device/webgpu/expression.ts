/** Expressions in the comments of WGSL files: numbers of workgroups, and the conditions under which a form of a kernel is right. */

/** The value of an expression over the parameters of a kernel; comparisons give 1 or 0. */
export type Expression = (param: (name: string) => number) => number

/** Operators by how weakly they bind. */
const LEVELS: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  { '&&': (a, b) => Number(a !== 0 && b !== 0) },
  {
    '==': (a, b) => Number(a === b),
    '<=': (a, b) => Number(a <= b),
    '>=': (a, b) => Number(a >= b),
    '<': (a, b) => Number(a < b),
    '>': (a, b) => Number(a > b),
  },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': (a, b) => a / b, '%': (a, b) => a % b },
]

/**
 * Compiles an expression of numbers, names, && == <= >= < > + - * / (real division) %, parentheses, ceil(x), min(x, y),
 * max(x, y). Throws on anything else; `use` hears every name that occurs.
 */
export function parseExpression(text: string, use: (name: string) => void = () => {}): Expression {
  const tokens = text.match(/\d+|[A-Za-z_]\w*|&&|[<>=]=|[-+*/%(),<>]|\S/g) ?? []
  let at = 0
  const expect = (token: string) => {
    if (tokens[at] !== token)
      throw new Error(`\`${text}\`: found ${tokens[at] ?? 'the end'}, expected ${token}`)
    at++
  }
  const level = (depth: number): Expression => {
    if (depth === LEVELS.length) return factor()
    let left = level(depth + 1)
    while (tokens[at] in LEVELS[depth]) {
      const apply = LEVELS[depth][tokens[at++]]
      const [a, b] = [left, level(depth + 1)]
      left = (p) => apply(a(p), b(p))
    }
    return left
  }
  const factor = (): Expression => {
    const token = tokens[at++] ?? ''
    if (/^\d/.test(token)) {
      const value = Number(token)
      return () => value
    }
    if (token === '(') {
      const inner = level(0)
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
    const a = level(0)
    if (token === 'ceil') {
      expect(')')
      return (p) => Math.ceil(a(p))
    }
    if (token !== 'min' && token !== 'max') throw new Error(`\`${text}\`: there is no function ${token}`)
    expect(',')
    const b = level(0)
    expect(')')
    return token === 'min' ? (p) => Math.min(a(p), b(p)) : (p) => Math.max(a(p), b(p))
  }
  const result = level(0)
  if (at < tokens.length) throw new Error(`\`${text}\`: found ${tokens[at]}, expected the end`)
  return result
}
