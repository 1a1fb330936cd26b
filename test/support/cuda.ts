/**
 * The CUDA device for tests: kernels of kernels/cuda over the block emulator, as a chip of compute capability 9.0 or 8.0; or
 * the GPU of this machine where BIOALBERT_TEST_GPU is set (bench/gpu.sh does).
 */
import { readdirSync } from 'node:fs'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import { importSuites } from './suites.js'

/** The device, or why there is none. */
export async function openCudaForTest(
  capability: 80 | 90 = 90,
): Promise<{ device: Device } | { reason: string }> {
  process.env.BIOALBERT_EMULATED_CAPABILITY = `${capability}`
  try {
    return { device: await openDevice(process.env.BIOALBERT_TEST_GPU ? 'cuda' : 'cuda-emulated') }
  } catch (error) {
    return { reason: (error as Error).message }
  }
}

/** Imports the suites of test/ops, all or those that BIOALBERT_TEST_OPS names (a list with commas), or `only`. */
export async function importOps(only?: readonly string[]): Promise<void> {
  const chosen = process.env.BIOALBERT_TEST_OPS?.split(',') ?? only
  const folder = new URL('../ops/', import.meta.url)
  const files = readdirSync(folder).filter(
    (file) => file.endsWith('.test.js') && (!chosen || chosen.includes(file.slice(0, -8))),
  )
  await importSuites(files.sort().map((file) => new URL(file, folder)))
}
