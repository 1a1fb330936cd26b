/** A browser on the served page with a small model to load, and the same model asked in Node: what tests of the page share. */
import { spawnSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import yauzl from 'yauzl'
import { openWeb, type WebServer } from '../../src/web/server.js'
import { type Chromium, openChromium, type View } from './chromium.js'
import { commandLine, root } from './paths.js'
import { temporaryFolder } from './temporary.js'

export const DESK: View = { width: 1100, height: 900 }
export const PHONE: View = { width: 360, height: 780, mobile: true }

/** The built page. */
export const PAGE = join(root, 'dist', 'web')

export interface WebCase {
  readonly server: WebServer
  readonly chromium: Chromium
  close(): Promise<void>
}

/** Or why there is none. */
export async function openWebCase(options: {
  webgpu: boolean
  demo?: string
}): Promise<WebCase | { reason: string }> {
  const server = await openWeb({ port: 0, page: PAGE, demo: options.demo ?? temporaryFolder() })
  const opened = await openChromium({ webgpu: options.webgpu })
  if ('reason' in opened) {
    await server.close()
    return opened
  }
  const { chromium } = opened
  return {
    server,
    chromium,
    async close() {
      chromium.close()
      await server.close()
    },
  }
}

export interface PredictedEntity {
  readonly start: number
  readonly end: number
  readonly type: string
  readonly text: string
  readonly score: number
}

export interface PredictedLine {
  readonly text: string
  readonly entities: readonly PredictedEntity[]
}

/** What `predict --json` prints of every line of a text. */
export function predictInNode(model: string, text: string): PredictedLine[] {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [commandLine, 'predict', '--model', model, '--text', text, '--json', '--quiet'],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return readLines(stdout)
}

/** JSON lines. */
export function readLines(text: string): PredictedLine[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** A folder into which the browser saves what a page offers. */
export async function saveInto(chromium: Chromium): Promise<string> {
  const folder = temporaryFolder()
  await chromium.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder })
  return folder
}

/** Path of a file of that name once the browser has saved it. */
export async function saved(folder: string, name: string, seconds = 30): Promise<string> {
  const end = performance.now() + 1000 * seconds
  const path = join(folder, name)
  while (!existsSync(path)) {
    if (performance.now() > end)
      throw new Error(`${name} was not saved; there is: ${readdirSync(folder).join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return path
}

/** Unpacks an archive by another library than the one that made it; returns the names. */
export async function unzip(archive: string, folder: string): Promise<string[]> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) =>
    yauzl.open(archive, { lazyEntries: true, autoClose: false }, (error, file) =>
      error ? reject(error) : resolve(file),
    ),
  )
  const names: string[] = []
  const entries = await new Promise<yauzl.Entry[]>((resolve, reject) => {
    const found: yauzl.Entry[] = []
    zip.on('entry', (entry: yauzl.Entry) => {
      found.push(entry)
      zip.readEntry()
    })
    zip.on('end', () => resolve(found))
    zip.on('error', reject)
    zip.readEntry()
  })
  for (const entry of entries) {
    const path = join(folder, entry.fileName)
    mkdirSync(dirname(path), { recursive: true })
    const content = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
      zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))),
    )
    await pipeline(content, createWriteStream(path))
    names.push(entry.fileName)
  }
  zip.close()
  return names
}
