/** Both passes of attention on a device, with every buffer in the test's hand. */
import type { Device } from '../../src/device/device.js'
import type { HalfType, Kernel } from '../../src/device/kernel.js'
import { attention } from '../../src/ops/attention.js'
import type { AttentionCase } from './attention_case.js'
import { type KernelBuffer, runKernel } from './kernel_case.js'

/**
 * Both passes of attention, kernel by kernel, on `rows` rows that may be more than the sequences have; what is not given starts as
 * NaN. qkv, y and their gradients are of `dtype` (default f32).
 */
export async function attentionPasses(
  device: Device,
  { lengths, heads, D, causal }: AttentionCase,
  rows: number,
  { qkv, cu_seqlens, dy }: Readonly<Record<'qkv' | 'dy', Float32Array>> & { cu_seqlens: KernelBuffer },
  site: { p: number; seed: number; draw: number; stream: number },
  dtype?: HalfType,
): Promise<Record<'y' | 'lse' | 'dqkv', Float32Array>> {
  const H = heads * D
  const type = dtype === undefined ? {} : { dtype }
  const attrs = { heads, sequences: lengths.length, p: site.p, stream: site.stream, causal }
  const scalars = { seed: site.seed, draw: site.draw }
  const given = { qkv: { shape: [rows, 3 * H], data: qkv, ...type }, cu_seqlens }
  const run = (kernel: Kernel, more: Record<string, KernelBuffer>) =>
    runKernel(device, attention, kernel, { ...given, ...more }, attrs, scalars)
  const { y, lse } = await run(attention.forward, {
    y: { shape: [rows, H], ...type },
    lse: { shape: [rows, heads] },
  })
  const { dqkv } = await run(attention.backward![0], {
    dy: { shape: [rows, H], data: dy, ...type },
    y: { shape: [rows, H], data: y, ...type },
    lse: { shape: [rows, heads], data: lse },
    dqkv: { shape: [rows, 3 * H], ...type },
  })
  return { y, lse, dqkv }
}
