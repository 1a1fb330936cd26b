/**
 * Where the CPU addon lies: built here (native/build/Release), or built ahead for a platform
 * (native/prebuilds/linux-x64/bioalbert.musl.node). Binaries of Linux belong to one C library. No build step and no import
 * but Node's: native/install.mjs asks it before anything is there, src/device/addon.ts at run time.
 */
const { existsSync, readdirSync } = require('node:fs')
const { join } = require('node:path')

/** `linux-x64-glibc`, `linux-arm64-musl`, `darwin-arm64`: what the binaries built ahead are called after. */
function targetName(platform, arch, libc) {
  return platform === 'linux' ? `${platform}-${arch}-${libc}` : `${platform}-${arch}`
}

/** The C library of this process. Node tells the version of glibc where it runs on that; nothing else but musl runs Node on Linux. */
function libcOfProcess() {
  if (process.platform !== 'linux') return undefined
  const { report } = process
  const { excludeNetwork } = report
  // or every address of this machine would be looked up
  report.excludeNetwork = true
  const { header } = report.getReport()
  report.excludeNetwork = excludeNetwork
  return header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

function targetOfProcess() {
  return targetName(process.platform, process.arch, libcOfProcess())
}

/** Path of the binary built ahead for a target, whether it is there or not; `native` is the folder of this file in a package. */
function prebuiltFile(native, target) {
  const [platform, arch, libc] = target.split('-')
  return join(native, 'prebuilds', `${platform}-${arch}`, libc ? `bioalbert.${libc}.node` : 'bioalbert.node')
}

/** The targets whose binaries are there. */
function prebuiltTargets(native) {
  const folder = join(native, 'prebuilds')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .flatMap((place) => ['', '-glibc', '-musl'].map((libc) => place + libc))
    .filter((target) => existsSync(prebuiltFile(native, target)))
    .sort()
}

/** Path of the addon to load: what was built here goes before what was built ahead. Undefined where there is neither. */
function addonFile(native) {
  const built = join(native, 'build', 'Release', 'bioalbert.node')
  if (existsSync(built)) return built
  const file = prebuiltFile(native, targetOfProcess())
  return existsSync(file) ? file : undefined
}

module.exports = { addonFile, prebuiltFile, prebuiltTargets, targetName, targetOfProcess }
