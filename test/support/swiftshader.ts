/**
 * A WebGPU adapter for tests: a test file that calls `withSwiftshader` first is started again as a child whose driver is
 * SwiftShader; the parent only passes on what the child reports.
 */
import { spawn } from 'node:child_process'
import type { Device } from '../../src/device/device.js'
import { type OpenOptions, openDevice } from '../../src/device/open.js'
import { endAs } from './end_as.js'
import { swiftshaderEnvironment } from './swiftshader_driver.js'

const MARK = 'BIOALBERT_TEST_SWIFTSHADER'

/**
 * Comes back in a process that has the environment. In the one that has not, it runs the file again and never comes
 * back. Where the package is missing, VK_ICD_FILENAMES names a driver already, or BIOALBERT_TEST_GPU asks for the GPU of this
 * machine, nothing is changed.
 */
export async function withSwiftshader(): Promise<void> {
  if (process.env[MARK] || process.env.VK_ICD_FILENAMES || process.env.BIOALBERT_TEST_GPU) return
  const environment = swiftshaderEnvironment()
  if (!environment) return
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...environment, [MARK]: '1' },
    stdio: process.send ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'inherit', 'inherit'],
  })
  child.on('message', (message) => {
    process.send?.(message)
  })
  await endAs(child)
}

/** The device, or why there is none. */
export async function openWebgpuForTest(
  options: OpenOptions = {},
): Promise<{ device: Device } | { reason: string }> {
  try {
    return { device: await openDevice('webgpu', options) }
  } catch (error) {
    return { reason: (error as Error).message }
  }
}
