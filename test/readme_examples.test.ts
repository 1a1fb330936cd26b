/** The programs of the README: both keep to strict types, and the GPT learns more than pairs of letters tell. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transformSync } from 'esbuild'
import { suite } from 'uvu'
import { generateCorpus } from '../src/data/corpus/synthetic.js'
import { fail } from './support/failure.js'
import { root } from './support/paths.js'
import { folderWith } from './support/temporary.js'

const test = suite('readme examples')
const programs = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
  (match) => match[1],
)
const gpt = programs.find((source) => source.includes('causal: true')) ?? fail('the README has no GPT')

test('they keep to strict types', () => {
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, module: 'nodenext', target: 'es2023' },
    ...{ types: ['node', '@webgpu/types'], typeRoots: ['node_modules/@types', 'node_modules'] },
    ...{ paths: { bioalbert: [join(root, 'src/index.ts')] } },
  }
  compilerOptions.typeRoots = compilerOptions.typeRoots.map((folder) => join(root, folder))
  const files: Record<string, string> = {
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
  }
  programs.forEach((source, i) => {
    files[`example${i}.ts`] = source
  })
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folderWith(files)], { encoding: 'utf8' })
  if (status !== 0) fail(stdout)
})

test('the GPT has at most 70 lines', () => {
  const lines = gpt.trimEnd().split('\n').length
  if (lines > 70) fail(`${lines} lines`)
})

test('the GPT falls below pairs of letters, and writes with the letters of its text', () => {
  const text = generateCorpus(3, 400)
  const index = pathToFileURL(join(root, 'dist/src/index.js')).href
  const { code } = transformSync(gpt.replaceAll("'bioalbert'", `'${index}'`), { loader: 'ts', format: 'esm' })
  const folder = folderWith({ 'gpt.mjs': code, 'text.txt': text })
  const printed = execFileSync(process.execPath, [join(folder, 'gpt.mjs'), join(folder, 'text.txt'), '150'], {
    encoding: 'utf8',
  })
  const loss = (model: string) =>
    Number(printed.match(new RegExp(`^${model}: validation loss ([\\d.]+)$`, 'm'))?.[1])
  const [bigram, learned] = [loss('bigram model'), loss('GPT')]
  if (!(bigram > 1 && learned < bigram - 0.1)) fail(`bigram ${bigram}, GPT ${learned}\n${printed}`)
  const sample = printed.slice(printed.indexOf('\n', printed.indexOf('GPT: ')) + 1)
  const strange = [...sample.trimEnd()].filter((letter) => !text.includes(letter))
  if (sample.length < 400 || strange.length > 0) fail(`wrote ${sample.length} letters, strange ${strange}`)
})

test.run()
