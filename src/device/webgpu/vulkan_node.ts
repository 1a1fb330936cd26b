/**
 * Whether a loader of Vulkan can be found. On Linux it is the only door from Dawn to an adapter, and Dawn prints a warning of
 * its own where it finds none; so it is asked for first, where and as Dawn asks: beside its own library and the program, then
 * wherever the system's linker looks.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

const LOADER = 'libvulkan.so.1'

/** What the system says of the loader, undefined where there is one, or another system. `library`: Dawn's file. */
export function missingVulkan(library: string): string | undefined {
  if (process.platform !== 'linux') return undefined
  if ([library, process.execPath].some((file) => existsSync(join(dirname(file), LOADER)))) return undefined
  try {
    // it is no addon: where it is found, that is the complaint, and it is closed again
    process.dlopen({ exports: {} }, LOADER)
  } catch (error) {
    const { message } = error as Error
    if (/\blibvulkan\.so\.1: .*No such file/.test(message)) return message
  }
  return undefined
}
