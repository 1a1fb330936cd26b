/** The parameters of a model of one's own as safetensors, in memory and in files: bits, names, what is refused. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Capture } from '../../src/autograd/tensor.js'
import type { Device } from '../../src/device/device.js'
import { InputError, UserError } from '../../src/error.js'
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import { readSafetensors, type TensorToWrite, writeSafetensors } from '../../src/model/formats/safetensors.js'
import { decodeParameters, encodeParameters } from '../../src/model/parameters.js'
import { loadParameters, saveParameters } from '../../src/model/parameters_node.js'
import { sameBits } from '../support/allclose.js'
import { withDevice } from '../support/op_check.js'
import { root } from '../support/paths.js'
import { random } from '../support/random.js'
import { folderWith, temporaryFolder } from '../support/temporary.js'

const test = suite('parameters')

/** Two parameters, one of which has parts, and none that fills its place in the arena. */
function declared(): ParameterSet {
  const set = new ParameterSet()
  set.add('out.weight', [3, 5], { init: zeros })
  const parts = [{ name: 'first', rows: 1 } as const, { name: 'others', rows: 2 } as const]
  set.add('stacked', [3, 2], { init: zeros, parts })
  set.add('β/scalar', [], { init: zeros, trainable: false })
  return set
}

/** A runtime that does nothing but hold parameters. */
function holder(device: Device, set = declared()): Runtime {
  return new Runtime(device, set, { none: new Capture(set).graph })
}

/** Values in every parameter, those that comparisons lose among them; zeros between parameters. */
function values(set: ParameterSet): Float32Array {
  const data = new Float32Array(set.arenaElements)
  for (const { offset, size } of set.all) data.set(random(offset).normals(size), offset)
  const bits = new Uint32Array(data.buffer)
  bits.set([0x80000000, 0x7fc12345, 0xff800000, 0x00000001], set.get('out.weight').offset)
  return data
}

const rejection = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('nothing was refused'),
    (error: Error) => error,
  )

test('they come back bit for bit, through a file and through memory, with their metadata', () =>
  withDevice({}, async (device) => {
    const from = holder(device)
    await from.writeState('parameters', values(from.parameters))
    const folder = temporaryFolder()
    const path = join(folder, 'own.safetensors')
    await saveParameters(path, from, { alphabet: ' aβ\n"' })
    assert.equal(readdirSync(folder), ['own.safetensors'])
    const bytes = await encodeParameters({ runtime: from }, { alphabet: ' aβ\n"' })
    sameBits(bytes, new Uint8Array(readFileSync(path)))

    const fromFile = holder(device)
    assert.equal(await loadParameters(path, fromFile), { format: 'pt', alphabet: ' aβ\n"' })
    const fromBytes = holder(device)
    assert.is((await decodeParameters(bytes, { runtime: fromBytes })).alphabet, ' aβ\n"')
    for (const to of [fromFile, fromBytes])
      sameBits(await to.readState('parameters'), values(from.parameters))
  }))

test('the file holds a tensor for each parameter or part, under its name', () =>
  withDevice({}, async (device) => {
    const from = holder(device)
    const data = values(from.parameters)
    await from.writeState('parameters', data)
    const path = join(temporaryFolder(), 'own.safetensors')
    await saveParameters(path, from)
    const { tensors } = readSafetensors(path)
    assert.equal(
      [...tensors.values()].map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`),
      ['out.weight F32 [3,5]', 'first F32 [1,2]', 'others F32 [2,2]', 'β/scalar F32 []'],
    )
    const { offset } = from.parameters.get('stacked')
    sameBits(tensors.get('others')!.float32(), data.slice(offset + 2, offset + 6))
  }))

test('a file that is not of these parameters is refused by name, and changes none', () =>
  withDevice({}, async (device) => {
    const to = holder(device)
    await to.writeState('parameters', values(to.parameters))
    const path = join(temporaryFolder(), 'own.safetensors')
    const given: [string, TensorToWrite][] = [
      ['out.weight', { shape: [3, 5], data: new Float32Array(15) }],
      ['first', { shape: [1, 2], data: new Float32Array(2) }],
      ['others', { shape: [2, 2], data: new Float32Array(4) }],
      ['β/scalar', { shape: [], data: new Float32Array(1) }],
    ]
    const cases: [change: (tensors: Map<string, TensorToWrite>) => void, message: string][] = [
      [(t) => t.delete('others'), `${path}: found no tensor 'others', expected 'others' of shape [2,2]`],
      [
        (t) => t.set('out.weight', { shape: [5, 3], data: new Float32Array(15) }),
        `${path}: found tensor 'out.weight', F32 [5,3], expected 'out.weight' of shape [3,5]`,
      ],
      [
        (t) => t.set('first', { shape: [1, 2], data: new Int32Array(2) }),
        `${path}: found tensor 'first', I32 [1,2], expected floating-point values (F64, F32, F16, BF16)`,
      ],
      [
        (t) => t.set('extra', { shape: [7], data: new Float32Array(7) }),
        `${path}: found tensor 'extra', F32 [7], expected only the 4 tensors of the parameters`,
      ],
    ]
    for (const [change, message] of cases) {
      const tensors = new Map(given)
      change(tensors)
      await writeSafetensors(path, tensors)
      const bytes = new Uint8Array(readFileSync(path))
      for (const error of [
        await rejection(loadParameters(path, to)),
        await rejection(decodeParameters(bytes, to, path)),
      ]) {
        assert.instance(error, InputError)
        assert.is(error.message, message)
      }
      sameBits(await to.readState('parameters'), values(to.parameters))
    }
  }))

test('broken bytes are refused by name, at every length', () =>
  withDevice({}, async (device) => {
    const to = holder(device)
    const bytes = await encodeParameters(to)
    const missing = await rejection(loadParameters(join(temporaryFolder(), 'none'), to))
    assert.match(missing.message, /none: found no such file, expected a safetensors file/)
    for (let length = 0; length < bytes.length; length += 5) {
      const error = await rejection(decodeParameters(bytes.subarray(0, length), to, 'upload'))
      assert.instance(error, InputError)
      assert.match(error.message, /^upload: found /)
    }
  }))

test('a file that cannot be written is named, and the old one stays', () =>
  withDevice({}, async (device) => {
    const from = holder(device)
    const folder = folderWith({ 'own.safetensors': 'old' })
    const path = join(folder, 'absent', 'own.safetensors')
    const error = await rejection(saveParameters(path, from))
    assert.ok(error instanceof UserError && error.message.startsWith(path), error.message)
    writeFileSync(join(folder, 'file'), '')
    await rejection(saveParameters(join(folder, 'file', 'own.safetensors'), from))
    assert.is(readFileSync(join(folder, 'own.safetensors'), 'utf8'), 'old')
    assert.equal(readdirSync(folder).sort(), ['file', 'own.safetensors'])
  }))

test('bytes in memory need nothing of Node', async () => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/model/parameters.ts')],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
  assert.ok(outputFiles[0].text.includes('data_offsets'))
})

test.run()
