/** The peer of one matrix product on TensorFlow.js, backend WebAssembly. Options: see product.mjs. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { getThreadsCount, setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { readProduct, serveProduct } from './product.mjs'

const product = readProduct()
const require = createRequire(import.meta.url)
setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'))}/`)
setThreadsCount(Number(product.options.threads))
await tf.setBackend('wasm')
const a = tf.tensor2d(product.a, [product.M, product.K])
const b = tf.tensor2d(product.b, [product.K, product.N])

async function multiply() {
  const y = tf.matMul(a, b)
  const data = await y.data()
  y.dispose()
  return data
}

await serveProduct(multiply, product, {
  peer: 'TensorFlow.js',
  backend: tf.getBackend(),
  used: getThreadsCount(),
})
