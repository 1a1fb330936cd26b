/**
 * The libraries that a binary asks for, as native/prebuild.mjs reads them: of files made here, and of this machine's against
 * readelf.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'

const { neededLibraries, foreignLibraries } = (await import(
  pathToFileURL(join(root, 'native/elf.mjs')).href
)) as Record<string, (file: Buffer) => string[]>

const test = suite('native/elf.mjs')

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

test('glibc is allowed, nothing else', () => {
  assert.equal(foreignLibraries(library(glibc)), [])
  const foreign = [
    'libstdc++.so.6',
    'libc++.so.1',
    'libgcc_s.so.1',
    'libgomp.so.1',
    'libc.so',
    'libmvec.so.1',
  ]
  assert.equal(foreignLibraries(library([...glibc, ...foreign])), foreign)
})

test('what is no ELF file is refused', () => {
  assert.throws(
    () => neededLibraries(Buffer.from('no library at all')),
    /^is no 64-bit little-endian ELF file/,
  )
  assert.throws(() => neededLibraries(Buffer.concat([Buffer.from('\x7fELF\x01\x01')])), /is no 64-bit/)
})

const name = 'the addon and Node ask for what readelf says'
if (process.platform !== 'linux' || spawnSync('readelf', ['--version']).status !== 0)
  skip(test, name, 'it wants Linux and readelf')
else
  test(name, () => {
    for (const path of [join(root, 'native/build/Release/bioalbert.node'), process.execPath]) {
      const { stdout } = spawnSync('readelf', ['--dynamic', '--wide', path], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C' },
      })
      const want = [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((m) => m[1])
      assert.ok(want.length > 0)
      assert.equal(neededLibraries(readFileSync(path)), want)
    }
  })

test.run()
