/**
 * A headless Chromium for tests of pages: the one of @sparticuz/chromium, spoken to by the DevTools protocol over a pipe, JSON
 * messages with a zero byte behind each. It is unpacked once, into a temporary folder that processes share.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { temporaryFolder } from './temporary.js'

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--no-first-run',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--hide-scrollbars',
  '--font-render-hinting=none',
  '--remote-debugging-pipe',
]
/** WebGPU on SwiftShader, which comes with this Chromium; without it there is an API and no adapter. */
const WEBGPU_FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
]
/** Milliseconds for an answer of the browser. */
const PATIENCE = 30_000

type Params = Readonly<Record<string, unknown>>

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Params
  readonly result?: Params
  readonly error?: { readonly message: string }
}

export interface ChromiumOptions {
  /** Else pages find no adapter. */
  readonly webgpu?: boolean
}

export interface View {
  readonly width: number
  readonly height: number
  readonly dark?: boolean
  readonly media?: 'screen' | 'print'
  readonly mobile?: boolean
}

/** Or why there is none. */
export async function openChromium(
  options: ChromiumOptions = {},
): Promise<{ chromium: Chromium } | { reason: string }> {
  const folder = unpacked()
  if (typeof folder !== 'string') return folder
  try {
    const chromium = new Chromium(folder, options)
    await chromium.start()
    return { chromium }
  } catch (error) {
    return { reason: `Chromium does not start here: ${(error as Error).message}` }
  }
}

/** Where its files are; other processes may unpack at the same time. */
function unpacked(): string | { reason: string } {
  let version: string
  try {
    const require = createRequire(import.meta.url)
    const entry = require.resolve('@sparticuz/chromium')
    const root = entry.slice(0, entry.lastIndexOf(join('@sparticuz', 'chromium')) + 19)
    version = (require(join(root, 'package.json')) as { version: string }).version
  } catch {
    return { reason: 'no package @sparticuz/chromium' }
  }
  const folder = join(tmpdir(), `bioalbert-chromium-${version}`)
  if (existsSync(folder)) return folder
  const temporary = mkdtempSync(`${folder}-`)
  const script = "import('@sparticuz/chromium').then(({ default: c }) => c.executablePath())"
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    cwd: process.cwd(),
    env: { ...process.env, TMPDIR: temporary, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' },
  })
  if (status !== 0) {
    rmSync(temporary, { recursive: true, force: true })
    return { reason: `Chromium cannot be unpacked: ${stderr.trim().split('\n').at(-1)}` }
  }
  try {
    renameSync(temporary, folder)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

export class Chromium {
  private readonly process: ChildProcess
  private readonly waiting = new Map<number, (message: Message) => void>()
  private readonly events: Message[] = []
  private last = 0
  private session: string | undefined
  private end: string | undefined

  constructor(folder: string, { webgpu }: ChromiumOptions = {}) {
    const libraries = [join(folder, 'al2023', 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
    const flags = [...FLAGS, ...(webgpu ? WEBGPU_FLAGS : ['--disable-gpu'])]
    this.process = spawn(join(folder, 'chromium'), [...flags, `--user-data-dir=${temporaryFolder()}`], {
      env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(folder, 'fonts') },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    })
    let said = ''
    this.process.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    const stop = (why: string) => {
      this.end ??= why
      for (const answer of this.waiting.values()) answer({ error: { message: why } })
      this.waiting.clear()
    }
    this.process.on('error', (error) => stop(error.message))
    this.process.on('exit', (code) => stop(`it ended with ${code}: ${said.trim().split('\n').at(-1) ?? ''}`))
    let rest = ''
    const output = this.process.stdio[4] as Readable
    output.setEncoding('utf8')
    output.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\0')
      rest = parts.pop() ?? ''
      for (const part of parts) this.receive(JSON.parse(part) as Message)
    })
    ;(this.process.stdio[3] as Writable).on('error', (error) => stop(error.message))
  }

  /** A page to work in; what it says and asks for is kept. */
  async start(): Promise<void> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    this.session = sessionId as string
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`)
  }

  /** Loads a file of this machine. Returns what the page said meanwhile, and the addresses that it asked for. */
  async load(file: string, view: View): Promise<{ said: string[]; asked: string[] }> {
    this.events.length = 0
    await this.show(view)
    await this.send('Page.navigate', { url: pathToFileURL(file).href })
    await this.evaluate(
      "new Promise((done) => document.readyState === 'complete' ? done(0) : addEventListener('load', () => done(0)))",
    )
    const of = (method: string) => this.events.filter((event) => event.method === method)
    const said = [
      ...of('Log.entryAdded').map(({ params }) => JSON.stringify(params?.entry)),
      ...of('Runtime.consoleAPICalled').map(({ params }) => JSON.stringify(params?.args)),
      ...of('Runtime.exceptionThrown').map(({ params }) => JSON.stringify(params)),
      ...of('Page.javascriptDialogOpening').map(({ params }) => JSON.stringify(params)),
    ]
    const asked = of('Network.requestWillBeSent').map(
      ({ params }) => (params as { request: { url: string } }).request.url,
    )
    return { said, asked }
  }

  async show({ width, height, dark, media, mobile }: View): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: mobile ?? false,
    })
    await this.send('Emulation.setEmulatedMedia', {
      media: media ?? 'screen',
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
    })
  }

  /** The value of an expression in the page; its own policy does not bind it. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
    return (result as { value: unknown }).value
  }

  /** PNG of the whole page, or of a part of it. */
  async screenshot(clip?: { x: number; y: number; width: number; height: number }): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', {
      captureBeyondViewport: true,
      ...(clip && { clip: { ...clip, scale: 1 } }),
    })
    return Buffer.from(data as string, 'base64')
  }

  close(): void {
    this.process.kill()
  }

  send(method: string, params: Params = {}): Promise<Params> {
    if (this.end !== undefined) return Promise.reject(new Error(this.end))
    const id = ++this.last
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new Error(`no answer to ${method}`))
      }, PATIENCE)
      this.waiting.set(id, ({ result, error }) => {
        clearTimeout(timer)
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(result ?? {})
      })
      const message = { id, method, params, ...(this.session && { sessionId: this.session }) }
      ;(this.process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`)
    })
  }

  private receive(message: Message): void {
    if (message.id === undefined) {
      this.events.push(message)
      return
    }
    this.waiting.get(message.id)?.(message)
    this.waiting.delete(message.id)
  }
}
