/**
 * A library in a process of its own, on `navigator.gpu` of the npm package `webgpu`: node lab_process.js ours|MODULE. Says what it
 * is when it is ready, then takes lines: `prepare SIZE NAME` and `turn COUNT`, each answered by a line of JSON.
 */
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { create, globals } from 'webgpu'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import type { Size } from './cases.js'
import { type Lab, openOurs, openPeer, type PeerModule } from './lab.js'

/** Held to the end: Dawn ends the process when the last reference goes. */
const gpu = create(['disable-dawn-features=timestamp_quantization'])

async function open(library: string): Promise<Lab> {
  if (library === 'ours') return openOurs(gpu, kernelSources())
  Object.assign(globalThis, globals)
  const navigator = { gpu, userAgent: 'Node', hardwareConcurrency: 1 }
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true })
  // what libraries say is not for the reader of our lines
  console.log = console.info = console.warn = console.error
  return openPeer((await import(pathToFileURL(library).href)) as PeerModule, '')
}

const say = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`)

const lab = await open(process.argv[2])
say(lab.description)
for await (const line of createInterface({ input: process.stdin })) {
  const [, word, rest] = /^(\w+) (.*)$/.exec(line) ?? []
  if (word === 'turn') say({ seconds: await lab.turn(Number(rest)) })
  else if (word === 'prepare') {
    const [size, ...name] = rest.split(' ')
    say(await lab.prepare(size as Size, name.join(' ')))
  } else throw new Error(`found ${JSON.stringify(line)}, expected "prepare SIZE NAME" or "turn COUNT"`)
}
// peers keep devices that keep the process
process.exit(gpu ? 0 : 1)
