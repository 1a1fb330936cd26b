/** The WGSL of kernels/wgsl. A bundle for browsers has the texts in place of this file (web/build.mjs). */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { packageRoot } from '../../paths.js'
import type { KernelSources } from './source.js'

/** Every file of kernels/wgsl. */
export function kernelSources(): KernelSources {
  const folder = join(packageRoot, 'kernels', 'wgsl')
  const shared = join(folder, 'shared')
  return {
    prelude: readFileSync(join(folder, 'prelude.wgsl'), 'utf8'),
    files: textsByStem(folder, ['prelude.wgsl']),
    shared: {
      ...mapped(textsByStem(shared), (text) => ({ '': text })),
      ...mapped(foldersOf(shared), (family) => textsByStem(join(shared, family))),
    },
  }
}

const mapped = <A, B>(record: Record<string, A>, f: (a: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))

const foldersOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => [name, name]),
  )

/** Texts of the WGSL files of a folder, in the order of their names. */
function textsByStem(folder: string, except: readonly string[] = []): Record<string, string> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl') && !except.includes(file))
  return Object.fromEntries(
    files.sort().map((file) => [basename(file, '.wgsl'), readFileSync(join(folder, file), 'utf8')]),
  )
}
