/** Where the package keeps what is not TypeScript: native code and kernel sources. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
