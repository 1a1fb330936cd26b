/** `plan` and `devices`: what they print, and the sizes of the published models. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo } from '../../src/device/cpu.js'
import { commandLine } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { swiftshaderEnvironment } from '../support/swiftshader_driver.js'

const test = suite('plan, devices')

function bioalbert(...argv: string[]): { stdout: string; json: Record<string, unknown> } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, ...argv], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return { stdout, json: argv.includes('--json') ? JSON.parse(last) : {} }
}

function plan(...more: string[]): Record<string, number> {
  return bioalbert('plan', '--rows', '512', '--json', ...more).json as Record<string, number>
}

test('the encoders have as many parameters as the published ones', () => {
  // Hugging Face's albert-*-v2 (AlbertModel), of which the papers' tables give the first digits
  const published = { base: 11_683_584, large: 17_683_968, xlarge: 58_724_864, xxlarge: 222_595_584 }
  const hidden = { base: 768, large: 1024, xlarge: 2048, xxlarge: 4096 }
  for (const [name, encoder] of Object.entries(published)) {
    const h = hidden[name as keyof typeof hidden]
    // dense H -> E with bias, layernorm, bias of the vocabulary; two classes of sentence order
    const heads = 128 * h + 128 + 2 * 128 + 30_000 + 2 * h + 2
    assert.is(plan('--preset', name).parameters, encoder + heads, name)
  }
})

test('BERT has as many parameters as Hugging Face’s BertForPreTraining', () => {
  // BertModel of bert-base-uncased and bert-large-uncased; dense H -> H, layernorm, bias of the vocabulary, two classes
  const published = { 'bert-base': [109_482_240, 768], 'bert-large': [335_141_888, 1024] }
  for (const [name, [encoder, h]] of Object.entries(published)) {
    const heads = h * h + h + 2 * h + 30_522 + 2 * h + 2
    assert.is(plan('--preset', name, '--vocabulary', '30522').parameters, encoder + heads, name)
  }
})

test('the total is the sum of its parts, and gradients and moments are as large as the parameters', () => {
  const p = plan('--preset', 'base')
  assert.is(p.total_bytes, p.parameter_bytes + p.optimizer_bytes + p.activation_bytes + p.working_bytes)
  assert.is(p.gradient_bytes, p.parameter_bytes)
  assert.is(p.optimizer_bytes, 3 * p.parameter_bytes)
  assert.ok(p.parameter_bytes >= 4 * p.parameters && p.parameter_bytes < 4.01 * p.parameters)
  assert.ok(p.available_bytes > 0)
})

test('recomputing needs less memory, more rows and layers need more, but no more parameters', () => {
  const base = plan('--preset', 'base')
  assert.ok(plan('--preset', 'base', '--recompute').activation_bytes < base.activation_bytes / 2)
  const deeper = plan('--preset', 'base', '--layers', '24')
  assert.is(deeper.parameters, base.parameters)
  assert.ok(deeper.activation_bytes > 1.5 * base.activation_bytes)
  const bert = plan('--preset', 'bert-nano')
  const layer = plan('--preset', 'bert-nano', '--layers', '3').parameters - bert.parameters
  assert.is(layer, 4 * (64 * 64 + 64) + 2 * 64 * 256 + 256 + 64 + 4 * 64)
})

test('bf16 halves the activations of the layers and keeps everything else', () => {
  const f32 = plan('--preset', 'base')
  const bf16 = plan('--preset', 'base', '--precision', 'bf16')
  assert.is(bf16.parameter_bytes, f32.parameter_bytes)
  assert.is(bf16.optimizer_bytes, f32.optimizer_bytes)
  // what does not halve: packed weights (8 bytes for each of 7.2 million), the heads
  const packed =
    2 *
    4 *
    [
      [768, 128],
      [2304, 768],
      [768, 768],
      [3072, 768],
      [768, 3072],
    ].reduce((n, [o, i]) => n + (o + 64) * (i + 64), 0)
  assert.ok(bf16.activation_bytes > f32.activation_bytes / 2)
  assert.ok(
    bf16.activation_bytes < 0.53 * f32.activation_bytes + packed,
    `${bf16.activation_bytes} of ${f32.activation_bytes}`,
  )
})

test('plan speaks to people as well', () => {
  const { stdout } = bioalbert('plan', '--preset', 'nano', '--layers', '3')
  for (const says of [/nano with layers 3/, /activations +[\d.]+ MiB/, /total/, /it fits/])
    assert.match(stdout, says)
})

test('devices tells what can run, and why the rest cannot', () => {
  const { devices } = bioalbert('devices', '--json').json as {
    devices: {
      name: string
      available: boolean
      reason: string | null
      detail: string | null
      properties: Record<string, unknown> | null
    }[]
  }
  assert.equal(
    devices.map((d) => d.name),
    ['cpu', 'webgpu', 'cuda'],
  )
  assert.is(devices[0].available, true)
  assert.match(devices[0].detail ?? '', /\d+ threads?$/)
  for (const { available, reason, detail } of devices)
    assert.ok(available ? detail !== null && reason === null : reason !== null && detail === null)
  const { stdout } = bioalbert('devices')
  if (!devices[2].available)
    assert.match(
      stdout,
      /cuda +no +the cuda device is not available: (its addon is not built|no driver|.*driver)/,
    )
  assert.not.match(stdout, /emulated/)
  assert.is(devices[2].properties, null)
  assert.is(devices[1].available, devices[1].properties !== null)
})

/** `devices` with another environment; all that it prints. */
function devicesIn(environment: Record<string, string | undefined>, ...argv: string[]) {
  const env = { ...process.env, ...environment }
  const { stdout, stderr, status } = spawnSync(process.execPath, [commandLine, 'devices', ...argv], {
    encoding: 'utf8',
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
  })
  assert.is(status, 0, stderr)
  return { stdout, stderr }
}

test('devices tells the instruction set in use, and why faster ones are not', () => {
  const { isas, refused } = cpuInfo()
  const refusals = Object.fromEntries(refused.map(({ isa, reason }) => [isa, reason]))
  const cpu = (isa?: string) =>
    JSON.parse(devicesIn({ BIOALBERT_ISA: isa }, '--json').stdout).devices[0] as {
      detail: string
      properties: { isa: string; unused: Record<string, string> }
    }
  const best = cpu()
  assert.equal(best.properties, { isa: isas.at(-1), unused: refusals })
  const generic = cpu('generic')
  assert.match(generic.detail, /, generic, /)
  const passed = isas.slice(1).map((isa) => [isa, 'BIOALBERT_ISA is generic'])
  assert.equal(generic.properties, {
    isa: 'generic',
    unused: { ...Object.fromEntries(passed), ...refusals },
  })
  const { stdout } = devicesIn({ BIOALBERT_ISA: 'generic' })
  assert.match(stdout, /^isa +generic$/m)
  for (const isa of isas.slice(1))
    assert.match(stdout, new RegExp(`^${isa} is not used +BIOALBERT_ISA is generic$`, 'm'))
})

const swiftshader = swiftshaderEnvironment()

if (!swiftshader || process.platform !== 'linux')
  skip(test, 'devices tells of an adapter of WebGPU', 'the package @sparticuz/chromium is for Linux')
else
  test('devices tells of an adapter of WebGPU what it is, which features kernels can use, and its limits', () => {
    const { stdout, stderr } = devicesIn(swiftshader, '--json')
    assert.is(stderr, '')
    const { properties, detail } = JSON.parse(stdout).devices[1]
    assert.match(detail, /SwiftShader/)
    const { vendor, architecture, description, features, variants, ...limits } = properties
    assert.equal([vendor, architecture], ['google', 'swiftshader'])
    assert.match(description, /SwiftShader/)
    assert.ok(features.includes('timestamp-query') && features.includes('subgroups'), String(features))
    assert.is(limits['subgroup lanes'], '4 to 4')
    assert.is(typeof variants, 'object')
    for (const [name, least] of Object.entries({
      'buffer bytes': 2 ** 28,
      'binding bytes': 2 ** 27,
      'workgroup bytes': 16384,
      'workgroup invocations': 256,
    }))
      assert.ok(limits[name] >= least, name)
    const text = devicesIn(swiftshader).stdout
    assert.match(text, /^vendor +google$/m)
    assert.match(text, /^features +timestamp-query, subgroups$/m)
    assert.match(text, /^workgroup invocations +256$/m)
    assert.not.match(text, /^subgroup matrices/m, 'what is not there is not printed')
  })

test('without a loader of Vulkan devices says so itself, and Dawn is not asked', () => {
  // where the system has a loader of its own there is nothing to be missed
  const nowhere = { LD_LIBRARY_PATH: undefined, VK_ICD_FILENAMES: undefined, VK_DRIVER_FILES: undefined }
  const { stdout, stderr } = devicesIn(nowhere, '--json')
  const { available, reason } = JSON.parse(stdout).devices[1]
  // and its drivers may print what they like
  if (available || process.platform !== 'linux' || /npm package|no adapter/.test(reason)) return
  assert.is(stderr, '')
  assert.match(
    reason,
    /^the webgpu device is not available: no loader of Vulkan is installed, .*libvulkan\.so\.1/,
  )
})

test.run()
