/** The bundle for browsers: no module of Node in it, small, and an engine that computes with nothing around it. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { readKernels } from '../../src/device/webgpu/source.js'
import { kernelSources } from '../../src/device/webgpu/wgsl_node.js'
import { root } from '../support/paths.js'
import { folderWith } from '../support/temporary.js'
import { toyModel } from '../support/toy_model.js'
import { smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('bundle for browsers')
/** Bytes of a bundle, minified, at most. */
const LARGEST = 400_000

type Build = typeof import('../../src/web/build.mjs')
const { options, entries, shortenedSources } = (await import(
  pathToFileURL(join(root, 'src/web/build.mjs')).href
)) as Build
type Bundle = typeof import('../../src/browser.js')
const bundle = (await import(pathToFileURL(join(root, 'dist/web/bioalbert.js')).href)) as Bundle

test('no bundle imports anything, of Node or of others', async () => {
  for (const entry of Object.values(entries)) {
    // platform browser: a module of Node is an error of the build
    const { metafile, errors } = await build({
      ...options,
      entryPoints: [entry],
      write: false,
      metafile: true,
    })
    assert.equal(errors, [])
    const [output] = Object.values(metafile.outputs)
    assert.equal(output.imports, [])
    const inputs = Object.keys(metafile.inputs).filter((file) => /_node\.ts$/.test(file))
    assert.equal(inputs, ['src/device/webgpu/wgsl_node.ts'], 'its text is replaced')
  }
})

test('a module of Node fails the build', async () => {
  const folder = folderWith({ 'entry.ts': "import { join } from 'node:path'\nconsole.log(join('a', 'b'))\n" })
  const failed = await build({
    ...options,
    logLevel: 'silent',
    entryPoints: [join(folder, 'entry.ts')],
    write: false,
  }).then(
    () => false,
    () => true,
  )
  assert.ok(failed)
})

test('what Node has beside its modules is not used either', () => {
  for (const name of Object.keys(entries)) {
    const text = readFileSync(join(root, `dist/web/${name}.js`), 'utf8')
    for (const word of ['process.', 'Buffer.from', 'require(', '__dirname', 'setImmediate'])
      assert.not.ok(
        new RegExp(`(?<![\\w.$])${word.replace(/[.()]/g, '\\$&')}`).test(text),
        `${name}: ${word}`,
      )
  }
})

test(`every bundle has at most ${LARGEST} bytes`, () => {
  for (const name of Object.keys(entries)) {
    const { size } = statSync(join(root, `dist/web/${name}.js`))
    assert.ok(size <= LARGEST, `${name} has ${size}`)
  }
})

test('kernels are the same without the comments that nobody reads', () => {
  const whole = kernelSources()
  const shapes = (sources: typeof whole) =>
    [...readKernels(sources)].map(([name, forms]) => [
      name,
      forms.map(({ buffers, params, entries, when, scratch, rounds }) => ({
        buffers,
        params,
        when: when?.reads,
        scratch: scratch?.binding,
        isInRounds: rounds !== undefined,
        entries: entries.map(({ name, reads, bindings, inRounds }) => ({ name, reads, bindings, inRounds })),
      })),
    ])
  const short = shortenedSources(whole) as typeof whole
  assert.ok(JSON.stringify(short).length < JSON.stringify(whole).length)
  assert.equal(JSON.stringify(shapes(short)), JSON.stringify(shapes(whole)))
})

test('it tokenises as Node does, and knows the vocabulary by the same digest', async () => {
  const text = smallTokenizerJson()
  const here = loadTokenizer(join(folderWith({ 'v/tokenizer.json': text }), 'v'))
  const there = await bundle.Tokenizer.parse({ path: 'tokenizer.json', text })
  const sentence = 'The patients had severe fever, and cough; ÅNGSTRÖM \u{1f600}.'
  assert.equal([...there.encode(sentence)], [...here.encode(sentence)])
  assert.is(there.digest, here.digest)
})

test('a model is read from the files of its folder, and refused where they are not of one model', async () => {
  const made = await toyModel('m', ['O', 'B', 'I'])
  const files = new Map(Object.entries(made).map(([name, bytes]) => [name.slice(2), new Uint8Array(bytes)]))
  const opened = await bundle.openFiles('m', files)
  const { task, context } = bundle.taskOf(opened, [bundle.entityLabels])
  assert.is(task.name, 'entities')
  assert.equal(context.labels, ['O', 'B', 'I'])
  files.delete('config.json')
  await bundle.openFiles('m', files).then(
    () => assert.unreachable(),
    (error) => {
      assert.instance(error, bundle.InputError)
      assert.match(error.message, /^m\/config\.json: found no such file among/)
    },
  )
})

test('a data set of texts is that of files, and without dev every tenth sentence is held out', () => {
  const row = (i: number) => `word${i}\tO\nfever\tB\n\n`
  const text = Array.from({ length: 25 }, (_, i) => row(i)).join('')
  const { train, dev, labels } = bundle.entityTexts({ path: 'train.tsv', text })
  assert.equal(labels, ['O', 'B', 'I'])
  assert.is(train.items.length, 23)
  assert.equal(
    dev.items.map(({ words }) => words[0]),
    ['word9', 'word19'],
  )
  assert.throws(
    () => bundle.entityTexts({ path: 'train.tsv', text: row(1) }),
    /found 1 sentences, expected 10 or more/,
  )
})

test('without WebGPU that is said', async () => {
  for (const [name, wanted] of [
    ['webgpu', /this browser has no WebGPU/],
    ['cpu', /no device cpu in a browser/],
  ] as const)
    await bundle.openDevice(name).then(
      () => assert.unreachable(),
      (error) => assert.match(error.message, wanted),
    )
})

test.run()
