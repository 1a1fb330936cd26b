/** Programs of test/cuda that run kernels on the emulator; `npm run build:cuda-emulated` builds them with the addon. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './paths.js'

/** The lines that a program prints, each an object; or why it cannot run here. */
export function runCudaProgram<Line>(name: string, ...args: string[]): Line[] | { reason: string } {
  const program = join(root, 'native/cuda/build-emulated/Release', name)
  if (!existsSync(program)) return { reason: 'it is not built: npm run build:cuda-emulated' }
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}${stdout}`)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}
