/**
 * The tree keeps its shape: every op has all its files under one stem, imports point down only and in no circle, no file
 * grows past 400 lines or starts without saying what it is, and nothing tracked speaks of one machine.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { circles, importsOf } from './support/imports.js'
import { root } from './support/paths.js'

const test = suite('layout')

/** From the top down: a folder may import from itself and from those after it. */
const layers = [
  'cli',
  'web',
  'report',
  'evaluation',
  'profile',
  'server',
  'training',
  'fetch',
  'tasks',
  'data',
  'model',
  'autograd',
  'graph',
  'ops',
  'device',
]
/** What programs write against: what is there everywhere, and with it what Node and browsers have. */
const entries = ['src/exports.ts', 'src/index.ts', 'src/browser.ts']
/** Beside the layers: importable from anywhere. */
const free = ['src/environment.ts', 'src/error.ts', 'src/files.ts', 'src/paths.ts']
/** Files beside those of ops: contracts, the WGSL in front, what benches compare with, the test of all signatures. */
const notOps = ['index', 'op', 'shape', 'work', 'prelude', 'peak', 'signatures']
const longest = 400

function files(folder: string, ...endings: string[]): string[] {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .filter((file) => !/(^|\/)(build|node_modules|results)\//.test(file))
    .map((file) => join(folder, file))
    .sort()
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function stems(folder: string, ending: string): string[] {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter((file) => file.endsWith(ending))
    .map((file) => basename(file, ending))
    .sort()
}

/** Fails with one line for each complaint. */
function none(complaints: string[]): void {
  assert.ok(complaints.length === 0, `\n      ${complaints.join('\n      ')}`)
}

function opStems(): string[] {
  const found = read('src/ops/index.ts').matchAll(/from '\.\/(\w+)\.js'/g)
  return [...found].map((match) => match[1]).filter((stem) => !notOps.includes(stem))
}

test('every op has its source, its CPU kernel, its test and its bench, and src/ops/index.ts names it', () => {
  const ops = opStems()
  assert.ok(ops.length > 0)
  const complaints: string[] = []
  for (const stem of ops) {
    const wanted = [
      `src/ops/${stem}.ts`,
      `kernels/cpu/${stem}.cc`,
      `test/ops/${stem}.test.ts`,
      `bench/ops/${stem}.bench.ts`,
    ]
    for (const file of wanted) {
      if (!existsSync(join(root, file))) complaints.push(`${stem}: ${file} is missing`)
    }
  }
  const folders: [string, string][] = [
    ['src/ops', '.ts'],
    ['kernels/cpu', '.cc'],
    ['kernels/wgsl', '.wgsl'],
    ['kernels/cuda', '.cu'],
    ['test/ops', '.test.ts'],
    ['bench/ops', '.bench.ts'],
  ]
  for (const [folder, ending] of folders) {
    for (const stem of stems(folder, ending)) {
      if (!ops.includes(stem) && !notOps.includes(stem))
        complaints.push(`${folder}/${stem}${ending} belongs to no op of src/ops/index.ts`)
    }
  }
  none(complaints)
})

test('imports point down only', () => {
  const complaints: string[] = []
  for (const file of files('src', '.ts')) {
    const [, folder] = file.split('/')
    const from = layers.indexOf(folder)
    for (const path of importsOf(file, read(file))) {
      if (free.includes(path) || entries.includes(file)) continue
      const to = layers.indexOf(path.split('/')[1])
      if (!path.startsWith('src/') || to === -1) complaints.push(`${file} imports ${path}, of no layer`)
      else if (from === -1) complaints.push(`${file} is in no layer, and imports ${path}`)
      else if (to < from) complaints.push(`${file} imports ${path}, which is above it`)
    }
  }
  none(complaints)
})

test('no files import each other in a circle, not even for types', () => {
  const sources = ['src', 'test', 'bench'].flatMap((folder) => files(folder, '.ts'))
  const imports = new Map(sources.map((file) => [file, importsOf(file, read(file))]))
  const count = [...imports.values()].flat().filter((file) => imports.has(file)).length
  assert.ok(count > sources.length, `${count} imports found in ${sources.length} files`)
  none(circles(imports).map((circle) => circle.join(' imports ')))
})

test('a circle is found, through types, exports and imports at run time', () => {
  const sources: Record<string, string> = {
    'a/one.ts': "import { x } from './two.js'\nimport { spawn } from 'node:child_process'",
    'a/two.ts': "/** import { y } from './none.js' */\nexport * from '../b/three.js'",
    'b/three.ts': "import type {\n  Z,\n} from './four.js'\nimport './leaf.js'",
    'b/four.ts': "const { x } = await import('../a/one.js')",
    'b/leaf.ts': '',
    'self.ts': "import { me } from './self.js'",
  }
  const found = (names: string[]) =>
    circles(new Map(names.map((file) => [file, importsOf(file, sources[file])])))
  assert.equal(found(Object.keys(sources)), [
    ['a/one.ts', 'a/two.ts', 'b/three.ts', 'b/four.ts', 'a/one.ts'],
    ['self.ts', 'self.ts'],
  ])
  assert.equal(found(['a/one.ts', 'a/two.ts', 'b/three.ts', 'b/leaf.ts']), [])
})

test('the entries hold exports only', () => {
  const code = entries
    .map(read)
    .join('\n')
    .replace(/\/\*[\s\S]*?\*\//g, '')
  const rest = code
    .replace(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+'/g, '')
    .replace(/export \{\}/, '')
    .trim()
  assert.is(rest, '')
})

test(`no source file is longer than ${longest} lines`, () => {
  const sources = [
    ...files('src', '.ts'),
    ...files('test', '.ts', '.py'),
    ...files('bench', '.ts', '.py'),
    ...files('kernels', '.cc', '.h', '.wgsl', '.cu', '.cuh'),
    ...files('native', '.cc', '.h', '.txt'),
  ]
  const lines = (file: string) => read(file).trimEnd().split('\n').length
  none(sources.filter((file) => lines(file) > longest).map((file) => `${file} has ${lines(file)}`))
})

test('every source file opens with a comment that says what it is', () => {
  const slashes = [
    ...files('src', '.ts'),
    ...files('test', '.ts').filter((file) => !file.endsWith('.test.ts')),
    ...files('bench', '.ts').filter((file) => !file.endsWith('.bench.ts')),
    ...files('kernels', '.cc', '.h', '.wgsl', '.cu', '.cuh'),
    // A header speaks for the .cc beside it.
    ...files('native', '.cc', '.h').filter((file) => !existsSync(join(root, file.replace(/\.cc$/, '.h')))),
    ...files('native', '.h'),
  ]
  none(
    slashes
      .filter((file) => file !== 'src/index.ts' && !/^(#!.*\n)?(\/\*|\/\/)/.test(read(file)))
      .map((file) => `${file} does not`),
  )
})

test('a skipped test carries a reason', () => {
  const tests = files('test', '.test.ts')
  none(tests.filter((file) => /^\s*\w+\.skip\(/m.test(read(file))).map((file) => `${file} uses test.skip`))
})

test('environment variables of the project are read in one file', () => {
  const readers = files('src', '.ts').filter((file) => /process\.env\.BIOALBERT_/.test(read(file)))
  assert.ok(readers.length <= 1, readers.join(', '))
})

test('src and bench write through src/files.ts only, so that a failure names the file', () => {
  const writers =
    /\b((write|append|copy)File|mkdir|mkdtemp|rename|cp|symlink|link|truncate|createWriteStream)(Sync)?\b/
  const complaints: string[] = []
  for (const file of [...files('src', '.ts'), ...files('bench', '.ts', '.mjs')]) {
    if (file === 'src/files.ts') continue
    const text = read(file)
    for (const [, names] of text.matchAll(/^import\s+([^;'"]*?)\s+from\s+'(?:node:)?fs'/gm)) {
      const found = names.startsWith('{') ? writers.exec(names)?.[0] : names
      if (found) complaints.push(`${file} imports ${found}`)
    }
    if (/'(node:)?fs\/promises'/.test(text)) complaints.push(`${file} imports fs/promises`)
    // a file that is opened is one to read
    for (const [, rest] of text.matchAll(/\bopenSync\((.*)/g))
      if (!/'r'/.test(rest)) complaints.push(`${file} opens ${rest}`)
  }
  none(complaints)
})

test('the lock file holds every optional package that it names, or `npm ci` refuses it', () => {
  type Locked = { optionalDependencies?: Record<string, string> }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
  const complaints: string[] = []
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const places = [`node_modules/${name}`, `${path}/node_modules/${name}`]
      if (!places.some((place) => place in packages)) complaints.push(`${path} wants ${name}`)
    }
  }
  none(complaints)
})

test('nothing tracked speaks of one machine or one package registry', () => {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  const tracked =
    listed.status === 0 ? listed.stdout.split('\0').filter((file) => file !== '') : files('.', '.ts')
  // Put together here, so that this file does not hold what it forbids.
  const forbidden = [
    ['/wo', 'rk/'],
    ['registry', '.npmjs'],
    ['"reso', 'lved": "http'],
    ['/ho', 'me/'],
  ].map((parts) => parts.join(''))
  const complaints: string[] = []
  for (const file of tracked) {
    if (!existsSync(join(root, file))) continue
    const text = readFileSync(join(root, file), 'latin1')
    for (const word of forbidden) if (text.includes(word)) complaints.push(`${file} holds ${word}`)
  }
  none(complaints)
})

test.run()
