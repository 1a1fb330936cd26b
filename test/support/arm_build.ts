/**
 * The addon for AArch64 on another Linux: which compiler crosses (Debian's g++-aarch64-linux-gnu, else Zig, which brings headers and
 * libraries of every target), and the CMake build with it. BIOALBERT_ARM_CXX names another compiler, BIOALBERT_ZIG words
 * that call Zig, either of which goes before what is found.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from './paths.js'

export interface CrossCompiler {
  /** What it is, for people. */
  name: string
  /** Folder below native/build: CMake cannot change the compiler of a build. */
  folder: string
  /** The program and the words in front of its arguments. */
  words: readonly string[]
}

export interface Missing {
  missing: string
}

const GCC = 'aarch64-linux-gnu-g++'
/** Older than any glibc that Debian has libraries of AArch64 of. */
const ZIG_TARGET = 'aarch64-linux-gnu.2.28'

const answers = (words: readonly string[], ...argv: string[]) =>
  spawnSync(words[0], [...words.slice(1), ...argv], { stdio: 'ignore' }).status === 0

/** The compiler that there is, or what is missing. */
export function findCrossCompiler(env: NodeJS.ProcessEnv = process.env): CrossCompiler | Missing {
  if (process.platform !== 'linux')
    return { missing: `another processor is emulated on Linux only, this is ${process.platform}` }
  const named = env.BIOALBERT_ARM_CXX
  if (named !== undefined)
    return answers([named], '--version')
      ? { name: named, folder: 'arm-named', words: [named] }
      : { missing: `${named} (BIOALBERT_ARM_CXX) does not run` }
  const calledZig = (words: readonly string[]) => ({
    name: `${words.join(' ')} c++`,
    folder: 'arm-zig',
    words: [...words, 'c++', '-target', ZIG_TARGET],
  })
  if (env.BIOALBERT_ZIG) {
    const words = env.BIOALBERT_ZIG.split(' ')
    return answers(words, 'version')
      ? calledZig(words)
      : { missing: `${env.BIOALBERT_ZIG} (BIOALBERT_ZIG) does not run` }
  }
  if (answers([GCC], '--version')) return { name: GCC, folder: 'arm', words: [GCC] }
  const zigs = [
    ['python3', '-m', 'ziglang'],
    ['zig'],
    [join(root, 'native/build/zig/bin/python'), '-m', 'ziglang'],
  ]
  const zig = zigs.find((words) => answers(words, 'version'))
  if (zig !== undefined) return calledZig(zig)
  return {
    missing: `no ${GCC} (Debian's g++-aarch64-linux-gnu) and no Zig (PyPI's ziglang, or zig on the path)`,
  }
}

/** Says what went wrong. */
export type Step = (command: string, argv: readonly string[]) => void

/** Configures a build in `out`; compile_commands.json there has the command of every file. */
export function configureCross(out: string, compiler: CrossCompiler, step: Step): void {
  mkdirSync(out, { recursive: true })
  let program = compiler.words[0]
  if (compiler.words.length > 1) {
    // CMake wants a program without arguments
    program = join(out, 'c++')
    writeFileSync(program, `#!/bin/sh\nexec ${compiler.words.map((w) => `'${w}'`).join(' ')} "$@"\n`)
    chmodSync(program, 0o755)
  }
  const { include_dir } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string }
  const settings = [
    'CMAKE_SYSTEM_NAME=Linux',
    'CMAKE_SYSTEM_PROCESSOR=aarch64',
    `CMAKE_CXX_COMPILER=${program}`,
    'CMAKE_EXPORT_COMPILE_COMMANDS=ON',
    `CMAKE_JS_INC=${include_dir}`,
    `CMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(out, 'Release')}`,
  ]
  step('cmake', ['-S', join(root, 'native'), '-B', out, ...settings.map((s) => `-D${s}`)])
}

/** Builds what is configured: the addon is `Release/bioalbert.node` of the folder. */
export function buildCross(out: string, step: Step): void {
  step('cmake', ['--build', out, '--target', 'bioalbert', '--parallel'])
}

/** Folder of the libraries of AArch64 that programs are started with, or undefined. */
export function crossLibraries(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [
    env.BIOALBERT_ARM_LIBRARIES,
    '/usr/aarch64-linux-gnu',
    '/usr/aarch64-redhat-linux/sys-root',
  ]
  return folders.find((folder) => folder && existsSync(join(folder, 'lib', 'libstdc++.so.6')))
}
