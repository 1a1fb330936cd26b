/** Where the CUDA toolkit and a driver are, for the scripts that build and install. */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** Folders in which bin/nvcc may be, first choice first. */
function candidates() {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'nvcc'))
    .filter((file) => existsSync(file))
    .map((file) => dirname(dirname(realpathSync(file))))
  return [process.env.CUDA_HOME, '/usr/local/cuda', ...onPath].filter((folder) => folder)
}

/** The toolkit's folder, or undefined. */
export function findToolkit() {
  return candidates().find((folder) => existsSync(join(folder, 'bin', 'nvcc')))
}

/** What was looked at, for a message. */
export function lookedFor() {
  const home = process.env.CUDA_HOME ? `CUDA_HOME=${process.env.CUDA_HOME}` : 'CUDA_HOME, which is not set'
  return `bin/nvcc in ${home}, in /usr/local/cuda, and nvcc on PATH`
}

/** Whether there is a driver of NVIDIA's. */
export function hasDriver() {
  return existsSync('/dev/nvidia0') || spawnSync('nvidia-smi', ['-L'], { stdio: 'ignore' }).status === 0
}
