/**
 * Which instruction sets of a processor a suite runs on. An instruction set that adds to another (native/CMakeLists.txt) compiles
 * only some kernels again; the suite of an op whose kernels it takes as they are says nothing new, so with
 * BIOALBERT_TEST_TABLES, the kernel_tables.inc of the build, test/ops/<stem> is left out for sets without a table of that stem.
 * BIOALBERT_TEST_SETS names those that are wanted, all if left out.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

export interface KernelTables {
  /** Instruction sets in the order of the build, and what each adds to ('' for one that stands alone). */
  bases: Map<string, string>
  /** Stems of the kernel files that are compiled for a set. */
  stems: Map<string, Set<string>>
}

/** Reads kernel_tables.inc, which CMake generates. */
export function readTables(file: string): KernelTables {
  const text = readFileSync(file, 'utf8')
  const bases = new Map([...text.matchAll(/^ {2}\{"(\w+)", "(\w*)"\},$/gm)].map((m) => [m[1], m[2]] as const))
  const stems = new Map([...bases.keys()].map((set) => [set, new Set<string>()]))
  for (const [, set, entry] of text.matchAll(/^ {2}\{"(\w+)", kernels_(\w+)\},$/gm))
    stems.get(set)?.add(entry.slice(0, -set.length - 1))
  if (bases.size === 0) throw new Error(`${file} names no instruction set`)
  return { bases, stems }
}

/** What the environment asks for, and what the file that runs is about. */
export interface Wanted {
  sets?: string
  tables?: KernelTables
  /** The test file, built. */
  file?: string
}

const fromEnvironment = (): Wanted => ({
  sets: process.env.BIOALBERT_TEST_SETS,
  tables: process.env.BIOALBERT_TEST_TABLES ? readTables(process.env.BIOALBERT_TEST_TABLES) : undefined,
  file: process.argv.findLast((word) => word.endsWith('.test.js')),
})
let environment: Wanted | undefined

/** Those of `sets` that are to be tested here. */
export function wantedSets(sets: readonly string[], wanted?: Wanted): string[] {
  environment ??= fromEnvironment()
  const { sets: named, tables, file } = wanted ?? environment
  const names = named?.split(',')
  const stem = /[/\\]ops[/\\]/.test(file ?? '') ? basename(file!, '.test.js') : undefined
  return sets.filter((set) => {
    if (names && !names.includes(set)) return false
    if (!tables || stem === undefined) return true
    const known = [...tables.stems.values()].some((stems) => stems.has(stem))
    return !known || !tables.bases.get(set) || tables.stems.get(set)!.has(stem)
  })
}
