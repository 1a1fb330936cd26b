/**
 * What `npm install` runs. In an installed package the JavaScript is there, and native code is compiled only if no binary
 * built ahead loads (native/prebuilt.cjs) or `npm install --build-from-source` asks for it; in a clone both are built.
 * Kernels for NVIDIA's GPUs are compiled where there is one and a toolkit.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findToolkit, hasDriver } from './cuda/toolkit.mjs'

const require = createRequire(import.meta.url)
const { addonFile, prebuiltFile, targetOfProcess } = require('./prebuilt.cjs')
const { missingTools } = require('./tools.cjs')

const native = dirname(fileURLToPath(import.meta.url))
const root = dirname(native)
const isClone = existsSync(join(root, 'test'))

/** Whether an addon loads, in a process of its own: why not, or nothing if it does. */
function whyNotLoaded(file) {
  const script =
    'try { require(process.argv[1]) } catch (error) { console.error(error.message); process.exit(1) }'
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', script, file], { encoding: 'utf8' })
  return status === 0 ? undefined : (signal ?? stderr.trim().split('\n')[0])
}

/** Why no binary built ahead serves this process, or nothing if one does. */
function whyNotPrebuilt() {
  const target = targetOfProcess()
  const file = prebuiltFile(native, target)
  if (!existsSync(file)) return `no prebuilt binary fits ${target}`
  const why = whyNotLoaded(file)
  return why === undefined ? undefined : `the prebuilt binary for ${target} does not load (${why})`
}

/** Whether compiling was asked for, of every package or of this one by name, as npm hands it to scripts. */
function isFromSource() {
  const asked = process.env.npm_config_build_from_source ?? ''
  return asked === 'true' || asked.split(',').includes('bioalbert')
}

/** The exit status of a script of the package. */
function run(script) {
  const npm = process.env.npm_execpath
  const [command, ...args] = npm ? [process.execPath, npm] : ['npm']
  // Make takes one file at a time unless it is told otherwise
  const env = { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env }
  const { status } = spawnSync(command, [...args, 'run', script], { cwd: root, env, stdio: 'inherit' })
  return status ?? 1
}

function mustRun(script) {
  const status = run(script)
  if (status !== 0) process.exit(status)
}

/** The CUDA addon, where there are a toolkit and a GPU to run it on; what goes wrong ends no installation. */
function buildCuda() {
  if (process.platform !== 'linux' || !findToolkit() || !hasDriver()) return
  if (run('build:cuda') !== 0)
    console.error(
      'bioalbert: the CUDA addon could not be built; all other devices work. Later: npm run build:cuda',
    )
}

const isAsked = isFromSource()
// the first `npx bioalbert` in a clone installs the clone into a folder of npx's own: what is built here is not built again
const isByNpx = isClone && process.env.npm_command === 'exec'
const addon = addonFile(native)
if (
  isByNpx &&
  existsSync(join(root, 'dist', 'src', 'cli', 'main.js')) &&
  addon &&
  whyNotLoaded(addon) === undefined
)
  process.exit(0)
const whyNot = isClone || isAsked ? undefined : whyNotPrebuilt()
if (!isClone && !isAsked && whyNot === undefined) {
  buildCuda()
  process.exit(0)
}

const lacking = missingTools()
if (lacking.length > 0) {
  const why = whyNot === undefined ? 'building native code' : `${whyNot}, and building one`
  console.error(`bioalbert: ${why} wants ${lacking.join(' and ')}, which is not found`)
  process.exit(1)
}
mustRun('build:native')
if (isClone) mustRun('build:js')
buildCuda()
