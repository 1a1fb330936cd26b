/**
 * SwiftShader, a Vulkan driver in software that comes with @sparticuz/chromium: WebGPU without a GPU, for tests and for
 * `npm run with-swiftshader`. The loader of Vulkan reads its environment when a process starts, so it is for children.
 */
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
