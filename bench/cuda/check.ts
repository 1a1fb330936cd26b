/**
 * `npm run check:cuda [-- --write]`: compiles every kernel for every target, prints what each takes, and fails where a hot one
 * spills, has a stack frame or waits for its own products. With --write the table that the repository keeps is written anew.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../../src/files.js'
import { compileKernels } from './compile.js'
import { resourcesOf } from './resources.js'
import { complaints, TABLE, tableDiff, tableText } from './table.js'
import { findToolkit } from './toolkit.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const write = process.argv.includes('--write')

const toolkit = findToolkit()
if ('missing' in toolkit) {
  console.error(`check:cuda: ${toolkit.missing}`)
  process.exitCode = 2
} else {
  const compiled = await compileKernels(root, toolkit, { onCompile: (what) => console.error(what) })
  const kernels = compiled.flatMap(resourcesOf)
  const text = tableText(kernels, toolkit.version)
  console.log(text)
  const path = join(root, TABLE)
  if (write) writeFileAtomic(path, text)
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const diff = tableDiff(kept, text)
  if (diff !== '') console.log(`${TABLE} is another (npm run check:cuda -- --write):\n${diff}\n`)
  const bad = complaints(kernels)
  for (const line of bad) console.log(line)
  console.log(
    `${kernels.filter(({ empty }) => !empty).length} kernels, ${bad.length} complaints about hot ones`,
  )
  if (bad.length > 0) process.exitCode = 1
}
