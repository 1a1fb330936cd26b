/**
 * What a binary asks of a system, as native/prebuild.mjs reads it: of files made here, of this machine's against readelf; and
 * what of it is refused for which target.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'

const load = (name: string) => import(pathToFileURL(join(root, 'native/binaries', name)).href)

interface Requirements {
  format: string
  architecture: string
  libraries: string[]
  version?: string
  signed?: boolean
  lookedUp?: string[]
}
const { neededLibraries, neededVersions } = (await load('elf.mjs')) as Record<
  string,
  (file: Buffer) => string[]
>
const { requirements, complaints } = (await load('check.mjs')) as {
  requirements(file: Buffer): Requirements
  complaints(target: string, found: Requirements): string[]
}

const test = suite('native/binaries')

/** A shared object with nothing but a dynamic section that asks for `names`; the strings lie at another address than in the file. */
function library(names: readonly string[]): Buffer {
  const strings = Buffer.from(`\0${names.map((name) => `${name}\0`).join('')}`)
  const [headers, dynamic] = [64 + 2 * 56, 16 * (names.length + 2)]
  const [start, shift] = [headers + dynamic, 0x20000]
  const file = Buffer.alloc(start + strings.length)
  file.write('\x7fELF\x02\x01', 'latin1')
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(2, 56)
  const segment = (i: number, type: number, offset: number, address: number, bytes: number) => {
    file.writeUInt32LE(type, 64 + 56 * i)
    for (const [at, value] of Object.entries({ 8: offset, 16: address, 32: bytes }))
      file.writeBigUInt64LE(BigInt(value), 64 + 56 * i + Number(at))
  }
  segment(0, 1, 0, shift, file.length)
  segment(1, 2, headers, shift + headers, dynamic)
  let at = 1
  const entries = names.map((name) => {
    const entry = [1, at]
    at += name.length + 1
    return entry
  })
  for (const [i, [tag, value]] of [...entries, [5, shift + start], [0, 0]].entries()) {
    file.writeBigUInt64LE(BigInt(tag), headers + 16 * i)
    file.writeBigUInt64LE(BigInt(value), headers + 16 * i + 8)
  }
  strings.copy(file, start)
  return file
}

const glibc = [
  'libm.so.6',
  'libpthread.so.0',
  'libdl.so.2',
  'librt.so.1',
  'libc.so.6',
  'ld-linux-x86-64.so.2',
]

test('all that is needed is found, in order', () => {
  assert.equal(neededLibraries(library(glibc)), glibc)
  assert.equal(neededLibraries(library([])), [])
})

/** What is wrong with a good binary of a target after a change. */
function wrong(target: string, change: Partial<Requirements> = {}): string {
  const [platform, arch, libc] = target.split('-')
  const found = {
    linux: {
      format: 'ELF',
      libraries: libc === 'musl' ? ['libc.so'] : glibc,
      ...(libc === 'glibc' && { version: 'GLIBC_2.28' }),
    },
    darwin: {
      format: 'Mach-O',
      libraries: ['/usr/lib/libSystem.B.dylib'],
      version: 'macOS 11.0',
      signed: arch === 'arm64',
    },
    win32: { format: 'PE', libraries: ['NODE.EXE', 'KERNEL32.dll', 'api-ms-win-crt-heap-l1-1-0.dll'] },
  }[platform]!
  return complaints(target, { architecture: arch, ...found, ...change }).join('; ')
}

const TARGETS = [
  'linux-x64-glibc',
  'linux-x64-musl',
  'linux-arm64-glibc',
  'linux-arm64-musl',
  'darwin-arm64',
  'darwin-x64',
  'win32-x64',
]

test('what is part of a system is allowed, nothing else', () => {
  for (const target of TARGETS) assert.is(wrong(target), '')
  const foreign = [
    'libstdc++.so.6',
    'libc++.so.1',
    'libgcc_s.so.1',
    'libgomp.so.1',
    'libc.so',
    'libmvec.so.1',
  ]
  assert.is(
    wrong('linux-x64-glibc', { libraries: [...glibc, ...foreign] }),
    `it asks for ${foreign.join(', ')} (want the system's own libraries only)`,
  )
  assert.match(
    wrong('linux-x64-musl', { libraries: ['libc.so', 'libc.so.6'] }),
    /^it asks for libc\.so\.6 \(want/,
  )
  assert.match(
    wrong('darwin-x64', { libraries: ['/usr/lib/libc++.1.dylib'] }),
    /^it asks for \/usr\/lib\/libc/,
  )
  assert.match(
    wrong('win32-x64', { libraries: ['KERNEL32.dll', 'libwinpthread-1.dll'] }),
    /^it asks for libwin/,
  )
})

test('another processor, a newer system, a second C library and a missing signature are refused', () => {
  for (const target of TARGETS) {
    assert.match(
      wrong(target, { architecture: 'riscv64' }),
      /^it is .+ for riscv64 \(want .+ for (x64|arm64)\)$/,
    )
    assert.match(wrong(target, { format: 'COFF' }), /^it is COFF for/)
  }
  assert.is(wrong('linux-x64-glibc', { version: 'GLIBC_2.4' }), '')
  assert.is(
    wrong('linux-arm64-glibc', { version: 'GLIBC_2.29' }),
    'it asks for GLIBC_2.29 (want at most GLIBC_2.28)',
  )
  assert.is(wrong('linux-x64-musl', { libraries: [] }), 'it asks for no C library, so it holds a second one')
  assert.is(wrong('darwin-x64', { version: 'macOS 13.0' }), 'it asks for macOS 13.0 (want macOS 11.0)')
  assert.is(wrong('darwin-arm64', { signed: false }), 'it is not signed, and would not be loaded')
})

/** A library of macOS: header and load commands, after <mach-o/loader.h>. */
type MachSymbol = { name: string; type: number; ordinal: number }

function machO(
  machine: number,
  names: readonly string[],
  signed: boolean,
  symbols: readonly MachSymbol[] = [],
): Buffer {
  const command = (id: number, body: Buffer) => {
    const head = Buffer.alloc(8)
    head.writeUInt32LE(id, 0)
    head.writeUInt32LE(8 + body.length, 4)
    return Buffer.concat([head, body])
  }
  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer)
  const commands = [
    command(0x1b, Buffer.alloc(16)),
    ...names.map((name) => {
      const padded = Buffer.alloc(Math.ceil((name.length + 1) / 8) * 8)
      padded.write(name, 'latin1')
      return command(0xc, Buffer.concat([words(24, 2, 0, 0), padded]))
    }),
    command(0x32, words(1, (12 << 16) | (3 << 8), 0, 0)),
    ...(signed ? [command(0x1d, words(0, 0))] : []),
  ]
  // the table of symbols and their names lie behind the commands
  const start = 32 + Buffer.concat(commands).length + 24
  const strings = start + 16 * symbols.length
  commands.push(command(2, words(start, symbols.length, strings, 0)))
  let at = 1
  const table = symbols.map(({ name, type, ordinal }) => {
    const symbol = Buffer.alloc(16)
    symbol.writeUInt32LE(at, 0)
    symbol[4] = type
    symbol.writeUInt16LE(ordinal << 8, 6)
    at += name.length + 1
    return symbol
  })
  const all = Buffer.concat(commands)
  const header = words(0xfeedfacf, machine, 0, 6, commands.length, all.length, 0, 0)
  const text = Buffer.from(`\0${symbols.map(({ name }) => `${name}\0`).join('')}`, 'latin1')
  return Buffer.concat([header, all, ...table, text])
}

test('libraries of macOS: what they ask for, from which system on, and whether they are signed', () => {
  const names = ['/usr/lib/libSystem.B.dylib', '/usr/lib/libc++.1.dylib']
  assert.equal(requirements(machO(0x0100000c, names, true)), {
    format: 'Mach-O',
    architecture: 'arm64',
    libraries: names,
    version: 'macOS 12.3',
    signed: true,
    lookedUp: [],
  })
  const { architecture, libraries, signed } = requirements(machO(0x01000007, [], false))
  assert.equal([architecture, libraries, signed], ['x64', [], false])
})

test('a library of macOS may look up what Node has, and nothing else', () => {
  const system = '/usr/lib/libSystem.B.dylib'
  const [external, section, ofLibrary, looked] = [1, 0x0e, 1, 0xfe]
  const own = [
    { name: '_napi_throw', type: external, ordinal: looked },
    { name: '_malloc', type: external, ordinal: ofLibrary },
    { name: '_node_api_get_module_file_name', type: external, ordinal: 0 },
    { name: '_napi_register_module_v1', type: external | section, ordinal: 0 },
  ]
  const found = requirements(machO(0x0100000c, [system], true, own))
  assert.equal(found.lookedUp, ['_napi_throw', '_node_api_get_module_file_name'])
  const missing = { name: '__ZdlPv', type: external, ordinal: looked }
  const broken = requirements(machO(0x0100000c, [system], true, [...own, missing]))
  const allowed = { version: 'macOS 11.0' }
  assert.equal(complaints('darwin-arm64', { ...found, ...allowed }), [])
  assert.equal(complaints('darwin-arm64', { ...broken, ...allowed }), [
    'it asks Node for __ZdlPv (want napi_ and node_api_ only)',
  ])
})

/** A library of Windows with one section, which holds the import table and lies at another address than in the file. */
function pe(machine: number, names: readonly string[]): Buffer {
  const [header, optional, address, offset] = [128, 112 + 16 * 8, 0x1000, 512]
  const table = 20 * (names.length + 1)
  const strings = names.map((name) => Buffer.from(`${name}\0`, 'latin1'))
  const section = Buffer.concat([Buffer.alloc(table), ...strings])
  let at = table
  for (const [i, name] of strings.entries()) {
    section.writeUInt32LE(address + at, 20 * i + 12)
    at += name.length
  }
  const file = Buffer.alloc(offset)
  file.write('MZ', 'latin1')
  file.writeUInt32LE(header, 60)
  file.write('PE\0\0', header, 'latin1')
  file.writeUInt16LE(machine, header + 4)
  file.writeUInt16LE(1, header + 6)
  file.writeUInt16LE(optional, header + 20)
  file.writeUInt16LE(0x20b, header + 24)
  file.writeUInt32LE(address, header + 24 + 112 + 8)
  const sections = header + 24 + optional
  for (const [field, value] of [
    [8, section.length],
    [12, address],
    [16, section.length],
    [20, offset],
  ])
    file.writeUInt32LE(value, sections + field)
  return Buffer.concat([file, section])
}

test('libraries of Windows: what they ask for', () => {
  const libraries = ['NODE.EXE', 'KERNEL32.dll']
  assert.equal(requirements(pe(0x8664, libraries)), { format: 'PE', architecture: 'x64', libraries })
  assert.equal(requirements(pe(0xaa64, [])).architecture, 'arm64')
})

test('what is no ELF file is refused', () => {
  assert.throws(
    () => neededLibraries(Buffer.from('no library at all')),
    /^is no 64-bit little-endian ELF file/,
  )
  assert.throws(() => neededLibraries(Buffer.concat([Buffer.from('\x7fELF\x01\x01')])), /is no 64-bit/)
  assert.throws(() => requirements(Buffer.from('#!/bin/sh\n')), /^is no 64-bit ELF, Mach-O or PE file/)
})

const name = 'the addon and Node ask for what readelf says'
if (process.platform !== 'linux' || spawnSync('readelf', ['--version']).status !== 0)
  skip(test, name, 'it wants Linux and readelf')
else
  test(name, () => {
    for (const path of [join(root, 'native/build/Release/bioalbert.node'), process.execPath]) {
      const { stdout } = spawnSync('readelf', ['--dynamic', '--version-info', '--wide', path], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        env: { ...process.env, LC_ALL: 'C' },
      })
      const want = [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((m) => m[1])
      assert.ok(want.length > 0)
      const file = readFileSync(path)
      assert.equal(neededLibraries(file), want)
      const needs = stdout.slice(stdout.indexOf('Version needs section'))
      const versions = new Set([...needs.matchAll(/ Name: (\S+) +Flags/g)].map((m) => m[1]))
      assert.ok(versions.size > 0)
      assert.equal(new Set(neededVersions(file)), versions)
    }
  })

test.run()
