/** What a 64-bit library of Windows asks the system for, read from its import table (Microsoft's "PE Format"). */
const PE32_PLUS = 0x20b
const IMPORTS = 1
const MACHINES = { 34404: 'x64', 43620: 'arm64' }

export function isPe(file) {
  if (file.length < 64 || file.toString('latin1', 0, 2) !== 'MZ') return false
  const header = file.readUInt32LE(60)
  return (
    file.toString('latin1', header, header + 4) === 'PE\0\0' && file.readUInt16LE(header + 24) === PE32_PLUS
  )
}

export function architecture(file) {
  return MACHINES[file.readUInt16LE(file.readUInt32LE(60) + 4)]
}

/** Names of the libraries that the loader must find, in the order of the table. */
export function neededLibraries(file) {
  const header = file.readUInt32LE(60)
  const optional = header + 24
  const sections = optional + file.readUInt16LE(header + 20)
  const offsetOf = (address) => {
    for (let i = 0; i < file.readUInt16LE(header + 6); i++) {
      const at = sections + 40 * i
      const [bytes, start, , offset] = [8, 12, 16, 20].map((field) => file.readUInt32LE(at + field))
      if (start <= address && address < start + bytes) return address - start + offset
    }
    throw new Error(`address ${address} lies in no section`)
  }
  const table = file.readUInt32LE(optional + 112 + 8 * IMPORTS)
  if (table === 0) return []
  const names = []
  for (let at = offsetOf(table); file.readUInt32LE(at + 12) !== 0; at += 20) {
    const name = offsetOf(file.readUInt32LE(at + 12))
    names.push(file.toString('latin1', name, file.indexOf(0, name)))
  }
  return names
}
