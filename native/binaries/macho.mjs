/** What a 64-bit library of macOS asks the system for, read from its load commands (<mach-o/loader.h>). */
const MH_MAGIC_64 = 0xfeedfacf
const LC_LOAD_DYLIB = 0xc
const LC_CODE_SIGNATURE = 0x1d
const LC_BUILD_VERSION = 0x32
const MACHINES = { 16777223: 'x64', 16777228: 'arm64' }

export function isMachO(file) {
  return file.length >= 32 && file.readUInt32LE(0) === MH_MAGIC_64
}

export function architecture(file) {
  return MACHINES[file.readUInt32LE(4)]
}

function* loadCommands(file) {
  let at = 32
  for (let n = file.readUInt32LE(16); n > 0; n--) {
    yield { command: file.readUInt32LE(at), at }
    at += file.readUInt32LE(at + 4)
  }
}

/** Paths of the libraries that the loader must find. */
export function neededLibraries(file) {
  return [...loadCommands(file)]
    .filter(({ command }) => command === LC_LOAD_DYLIB)
    .map(({ at }) => {
      const name = at + file.readUInt32LE(at + 8)
      return file.toString('latin1', name, file.indexOf(0, name))
    })
}

/** Oldest macOS on which it loads, as `11.0`. */
export function oldestSystem(file) {
  const found = [...loadCommands(file)].find(({ command }) => command === LC_BUILD_VERSION)
  if (!found) return undefined
  const version = file.readUInt32LE(found.at + 12)
  return `${version >>> 16}.${(version >>> 8) & 255}`
}

/** Whether it is signed, if only by nobody: on Apple's processors the system loads nothing else. */
export function isSigned(file) {
  return [...loadCommands(file)].some(({ command }) => command === LC_CODE_SIGNATURE)
}
