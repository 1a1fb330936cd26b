/** A whole pretraining step of a mini ALBERT on WebGPU, in turn with the same written in TensorFlow.js and in jax-js. */
import { raceWebgpu } from '../support/webgpu/race.js'

await raceWebgpu((name) => name.startsWith('step '))
