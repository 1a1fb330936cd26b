/** What the peers of one matrix product in Node share: inputs a [M,K] and b [K,N] as raw f32 files, the result as one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../dist/src/files.js'
import { peerOptions, serve } from './serve.mjs'

/** Options, sizes and operands of a product. */
export function readProduct() {
  const options = peerOptions('data', 'out', 'sizes', 'repeat', 'op', 'precision')
  const [M, K, N] = options.sizes.split(',').map(Number)
  const read = (name) => {
    const bytes = readFileSync(join(options.data, `${name}.f32`))
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  }
  return { options, M, K, N, a: read('a'), b: read('b') }
}

/** Writes the first result of `multiply`, which resolves to the values [M,N], and takes steps of `repeat` calls. */
export async function serveProduct(multiply, { options }, description) {
  writeFileAtomic(`${options.out}.y.f32`, new Uint8Array((await multiply()).slice().buffer))
  const repeat = Number(options.repeat)
  const step = async () => {
    for (let i = 0; i < repeat; i++) await multiply()
  }
  await serve(step, { ...description, threads: options.threads }, repeat)
}
