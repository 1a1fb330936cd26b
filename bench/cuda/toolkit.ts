/** Where the CUDA compiler is: CUDA_HOME, /usr/local/cuda, then the path; or why there is none. */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

export interface Toolkit {
  /** C++ to PTX. */
  readonly nvcc: string
  /** PTX to machine code. */
  readonly ptxas: string
  /** `13.0.88`. */
  readonly version: string
}

/** The first toolkit that answers. */
export function findToolkit(env: NodeJS.ProcessEnv = process.env): Toolkit | { readonly missing: string } {
  const folders = [
    ...(env.CUDA_HOME ? [join(env.CUDA_HOME, 'bin')] : []),
    '/usr/local/cuda/bin',
    ...(env.PATH ?? '').split(delimiter),
  ]
  for (const folder of folders) {
    const nvcc = join(folder, 'nvcc')
    if (folder === '' || !existsSync(nvcc)) continue
    const { stdout = '', error } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' })
    const version = stdout.match(/\bV(\d+\.\d+\.\d+)/)?.[1]
    if (error || version === undefined) return { missing: `${nvcc} does not run` }
    const ptxas = join(dirname(realpathSync(nvcc)), 'ptxas')
    return existsSync(ptxas) ? { nvcc, ptxas, version } : { missing: `no ptxas beside ${nvcc}` }
  }
  return { missing: 'no nvcc in CUDA_HOME, /usr/local/cuda or on the path' }
}
