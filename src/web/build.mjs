/**
 * Bundles what browsers run: dist/web/bioalbert.js, the package's entry there, the page and its worker. The texts of kernels/wgsl
 * take the place of the module that reads them from the disk. Run behind build:js, whose JavaScript it uses.
 */
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Comments that are read. */
const READ =
  /^\/\/ (kernel |form |f16 |when:|workgroups:|uses |requires |multiplies |suits |part$|rounds:|in rounds$|scratch:)/

/** WGSL without indentation, blank lines and comments that nothing reads. */
export function shortened(text) {
  return text
    .split('\n')
    .map((line) => (READ.test(line) ? line.trimEnd() : line.replace(/\/\/.*$/, '').trim()))
    .filter((line) => line !== '')
    .join('\n')
}

/** Every text in it shortened. */
export function shortenedSources(part) {
  if (typeof part === 'string') return shortened(part)
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, shortenedSources(value)]))
}

/**
 * The kernels' texts in place of the module that reads them, packed: they are many and much alike. Browsers unpack by a stream, so
 * that here they come as a promise.
 */
const kernels = {
  name: 'kernels',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]device[\\/]webgpu[\\/]wgsl_node\.ts$/ }, async () => {
      const file = join(root, 'dist', 'src', 'device', 'webgpu', 'wgsl_node.js')
      const { kernelSources } = await import(pathToFileURL(file).href)
      const text = JSON.stringify(shortenedSources(kernelSources()))
      const packed = gzipSync(text, { level: 9 }).toString('base64')
      return { contents: unpacking(packed), loader: 'js' }
    })
  },
}

const unpacking = (packed) => `
export async function kernelSources() {
  const bytes = Uint8Array.from(atob('${packed}'), (letter) => letter.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return JSON.parse(await new Response(stream).text())
}`

/** The options of every bundle; tests make some of their own. */
export const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [kernels],
}

export const entries = { bioalbert: 'src/browser.ts', worker: 'src/web/worker.ts' }

/** Files of the page: its script and its style are bundled, too. */
const page = ['page.ts', 'page.css', 'index.html'].map((name) => ({
  in: `src/web/page/${name}`,
  out: name.replace(/\.\w+$/, ''),
}))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build({
    ...options,
    entryPoints: [...Object.entries(entries).map(([out, file]) => ({ in: file, out })), ...page],
    loader: { '.html': 'copy' },
    outdir: 'dist/web',
    sourcemap: true,
    sourcesContent: false,
  })
  for (const name of [...Object.keys(entries), 'page']) {
    const { size } = statSync(join(root, 'dist', 'web', `${name}.js`))
    console.log(`dist/web/${name}.js: ${Math.ceil(size / 1000)} KB`)
  }
}
