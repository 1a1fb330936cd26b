/** Kernel files for AArch64 as assembly, compiled as the build of the addon compiles them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type CrossCompiler, configureCross } from '../../test/support/arm_build.js'
import { root } from '../../test/support/paths.js'

interface Command {
  file: string
  command: string
  directory: string
}

export interface Compilation {
  /** Instruction set. */
  set: string
  /** Stem of the kernel file. */
  stem: string
  /** Its assembly, asked for when it is needed: some seconds each. */
  assembly(): string
}

/** The kernel files of every instruction set but the one of plain C++; configures a build. */
export function compilations(compiler: CrossCompiler): Compilation[] {
  const out = join(root, 'native', 'build', `${compiler.folder}-assembly`)
  configureCross(out, compiler, (command, argv) => {
    const { status, stdout, stderr } = spawnSync(command, argv, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${argv.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`)
  })
  const commands = JSON.parse(readFileSync(join(out, 'compile_commands.json'), 'utf8')) as Command[]
  return commands.flatMap(({ file, command, directory }) => {
    const set = /-DBIOALBERT_ISA_NAME=(\w+)/.exec(command)?.[1]
    if (set === undefined || set === 'generic') return []
    const assembly = () => {
      const toAssembly = `${command.replace(/ -o \S+/, '').replace(/ -c /, ' -S ')} -o -`
      const { status, stdout, stderr } = spawnSync('sh', ['-c', toAssembly], {
        cwd: directory,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      })
      if (status !== 0) throw new Error(`${toAssembly} failed:\n${stderr}`)
      return stdout
    }
    return [{ set, stem: basename(file, '.cc'), assembly }]
  })
}

/** Names of functions as their authors wrote them; as they are where there is no c++filt. */
export function demangled(symbols: readonly string[]): string[] {
  for (const program of ['c++filt', 'aarch64-linux-gnu-c++filt', 'llvm-cxxfilt']) {
    const { status, stdout } = spawnSync(program, [], { input: symbols.join('\n'), encoding: 'utf8' })
    if (status === 0)
      return stdout
        .trimEnd()
        .split('\n')
        .map((name) =>
          withoutParameters(name.replaceAll('(anonymous namespace)::', '').replace(/^void /, '')),
        )
  }
  return [...symbols]
}

/** What stands in front of the list of parameters: its parenthesis is the first outside of angle brackets. */
function withoutParameters(name: string): string {
  let depth = 0
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '<') depth++
    else if (name[i] === '>') depth--
    else if (name[i] === '(' && depth === 0) return name.slice(0, i)
  }
  return name
}
