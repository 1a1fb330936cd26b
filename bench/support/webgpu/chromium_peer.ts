/**
 * Ours and peers in pages of headless Chromium, on SwiftShader: bundles made by esbuild, served on this machine. Each library has a
 * browser of its own, so that one that loses its device or hangs disturbs no other.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { type Chromium, openChromium } from '../../../test/support/chromium.js'
import { peerFile } from '../peers.js'
import { type Lab, LIMIT } from './lab.js'

/** Where the WebAssembly of a library lies. */
const RESOURCES = peerFile('node_modules/onnxruntime-web/dist')
const PAGE = fileURLToPath(new URL('../../../../bench/support/webgpu/page.ts', import.meta.url))
const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
}
/** A library in a browser. */
export interface PageLab extends Lab {
  /** Ends the browser, whatever it does. */
  close(): void
}

export interface LabPages {
  /** Rejects where that library does not start in a page. */
  open(library: string): Promise<PageLab>
  close(): void
}

/** Or why there are none. */
export async function openLabPages(libraries: readonly string[]): Promise<LabPages | { reason: string }> {
  const server = await serve(await bundles(libraries))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const end = () => {
    server.close()
    server.closeAllConnections()
  }
  const first = await openPage(url)
  if ('reason' in first) {
    end()
    return first
  }
  let spare: Chromium | undefined = first.chromium
  return {
    async open(library) {
      const opened = spare ? { chromium: spare } : await openPage(url)
      spare = undefined
      if ('reason' in opened) throw new Error(opened.reason)
      try {
        return await labIn(opened.chromium, library)
      } catch (error) {
        opened.chromium.close()
        throw error
      }
    },
    close() {
      spare?.close()
      end()
    },
  }
}

/** A browser that shows the page and has an adapter. */
async function openPage(url: string): Promise<{ chromium: Chromium } | { reason: string }> {
  const opened = await openChromium({ webgpu: true })
  if ('reason' in opened) return opened
  const { chromium } = opened
  try {
    await chromium.send('Page.navigate', { url })
    await waitFor(chromium, "'start' in globalThis")
    if (!(await chromium.evaluate('navigator.gpu.requestAdapter().then((adapter) => adapter !== null)')))
      throw new Error('navigator.gpu has no adapter there')
    return opened
  } catch (error) {
    chromium.close()
    return { reason: `no WebGPU in Chromium: ${(error as Error).message}` }
  }
}

async function labIn(chromium: Chromium, library: string): Promise<PageLab> {
  const ask = async (command: string, ...argv: unknown[]) => {
    await chromium.evaluate(`void start(${[command, ...argv].map((arg) => JSON.stringify(arg)).join(', ')})`)
    const end = performance.now() + 1000 * LIMIT
    while (performance.now() < end) {
      const answer = (await chromium.evaluate('wait()')) as { value?: unknown; error?: string } | null
      if (answer?.error !== undefined) throw new Error(answer.error)
      if (answer) return answer.value
    }
    throw new Error(`no answer to ${command} ${argv.join(' ')} in ${LIMIT} s`)
  }
  return {
    description: (await ask('open', library)) as Lab['description'],
    prepare: (size, name) => ask('prepare', size, name) as ReturnType<Lab['prepare']>,
    turn: (count) => ask('turn', count) as Promise<number>,
    close: () => chromium.close(),
  }
}

async function waitFor(chromium: Chromium, condition: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await chromium.evaluate(condition)) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('the page did not load')
}

/** What is served, by path. */
async function bundles(libraries: readonly string[]): Promise<Map<string, Uint8Array>> {
  const modules = libraries.filter((library) => library !== 'ours')
  const { outputFiles } = await build({
    entryPoints: [PAGE, ...modules.map((library) => peerFile(`webgpu/${library}.mjs`))],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    write: false,
    outdir: '/',
    outbase: '/',
    logLevel: 'silent',
    // TensorFlow.js asks whether it runs in Node
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const files = new Map<string, Uint8Array>()
  for (const { path, contents } of outputFiles) files.set(`/${basename(path)}`, contents)
  const text = (content: string) => new TextEncoder().encode(content)
  files.set('/sources.json', text(JSON.stringify(kernelSources())))
  files.set('/', text('<!doctype html><script type="module" src="/page.js"></script>'))
  return files
}

function serve(files: ReadonlyMap<string, Uint8Array>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname
    try {
      const body = path.startsWith('/resources/')
        ? readFileSync(join(RESOURCES, basename(path)))
        : files.get(path)
      if (body === undefined) throw new Error(path)
      response.writeHead(200, {
        'content-type': TYPES[extname(path)] ?? 'text/html',
        // what gives a page a fine clock and shared memory
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      })
      response.end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
