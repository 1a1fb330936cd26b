import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openWeb } from '../../src/web/server.js'
import { rejects } from '../support/failure.js'
import { commandLine } from '../support/paths.js'
import { folderWith } from '../support/temporary.js'

const test = suite('server of the page')

const page = folderWith({
  'index.html': '<!doctype html><title>page</title>',
  'page.js': 'const page = 1',
  'page.css': 'p { margin: 0 }',
  'folder/secret.js': 'secret',
})
const demo = folderWith({
  'diseases/config.json': '{}',
  'diseases/model.safetensors': 'weights',
  'diseases/tokenizer.json': '{}',
  'diseases/task.json': '{}',
  'diseases/log.jsonl': 'secret',
  'data/ner/train.tsv': 'fever\tB\n',
  'data/corpus.txt': 'Text.',
  'data/examples.txt': 'Fever.',
})
const server = await openWeb({ port: 0, page, demo })

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** A path as it is, which fetch would make shorter, and a name to ask for. */
function ask(path: string, host?: string, url = server.url): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers: host === undefined ? {} : { host } }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }))
    })
    asked.on('error', reject).end()
  })
}

test('every answer comes with a policy that lets nothing in from elsewhere', async () => {
  for (const path of ['/', '/page.js', '/page.css', '/demo.json', '/demo/model/config.json', '/none']) {
    const { headers } = await ask(path)
    const policy = String(headers['content-security-policy'])
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "worker-src 'self'",
      "style-src 'self'",
      "img-src 'self' data: blob:",
      "connect-src 'self'",
    ])
      assert.ok(policy.split('; ').includes(rule), `${path}: ${policy}`)
    assert.not.match(policy, /unsafe|\*|https?:/)
    assert.is(headers['x-content-type-options'], 'nosniff')
  }
})

test('files have the types that browsers insist on', async () => {
  assert.match((await ask('/')).headers['content-type'] as string, /^text\/html; charset=utf-8/)
  assert.match((await ask('/page.js')).headers['content-type'] as string, /^text\/javascript/)
  assert.match((await ask('/page.css')).headers['content-type'] as string, /^text\/css/)
  assert.is((await ask('/page.js')).body, 'const page = 1')
})

test('nothing else can be read, whatever the path', async () => {
  for (const path of [
    '/folder/secret.js',
    '/folder%2fsecret.js',
    '/../package.json',
    '/..%2fpackage.json',
    '/demo/model/log.jsonl',
    '/demo/../diseases/log.jsonl',
    '/demo/%2e%2e/diseases/log.jsonl',
    '/demo/diseases/log.jsonl',
    '/folder',
    '/.',
    '/%00',
  ]) {
    const { status, body } = await ask(path)
    assert.ok(status >= 400 && status < 500, `${path}: ${status}`)
    assert.not.match(body, 'secret')
  }
})

test('what the demo left is named and can be read; what is not there is not named', async () => {
  const { body } = await ask('/demo.json')
  assert.equal(JSON.parse(body), {
    model: ['config.json', 'model.safetensors', 'tokenizer.json', 'task.json'],
    train: 'train.tsv',
    text: 'corpus.txt',
    example: 'examples.txt',
  })
  assert.is((await ask('/demo/model/model.safetensors')).body, 'weights')
  assert.is((await ask('/demo/train.tsv')).body, 'fever\tB\n')
  assert.is((await ask('/demo/devel.tsv')).status, 404)
  const none = await openWeb({ port: 0, page, demo: join(demo, 'none') })
  assert.is((await ask('/demo.json', undefined, none.url)).body, '{}')
  await none.close()
})

test('another name that points here is refused, so that no page elsewhere reads what is here', async () => {
  const { port } = new URL(server.url)
  for (const host of [`evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example'])
    assert.is((await ask('/demo.json', host)).status, 421, host)
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, 'localhost'])
    assert.is((await ask('/demo.json', host)).status, 200, host)
})

test('a port that is in use, and a page that is not built, are said', async () => {
  const port = Number(new URL(server.url).port)
  const taken = new RegExp(`cannot listen on 127.0.0.1, port ${port}: the port is in use`)
  await rejects(openWeb({ port, page, demo }), taken)
  await rejects(openWeb({ port: 0, page: demo, demo }), /npm run build:web/)
})

test('the command prints an address, serves the built page there, and ends when it is told to', async () => {
  const child = spawn(process.execPath, [commandLine, 'web', '--port', '0', '--json', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  const line = await new Promise<string>((resolve) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  const { url } = JSON.parse(line) as { url: string }
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
  assert.match((await ask('/', undefined, url)).body, '<script type="module" src="page.js">')
  for (const name of ['page.js', 'page.css', 'worker.js'])
    assert.is((await ask(`/${name}`, undefined, url)).status, 200, name)
  child.kill('SIGTERM')
  assert.is(await ended, 0)
})

test.after(() => server.close())

test.run()
