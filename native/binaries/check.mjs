/** What a binary built ahead asks of a system, and whether every system of its target has that. */
import * as elf from './elf.mjs'
import * as macho from './macho.mjs'
import * as pe from './pe.mjs'

/** Node 20 itself wants glibc 2.28, and macOS 11. */
const GLIBC = '2.28'
const MACOS = '11.0'

/** Libraries that are part of a system; all others it may lack or have in another version. */
const SYSTEM = {
  glibc:
    /^(lib(c|m)\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$/,
  musl: /^libc\.so$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  // with the C library of Windows 10 and later, and Node itself
  win32: /^(node\.exe|kernel32\.dll|ntdll\.dll|advapi32\.dll|api-ms-win-crt-[a-z0-9-]+\.dll)$/i,
}

/** What Node itself has, as a C symbol of macOS. */
const OF_NODE = /^_(napi|node_api)_/

/** `{ format, architecture, libraries, version }`; version: newest of glibc's symbols, or oldest macOS. */
export function requirements(file) {
  if (elf.isElf(file)) {
    const version = elf
      .neededVersions(file)
      .filter((name) => name.startsWith('GLIBC_'))
      .at(-1)
    return {
      format: 'ELF',
      architecture: elf.architecture(file),
      libraries: elf.neededLibraries(file),
      ...(version && { version }),
    }
  }
  if (macho.isMachO(file))
    return {
      format: 'Mach-O',
      architecture: macho.architecture(file),
      libraries: macho.neededLibraries(file),
      version: `macOS ${macho.oldestSystem(file)}`,
      signed: macho.isSigned(file),
      lookedUp: macho.lookedUp(file),
    }
  if (pe.isPe(file))
    return { format: 'PE', architecture: pe.architecture(file), libraries: pe.neededLibraries(file) }
  throw new Error('is no 64-bit ELF, Mach-O or PE file')
}

const FORMATS = { linux: 'ELF', darwin: 'Mach-O', win32: 'PE' }

function isNewer(a, b) {
  return a.localeCompare(b, undefined, { numeric: true }) > 0
}

/** Why a binary with these requirements must not go out for a target (`linux-x64-glibc`); none if it may. */
export function complaints(target, { format, architecture, libraries, version, signed, lookedUp = [] }) {
  const [platform, arch, libc] = target.split('-')
  const wrong = []
  if (format !== FORMATS[platform] || architecture !== arch)
    wrong.push(`it is ${format} for ${architecture} (want ${FORMATS[platform]} for ${arch})`)
  const foreign = libraries.filter((name) => !SYSTEM[libc ?? platform].test(name))
  if (foreign.length > 0)
    wrong.push(`it asks for ${foreign.join(', ')} (want the system's own libraries only)`)
  if (platform === 'linux' && !libraries.some((name) => name.startsWith('libc.so')))
    wrong.push('it asks for no C library, so it holds a second one')
  if (libc === 'glibc' && version && isNewer(version, `GLIBC_${GLIBC}`))
    wrong.push(`it asks for ${version} (want at most GLIBC_${GLIBC})`)
  if (platform === 'darwin' && isNewer(version, `macOS ${MACOS}`))
    wrong.push(`it asks for ${version} (want macOS ${MACOS})`)
  // the linker was told that they are found when it is loaded, whatever they are
  const unknown = lookedUp.filter((name) => !OF_NODE.test(name))
  if (unknown.length > 0) wrong.push(`it asks Node for ${unknown.join(', ')} (want napi_ and node_api_ only)`)
  if (target === 'darwin-arm64' && !signed) wrong.push('it is not signed, and would not be loaded')
  return wrong
}
