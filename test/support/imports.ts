/** The imports between TypeScript files, and circles in them. Types count: who reads one file of a circle reads all. */
import { posix } from 'node:path'

/** The files that a source imports by relative path, as paths from the root; `file` is its own. */
export function importsOf(file: string, source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '')
  const found = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g)
  return [...found].map(([, target]) => posix.join(posix.dirname(file), target).replace(/\.js$/, '.ts'))
}

/** At least one circle for every group of files that import each other: the files in order, the first once more at the end. */
export function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start !== -1) found.push([...path.slice(start), file])
    if (start !== -1 || done.has(file)) return
    path.push(file)
    for (const target of imports.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of imports.keys()) visit(file)
  return found
}
