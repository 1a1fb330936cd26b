/** The peer of one matrix product on jax-js, backend WebAssembly. Options: see product.mjs. */
import { defaultDevice, init, jit, numpy as np } from '@jax-js/jax'
import { readProduct, serveProduct } from './product.mjs'

const product = readProduct()
await init('wasm')
defaultDevice('wasm')
const a = np.array(product.a).reshape([product.M, product.K])
const b = np.array(product.b).reshape([product.K, product.N])
const matmul = jit((x, y) => np.matmul(x, y))

await serveProduct(async () => await matmul(a.ref, b.ref).data(), product, {
  peer: 'jax-js',
  backend: 'wasm',
})
