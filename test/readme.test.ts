/** What the README shows: its program runs and learns, and its commands exist. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transformSync } from 'esbuild'
import { suite } from 'uvu'
import { readResults, report } from '../bench/support/report.js'
import { commandNames } from '../src/cli/program.js'
import { fail } from './support/failure.js'
import { root } from './support/paths.js'
import { temporaryFolder } from './support/temporary.js'

const test = suite('readme')
/** What commands make. */
const MADE = /^native\/(build|prebuilds)|^native\/cuda\/build|^bench\/results\/(gpu|quick)/
const readme = readFileSync(join(root, 'README.md'), 'utf8')

test('the model of your own learns its spirals', () => {
  const source = readme.match(/```ts\n([\s\S]*?)```/)?.[1] ?? fail('the README has no TypeScript')
  const index = pathToFileURL(join(root, 'dist/src/index.js')).href
  const { code } = transformSync(source.replace("'bioalbert'", `'${index}'`), { loader: 'ts', format: 'esm' })
  const file = join(temporaryFolder(), 'example.mjs')
  writeFileSync(file, code)
  const lines = execFileSync(process.execPath, [file], { encoding: 'utf8' }).trimEnd().split('\n')
  const losses = lines.map((line) => Number(line.match(/^step \d+: loss ([\d.]+)$/)?.[1]))
  if (losses.length !== 6 || !(losses[0] > 0.5) || !(losses[5] < 0.05)) fail(`losses ${losses}`)
})

test('every command that the README types is there, and the other way round', () => {
  const typed = new Set([...readme.matchAll(/npx bioalbert ([a-z]+)/g)].map((m) => m[1]))
  const listed = new Set(
    [...readme.matchAll(/^\| (`[^|]*) \|/gm)].flatMap((m) =>
      [...m[1].matchAll(/`([a-z]+)/g)].map((w) => w[1]),
    ),
  )
  const there = commandNames()
  for (const name of typed) if (!there.includes(name)) fail(`the README types ${name}, which is no command`)
  for (const name of there) if (!listed.has(name)) fail(`the README does not list ${name}`)
})

test('what the documents run and name is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const texts = ['README.md', 'ARCHITECTURE.md', 'docs/figures.md'].map((name) => ({
    name,
    text: readFileSync(join(root, name), 'utf8'),
  }))
  for (const { name, text } of texts) {
    for (const [, script] of text.matchAll(/npm run ([a-z][a-z:-]*)/g))
      if (!(script in scripts)) fail(`${name} runs ${script}, which package.json does not have`)
    const paths = /`((?:src|kernels|native|bench|test|docs)\/[\w/.-]+)`/g
    for (const [, path] of text.matchAll(paths))
      if (!existsSync(join(root, path)) && !MADE.test(path)) fail(`${name} names ${path}, which is not there`)
  }
})

test('the figures and plots are those of the results', async () => {
  for (const [path, content] of await report(root, readResults(join(root, 'bench/results')))) {
    const file = join(root, path)
    const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined
    if (found !== content) fail(`${path} is not what bench/results/*.json give: npm run bench -- report`)
  }
})

test.run()
