/**
 * What a shared object of 64-bit Linux asks the system for, read from its dynamic section (System V ABI, "Dynamic Linking";
 * symbol versioning as the Linux Standard Base has it).
 */
const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_STRTAB = 5n
const DT_VERNEED = 0x6ffffffen
const DT_VERNEEDNUM = 0x6fffffffn

const EM_X86_64 = 62
const EM_AARCH64 = 183
const MACHINES = { [EM_X86_64]: 'x64', [EM_AARCH64]: 'arm64' }

export function isElf(file) {
  return file.toString('latin1', 0, 6) === '\x7fELF\x02\x01'
}

/** Processor, as Node calls it. */
export function architecture(file) {
  return MACHINES[file.readUInt16LE(18)]
}

/** Names of the libraries that the loader must find beside it, in the order in which it looks. */
export function neededLibraries(file) {
  const { entries, string } = dynamicSection(file)
  return entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => string(value))
}

/** The versions of symbols that it wants of those libraries, such as `GLIBC_2.28`, each once. */
export function neededVersions(file) {
  const { entries, string, offsetOf } = dynamicSection(file)
  const first = entries.find(({ tag }) => tag === DT_VERNEED)
  if (!first) return []
  const versions = new Set()
  let need = offsetOf(first.value)
  for (let n = entries.find(({ tag }) => tag === DT_VERNEEDNUM).value; n > 0; n--) {
    let version = need + file.readUInt32LE(need + 8)
    for (let v = file.readUInt16LE(need + 2); v > 0; v--) {
      versions.add(string(file.readUInt32LE(version + 8)))
      version += file.readUInt32LE(version + 12)
    }
    need += file.readUInt32LE(need + 12)
  }
  return [...versions].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
}

function dynamicSection(file) {
  if (!isElf(file)) throw new Error('is no 64-bit little-endian ELF file')
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
  const offsetOf = (address) => {
    const home = segments.find(
      (s) => s.type === PT_LOAD && s.address <= address && address < s.address + s.bytes,
    )
    return address - home.address + home.offset
  }
  const names = offsetOf(entries.find(({ tag }) => tag === DT_STRTAB).value)
  const string = (at) => file.toString('latin1', names + at, file.indexOf(0, names + at))
  return { entries, string, offsetOf }
}
