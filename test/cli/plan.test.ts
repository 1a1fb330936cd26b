/** `plan` and `devices`: what they print, and the sizes of the published models. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'

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
    devices: { name: string; available: boolean; reason: string | null; detail: string | null }[]
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
})

test.run()
