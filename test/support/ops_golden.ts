/** The golden file of single ops that test/golden/ops.py wrote: PyTorch in float64 on float32 inputs. */
import { join } from 'node:path'
import { readSafetensors } from '../../src/model/formats/safetensors.js'
import type { TestTensor } from './op_case.js'
import { root } from './paths.js'

/** The tensors of one case by name; test/golden/ops.py says what they are. */
export function opsGolden(name: string) {
  const { tensors } = readSafetensors(join(root, 'test/golden/ops.safetensors'))
  const get = (key: string) => {
    const tensor = tensors.get(`${name}/${key}`)
    if (!tensor) throw new Error(`test/golden/ops.safetensors has no ${name}/${key}`)
    return tensor
  }
  const floats = (key: string): Float32Array => get(key).float32()
  const ints = (key: string): Int32Array => Int32Array.from(get(key).int32())
  /** As an input of an op. */
  const tensor = (key: string, type: 'f32' | 'i32' = 'f32'): TestTensor => ({
    shape: get(key).shape,
    data: type === 'f32' ? floats(key) : ints(key),
  })
  return { floats, ints, tensor, shape: (key: string) => get(key).shape }
}
