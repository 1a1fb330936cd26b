/**
 * Every kernel file for every target, as nvcc itself does it: C++ to PTX, PTX to machine code. What comes out is kept under
 * native/build/check_cuda with a digest of all that went in, so that only what changed is compiled again.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { makeFolder, writeFileAtomic } from '../../src/files.js'
import type { Toolkit } from './toolkit.js'

/** Compute capabilities that the build makes machine code for: Ampere, and Hopper with wgmma. */
export const TARGETS = ['80', '90a'] as const
export type Target = (typeof TARGETS)[number]

export interface Compiled {
  /** The op. */
  readonly stem: string
  readonly target: Target
  readonly ptx: string
  /** What ptxas said with -v. */
  readonly log: string
  /** ELF. */
  readonly cubin: Buffer
}

/** Flags that the build gives too, as far as device code depends on them. */
const FLAGS = ['-std=c++17']

export interface CompileOptions {
  /** Hears of each file before it is compiled. */
  readonly onCompile?: (what: string) => void
  /** Ends it before all is done; what was compiled until then is kept and returned. */
  readonly signal?: AbortSignal
}

/** Files and targets that there are to compile. */
export function kernelFiles(root: string): string[] {
  const files = readdirSync(join(root, 'kernels/cuda')).filter((file) => file.endsWith('.cu'))
  return files.sort().map((file) => join(root, 'kernels/cuda', file))
}

/** Compiles what changed, two steps for each file and target, as many at a time as there are cores. */
export async function compileKernels(
  root: string,
  toolkit: Toolkit,
  options: CompileOptions = {},
): Promise<Compiled[]> {
  const kept = join(root, 'native/build/check_cuda')
  makeFolder(kept)
  const jobs = kernelFiles(root).flatMap((file) => TARGETS.map((target) => ({ file, target })))
  const results: (Compiled | undefined)[] = jobs.map(() => undefined)
  let next = 0
  const work = async () => {
    for (let i = next++; i < jobs.length && !options.signal?.aborted; i = next++)
      results[i] = await compile(jobs[i].file, jobs[i].target, kept, toolkit, options)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return results.filter((one) => one !== undefined)
}

/** Undefined where it was ended before it was done. */
async function compile(
  file: string,
  target: Target,
  kept: string,
  toolkit: Toolkit,
  { onCompile, signal }: CompileOptions,
): Promise<Compiled | undefined> {
  const stem = basename(file, '.cu')
  const path = (ending: string) => join(kept, `${stem}.${target}.${ending}`)
  const digest = digestOf(file, target, toolkit)
  if (!existsSync(path('digest')) || readFileSync(path('digest'), 'utf8') !== digest) {
    onCompile?.(`${stem} for sm_${target}`)
    const include = ['-I', dirname(file)]
    const toPtx = [...FLAGS, ...include, '-ptx', `-arch=compute_${target}`, '-o', path('ptx'), file]
    const toCode = ['-v', `-arch=sm_${target}`, '-o', path('cubin'), path('ptx')]
    try {
      await run(toolkit.nvcc, toPtx, signal)
      writeFileAtomic(path('log'), await run(toolkit.ptxas, toCode, signal))
      writeFileAtomic(path('digest'), digest)
    } catch (error) {
      if (signal?.aborted) return undefined
      throw error
    }
  }
  return {
    stem,
    target,
    ptx: readFileSync(path('ptx'), 'utf8'),
    log: readFileSync(path('log'), 'utf8'),
    cubin: readFileSync(path('cubin')),
  }
}

/** Of the file, the headers of this project that it includes, the compiler and the flags. */
function digestOf(file: string, target: Target, { version }: Toolkit): string {
  const hash = createHash('sha256').update(`${version} ${target} ${FLAGS.join(' ')}`)
  for (const part of withHeaders(file)) hash.update(`\n${basename(part)}\n`).update(readFileSync(part))
  return hash.digest('hex')
}

/** The file and what it includes in quotes, each once; names that are not beside it are not followed. */
function withHeaders(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file) || !existsSync(file)) return seen
  seen.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/^\s*#include "([^"]+)"/gm))
    withHeaders(join(dirname(file), name), seen)
  return seen
}

/** Both streams of a command that ends well. */
function run(command: string, argv: string[], signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'], signal })
    let output = ''
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${basename(command)} ${argv.at(-1)}: exit status ${code}\n${output}`))
    })
  })
}
