/** Where the package keeps what is not TypeScript (native code and kernel sources), and where it keeps what it can get again. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFromEnvironment, userCacheFromEnvironment } from './environment.js'

function findRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(dir, 'binding.gyp'))) {
    const up = dirname(dir)
    if (up === dir) throw new Error('bioalbert: cannot find the root folder of the package')
    dir = up
  }
  return dir
}

/** Root folder of the package. */
export const packageRoot = findRoot()

/** `BIOALBERT_CACHE`, or `bioalbert` in the user's cache folder: what was fetched, and choices that were measured. */
export function cacheFolder(): string {
  const own = cacheFromEnvironment()
  if (own !== undefined) return own
  const usual = { darwin: ['Library', 'Caches'], win32: ['AppData', 'Local'] }[process.platform as string]
  return join(userCacheFromEnvironment() ?? join(homedir(), ...(usual ?? ['.cache'])), 'bioalbert')
}
