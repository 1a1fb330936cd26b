/**
 * A WebGPU adapter for tests: SwiftShader, a Vulkan driver in software that comes with @sparticuz/chromium.
 * The loader of Vulkan reads its environment when the process starts, so a test file that calls `withSwiftshader`
 * first is started again as a child with that environment; the parent only passes on what the child reports.
 */
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'

/** Environment that makes SwiftShader the Vulkan driver; undefined where its package is not installed. */
export function swiftshaderEnvironment(): Record<string, string> | undefined {
  let archive: string
  try {
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
    archive = join(entry.slice(0, entry.lastIndexOf('chromium') + 8), 'bin', 'swiftshader.tar.br')
    if (!existsSync(archive)) return undefined
  } catch {
    return undefined
  }
  const folder = join(tmpdir(), `bioalbert-swiftshader-${statSync(archive).size}`)
  if (!existsSync(folder)) unpack(archive, folder)
  const driver = join(folder, 'vk_swiftshader_icd.json')
  return {
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
  }
}

/** Files of a tar archive, put into place in one step: tests run side by side. */
function unpack(archive: string, folder: string): void {
  const tar = brotliDecompressSync(readFileSync(archive))
  mkdirSync(dirname(folder), { recursive: true })
  const temporary = mkdtempSync(`${folder}-`)
  const text = (from: number, length: number) =>
    tar.toString('latin1', from, from + length).replace(/\0.*$/s, '')
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8)
    const isFile = text(at + 156, 1) === '0' || text(at + 156, 1) === ''
    const name = basename(text(at, 100))
    if (isFile) writeFileSync(join(temporary, name), tar.subarray(at + 512, at + 512 + size), { mode: 0o755 })
    at += 512 + Math.ceil(size / 512) * 512
  }
  try {
    renameSync(temporary, folder)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}

const MARK = 'BIOALBERT_TEST_SWIFTSHADER'

/**
 * Comes back in a process that has the environment. In the one that has not, it runs the file again and never comes
 * back. Where the package is missing, or VK_ICD_FILENAMES names a driver already, nothing is changed.
 */
export async function withSwiftshader(): Promise<void> {
  if (process.env[MARK] || process.env.VK_ICD_FILENAMES) return
  const environment = swiftshaderEnvironment()
  if (!environment) return
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    // no test but those of the choice measures variants
    env: { BIOALBERT_WEBGPU_VARIANTS: 'first', ...process.env, ...environment, [MARK]: '1' },
    stdio: process.send ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'inherit', 'inherit'],
  })
  child.on('message', (message) => {
    process.send?.(message)
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) console.error(`killed by ${signal}`)
    process.exit(code ?? 1)
  })
  await new Promise(() => {})
}

/** The device, or why there is none. */
export async function openWebgpuForTest(): Promise<{ device: Device } | { reason: string }> {
  try {
    return { device: await openDevice('webgpu') }
  } catch (error) {
    return { reason: (error as Error).message }
  }
}
