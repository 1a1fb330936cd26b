/**
 * The package as others install it: packed, installed in an empty folder outside the repository with nothing but what npm
 * brings, README's examples compiled under strict types against its declarations, and run. Once where native code must be
 * compiled, once with a binary that was built ahead (here the one of this build, in the place of a prebuilt one) and
 * without the packages that are optional.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fail } from './support/failure.js'
import { root } from './support/paths.js'
import { skip } from './support/skip.js'
import { temporaryFolder } from './support/temporary.js'

const test = suite('package')
/** Bytes of the packed package without binaries, at most. */
const LARGEST = 3_000_000

/** What a command printed on stdout; fails with its output when it does not end well. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: environment() })
  if (status !== 0)
    fail(`${command} ${args.join(' ')} ended with ${status}:\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`)
  return stdout
}

/** Without what npm tells the scripts that it runs, this test among them. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_cache)/.test(name)),
  )
}

/** Packs a folder without building anything in it; path and bytes of the tarball. */
function pack(folder: string): { file: string; bytes: number } {
  const to = temporaryFolder()
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', to]
  const found = JSON.parse(run('npm', args, folder)) as
    | { filename: string }[]
    | Record<string, { filename: string }>
  const [{ filename }] = Object.values(found)
  const file = join(to, filename)
  return { file, bytes: statSync(file).size }
}

/** The package as published without binaries, unpacked. */
function unpacked(): string {
  const folder = temporaryFolder()
  run('tar', ['-xzf', pack(root).file, '-C', folder], folder)
  rmSync(join(folder, 'package/native/prebuilds'), { recursive: true, force: true })
  return join(folder, 'package')
}

/** README's programs, `example1.ts` and so on. */
const examples = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
  (m) => m[1],
)

/**
 * Installs a tarball in an empty project, and checks what a user of it would do first: the prebuilt one with nothing that
 * is optional, the other with all of it.
 */
function checkInstalled(tarball: string, isPrebuilt: boolean): void {
  const project = temporaryFolder()
  writeFileSync(join(project, 'package.json'), '{"name": "user", "private": true, "type": "module"}\n')
  const omitted = isPrebuilt ? ['--omit=optional'] : []
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...omitted, tarball], project)
  const installed = join(project, 'node_modules/bioalbert')
  assert.is(existsSync(join(installed, 'native/build/Release/bioalbert.node')), !isPrebuilt)
  for (const name of ['esbuild', 'typescript', 'benchmark', 'uvu'])
    if (existsSync(join(project, 'node_modules', name)))
      fail(`${name} was installed, which only development needs`)

  for (const [i, source] of examples.entries()) writeFileSync(join(project, `example${i + 1}.ts`), source)
  const strict = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', 'false']
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
  const files = examples.map((_, i) => `example${i + 1}.ts`)
  run(join(root, 'node_modules/.bin/tsc'), [...strict, ...types, ...files], project)
  const losses = [...run('node', ['example1.js'], project).matchAll(/loss ([\d.]+)/g)].map((m) =>
    Number(m[1]),
  )
  if (!(losses.length === 6 && losses[5] < 0.05)) fail(`losses of the first example: ${losses}`)

  const { devices } = JSON.parse(
    run('npx', ['bioalbert', 'devices', '--json'], project).trimEnd().split('\n').at(-1)!,
  ) as { devices: { name: string; available: boolean; reason: string | null }[] }
  const device = (name: string) => devices.find((d) => d.name === name)!
  assert.is(device('cpu').available, true)
  // without it the device says so; with it any other reason may be given, such as that there is no adapter
  const absence = 'the npm package webgpu is not installed, it is optional (npm install webgpu)'
  assert.is(existsSync(join(project, 'node_modules/webgpu')), !isPrebuilt)
  assert.is(
    device('webgpu').reason === `the webgpu device is not available: ${absence}`,
    isPrebuilt,
    device('webgpu').reason ?? '',
  )
  // some hundred megabytes, too many for the seconds that a test process is given to end
  rmSync(project, { recursive: true })
}

test('packing leaves behind what an earlier build left in dist', () => {
  const folder = temporaryFolder()
  for (const name of ['package.json', 'tsconfig.json', 'binding.gyp', 'kernels/wgsl', 'src', 'test', 'bench'])
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith('node_modules'),
    })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'dist/src/ops'), { recursive: true })
  mkdirSync(join(folder, 'dist/web'), { recursive: true })
  writeFileSync(join(folder, 'dist/web/stale.js'), 'of an earlier build\n')
  for (const name of ['stale.js', 'index.js', 'stale.d.ts'])
    writeFileSync(join(folder, 'dist/src/ops', name), 'of an earlier build\n')
  run('npm', ['pack', '--pack-destination', folder], folder)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const packed = run('tar', ['-tzf', `bioalbert-${version}.tgz`], folder).split('\n')
  for (const file of [
    'dist/src/ops/index.js',
    'dist/src/ops/index.d.ts',
    'src/ops/index.ts',
    'dist/web/bioalbert.js',
  ])
    if (!packed.includes(`package/${file}`)) fail(`the package lacks ${file}`)
  assert.equal(
    packed.filter((file) => file.includes('stale')),
    [],
  )
})

if (!existsSync(join(root, 'dist/src/index.d.ts')))
  skip(test, 'the package installs', 'it has no declarations yet: npm run build:types')
else if (spawnSync('npm', ['ping'], { timeout: 30_000 }).status !== 0)
  skip(test, 'the package installs', 'no npm registry can be reached for its dependencies')
else {
  test('it is small, carries what it needs and nothing else', () => {
    const folder = unpacked()
    const { bytes } = pack(folder)
    console.log(`package without binaries: ${(bytes / 1e6).toFixed(2)} MB`)
    if (bytes > LARGEST) fail(`the package has ${bytes} bytes (want at most ${LARGEST})`)
    for (const file of [
      'dist/src/index.d.ts',
      'dist/src/index.d.ts.map',
      'src/index.ts',
      'kernels/cpu/kernel.h',
      'dist/src/browser.d.ts',
      'dist/web/bioalbert.js',
      'dist/web/worker.js',
    ])
      if (!existsSync(join(folder, file))) fail(`the package lacks ${file}`)
    for (const file of ['test', 'bench', 'dist/test', 'native/build', 'issues'])
      if (existsSync(join(folder, file))) fail(`the package holds ${file}`)
  })

  test('with a binary built ahead and no optional package nothing is compiled, and all works on the CPU', () => {
    const folder = unpacked()
    const { prebuiltFile, targetOfProcess } = createRequire(import.meta.url)(
      join(folder, 'native/prebuilt.cjs'),
    )
    const file: string = prebuiltFile(join(folder, 'native'), targetOfProcess())
    mkdirSync(dirname(file), { recursive: true })
    copyFileSync(join(root, 'native/build/Release/bioalbert.node'), file)
    checkInstalled(pack(folder).file, true)
  })

  test('without one native code is compiled', () => {
    checkInstalled(pack(unpacked()).file, false)
  })
}

test.run()
