/**
 * What a shared object of 64-bit Linux asks the system for, read from its dynamic section (System V ABI, "Dynamic Linking"):
 * native/prebuild.mjs checks the binary that it makes, without tools of the system.
 */
const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_STRTAB = 5n

/** Names of the libraries that the loader must find beside it, in the order in which it looks. */
export function neededLibraries(file) {
  if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('is no 64-bit little-endian ELF file')
  const number = (at) => Number(file.readBigUInt64LE(at))
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = number(32) + i * file.readUInt16LE(54)
    return {
      type: file.readUInt32LE(at),
      offset: number(at + 8),
      address: number(at + 16),
      bytes: number(at + 32),
    }
  })
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
  if (!dynamic) throw new Error('has no dynamic section')
  const all = Array.from({ length: dynamic.bytes / 16 }, (_, i) => ({
    tag: file.readBigUInt64LE(dynamic.offset + 16 * i),
    value: number(dynamic.offset + 16 * i + 8),
  }))
  const entries = all.slice(
    0,
    all.findIndex(({ tag }) => tag === DT_NULL),
  )
  const address = entries.find(({ tag }) => tag === DT_STRTAB).value
  const home = segments.find(
    (s) => s.type === PT_LOAD && s.address <= address && address < s.address + s.bytes,
  )
  const names = address - home.address + home.offset
  return entries
    .filter(({ tag }) => tag === DT_NEEDED)
    .map(({ value }) => file.toString('latin1', names + value, file.indexOf(0, names + value)))
}

/** What glibc itself consists of; all else a system may lack or have in another version. */
const GLIBC = [
  'libc.so.6',
  'libm.so.6',
  'libpthread.so.0',
  'libdl.so.2',
  'librt.so.1',
  'ld-linux-x86-64.so.2',
]

/** Those that are not part of glibc. */
export function foreignLibraries(file) {
  return neededLibraries(file).filter((name) => !GLIBC.includes(name))
}
