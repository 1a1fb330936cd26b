/** What a 64-bit library of macOS asks the system for, read from its load commands (<mach-o/loader.h>). */
const MH_MAGIC_64 = 0xfeedfacf
const LC_SYMTAB = 0x2
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

/** A symbol of the table, nlist_64 of <mach-o/nlist.h>: 16 bytes. */
const SYMBOL = 16
const N_TYPE = 0x0e
/** Ordinals of no library: dynamic lookup, as Apple's linker writes, and what Zig's does. */
const ORDINALS = [0xfe, 0]

/** Names that no library gives it: the loader looks them up in whatever the process has. */
export function lookedUp(file) {
  const names = []
  for (const { command, at } of loadCommands(file)) {
    if (command !== LC_SYMTAB) continue
    const [symbols, count, strings] = [8, 12, 16].map((place) => file.readUInt32LE(at + place))
    for (let place = symbols; place < symbols + count * SYMBOL; place += SYMBOL) {
      const isDefined = (file[place + 4] & N_TYPE) !== 0
      if (isDefined || !ORDINALS.includes(file.readUInt16LE(place + 6) >>> 8)) continue
      const name = strings + file.readUInt32LE(place)
      names.push(file.toString('latin1', name, file.indexOf(0, name)))
    }
  }
  return names
}
