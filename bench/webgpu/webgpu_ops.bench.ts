/**
 * ALBERT's ops on WebGPU, in turn with TensorFlow.js, jax-js and ONNX Runtime Web, in Node and in Chromium: products with both of
 * their gradients, attention, layer normalization, cross-entropy, LAMB.
 */
import { raceWebgpu } from '../support/webgpu/race.js'

await raceWebgpu((name) => !name.startsWith('step '))
