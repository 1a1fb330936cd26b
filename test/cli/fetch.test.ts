/** `fetch` as a person types it, against a hub, a proxy and storage on this machine. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BadInput, badInput } from '../support/bad_input.js'
import { certificate, noCertificate } from '../support/certificate.js'
import { commandLine } from '../support/paths.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'
import { toyModel } from '../support/toy_model.js'
import { COMMIT, closeServers, good, hub, noise, proxy, serve, sha256 } from '../support/web_server.js'

const test = suite('fetch')

const files = Object.fromEntries(
  Object.entries(await toyModel('m')).map(([path, bytes]) => [path.slice(2), Buffer.from(bytes)]),
)
const TOKEN = 'hf_secret'
/** As if this were the host that data sets come from. */
const tls = certificate('raw.githubusercontent.com')

test.after(closeServers)

interface Result {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    error?: string
    fetched: {
      name: string
      folder: string
      was_there: boolean
      commit: string
      files: unknown[]
      next: string[]
    }[]
    entries: { name: string; refusal: string | null; licence: string }[]
  }
}

/** Not spawnSync, which would keep the servers of this process from answering. */
function start(
  folder: string,
  argv: readonly string[],
  environment: Record<string, string> = {},
  limit = '',
) {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy, ...rest } = process.env
  const line = [process.execPath, commandLine, 'fetch', ...argv]
  const child = spawn('bash', ['-c', `${limit} exec "$@"`, 'bash', ...line], {
    cwd: folder,
    env: { ...rest, BIOALBERT_CACHE: join(folder, 'cache'), HF_TOKEN: TOKEN, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<Result>((resolve) => {
    child.on('close', (status) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? ''
      resolve({ status, stdout, stderr, json: last.startsWith('{') ? JSON.parse(last) : {} })
    })
  })
  return { child, ended }
}

const run = (folder: string, argv: readonly string[], environment?: Record<string, string>) =>
  start(folder, argv, environment).ended

async function hubHere() {
  const storage = await serve((asked, response) => {
    const bytes = Object.values(files).find((one) => asked.url?.startsWith(`/${sha256(one)}`))
    good({ bytes: bytes as Buffer, etag: '"s"' })(asked, response, 0)
  })
  const more = { 'README.md': Buffer.from('x'), 'flax_model.msgpack': noise(5000) }
  const server = await serve(hub({ 'o/toy': { files: { ...files, ...more } } }, () => storage.url))
  return { server, storage, environment: { HF_ENDPOINT: `${server.url}/` } }
}

test('a model becomes a folder that loads, and says what is next; the token reaches the hub alone', async () => {
  const { server, storage, environment } = await hubHere()
  const folder = temporaryFolder()
  const { status, json, stderr } = await run(folder, ['hf:o/toy', '--out', 'models', '--json'], environment)
  assert.is(status, 0, stderr)
  const [one] = json.fetched
  assert.equal([one.folder, one.commit, one.was_there], [join('models', 'toy'), COMMIT, false])
  assert.equal(one.next, [`npx bioalbert finetune TASK --data DATA --model ${join('models', 'toy')} --out F`])
  assert.equal(readdirSync(join(folder, 'models/toy')).sort(), Object.keys(files).sort())
  for (const [name, bytes] of Object.entries(files))
    assert.ok(readFileSync(join(folder, 'models/toy', name)).equals(bytes), name)
  assert.match(stderr, /hf:o\/toy: \d files, .* MiB|KiB, licence apache-2.0, from http.* at 0123456789ab/)
  assert.ok(server.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`))
  assert.ok(storage.requests.length > 0)
  assert.ok(storage.requests.every(({ headers }) => headers.authorization === undefined))

  // again: it is there
  const again = await run(folder, ['hf:o/toy', '--out', 'models', '--json'], environment)
  assert.equal([again.status, again.json.fetched[0].was_there], [0, true])

  // from the cache, with nothing asked: by commit, and where no one may ask
  for (const server of [environment, { HF_HUB_OFFLINE: '1' }]) {
    const commit = await run(folder, [`hf:o/toy@${COMMIT}`, '--out', 'b'], server)
    assert.is(commit.status, 0, commit.stderr)
    rmSync(join(folder, 'b'), { recursive: true })
  }
  const asked = server.requests.length
  const offline = { ...environment, HF_HUB_OFFLINE: '1' }
  assert.is((await run(folder, ['hf:o/toy', '--out', 'c'], offline)).status, 0)
  const unknown = await run(folder, ['minilm'], offline)
  assert.is(unknown.status, 1)
  assert.match(unknown.stderr, /all-MiniLM-L6-v2: not in the cache .*HF_HUB_OFFLINE forbids/)
  assert.is(server.requests.length, asked)

  // what a cache holds is checked when it is taken
  for (const name of readdirSync(join(folder, 'cache/files')))
    writeFileSync(join(folder, 'cache/files', name), 'rotten')
  const rotten = await run(folder, ['hf:o/toy', '--out', 'd'], offline)
  assert.is(rotten.status, 1)
  assert.match(rotten.stderr, /not in the cache/)
  assert.not.ok(existsSync(join(folder, 'd/toy')))
})

test('a hub that is away is no matter where the cache has all of it', async () => {
  const { server, environment } = await hubHere()
  const folder = temporaryFolder()
  assert.is((await run(folder, ['hf:o/toy'], environment)).status, 0)
  server.handler = (_, response) => void response.writeHead(404).end()
  const { status, stderr } = await run(folder, ['hf:o/toy', '--out', 'b'], environment)
  assert.is(status, 0, stderr)
  assert.match(
    stderr,
    /warning: .*no such repository.*what was fetched before is used \(commit 0123456789ab\)/,
  )
})

test('an interrupt ends in 130, leaves no folder, and the next call goes on', async () => {
  const bytes = noise(3_000_000)
  let sent = 0
  const server = await serve((asked, response) => {
    if (sent > 0) return good({ bytes, etag: '"one"' })(asked, response, 0)
    response.writeHead(200, { 'content-length': bytes.length, etag: '"one"' })
    response.write(bytes.subarray(0, 1_000_000))
    sent = 1_000_000
  })
  const folder = temporaryFolder()
  const argv = [`${server.url}/data.bin`, '--sha256', sha256(bytes), '--out', 'o']
  const { child, ended } = start(folder, argv)
  const part = () => readdirSync(join(folder, 'cache/parts')).find((name) => /^sha256-\w+$/.test(name))
  const size = () => (part() ? readFileSync(join(folder, 'cache/parts', part() as string)).length : 0)
  while (sent === 0 || size() < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  const { status, stderr } = await ended
  assert.is(status, 130)
  assert.match(stderr, /interrupted: the same command goes on from here/)
  assert.not.ok(existsSync(join(folder, 'o/data.bin')))
  const next = await run(folder, argv)
  assert.is(next.status, 0, next.stderr)
  assert.is(server.requests[1].headers.range, 'bytes=1000000-')
  assert.ok(readFileSync(join(folder, 'o/data.bin')).equals(bytes))
  assert.equal(readdirSync(join(folder, 'cache/parts')), [])
})

test('a disk that takes no more is named, and what it took is gone on with', async () => {
  const bytes = noise(2_000_000)
  const server = await serve(good({ bytes, etag: '"one"' }))
  const folder = temporaryFolder()
  const argv = [`${server.url}/data.bin`, '--sha256', sha256(bytes)]
  const full = await start(folder, argv, {}, 'ulimit -f 1000;').ended
  assert.is(full.status, 1)
  assert.match(full.stderr, /parts\/sha256-\w+: cannot be written: the file would be larger than allowed/)
  assert.not.ok(existsSync(join(folder, 'data.bin')))
  assert.is((await run(folder, argv)).status, 0)
  assert.is(server.requests[1].headers.range, 'bytes=1024000-')
  assert.ok(readFileSync(join(folder, 'data.bin')).equals(bytes))
})

const differing = 'a data set that is not as released ends in 1'
if (tls === undefined) skip(test, differing, noCertificate)
else
  test(differing, async () => {
    const server = await serve((_, response) => void response.end('a\tB\n\n'), tls)
    const through = await proxy(undefined, server.port)
    const environment = { HTTPS_PROXY: through.url, NODE_EXTRA_CA_CERTS: tls.file }
    const { status, stderr } = await run(temporaryFolder(), ['s800'], environment)
    assert.is(status, 1, stderr)
    assert.match(stderr, /Species-800: is not as released: train has 1, 5,733 as released \(BioBERT\)/)
  })

test('one file that is wrong leaves no folder, and what was right is not fetched twice', async () => {
  const spoilt = { ...files, 'model.safetensors': Buffer.from(files['model.safetensors']) }
  spoilt['model.safetensors'][500] ^= 1
  const good = hub({ 'o/toy': { files } })
  const bad = hub({ 'o/toy': { files: spoilt } })
  const server = await serve((asked, response, k) =>
    (asked.url?.includes('/resolve/') ? bad : good)(asked, response, k),
  )
  const folder = temporaryFolder()
  const { status, stderr } = await run(folder, ['hf:o/toy'], { HF_ENDPOINT: server.url })
  assert.is(status, 1)
  assert.match(stderr, /o\/toy\/model.safetensors: SHA-256 is \w{64}, expected \w{64}; it was thrown away/)
  assert.not.ok(existsSync(join(folder, 'toy')))
  const before = server.requests.length
  server.handler = good
  assert.is((await run(folder, ['hf:o/toy'], { HF_ENDPOINT: server.url })).status, 0)
  const asked = server.requests.slice(before).filter(({ line }) => line.includes('/resolve/'))
  assert.ok(asked.length < Object.keys(files).length, asked.map(({ line }) => line).join())
})

test('two processes that want the same file fetch it once', async () => {
  const bytes = noise(500_000)
  const server = await serve((asked, response) => {
    setTimeout(() => good({ bytes, etag: '"one"' })(asked, response, 0), 1500)
  })
  const folder = temporaryFolder()
  const argv = [`${server.url}/data.bin#sha256=${sha256(bytes)}`]
  const both = await Promise.all(['a', 'b'].map((out) => run(folder, [...argv, '--out', out])))
  assert.equal(
    both.map(({ status }) => status),
    [0, 0],
  )
  assert.is(server.requests.length, 1)
})

test('a cache that cannot be written is named', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  const { status, stderr } = await run(folder, ['minilm', '--cache', 'file'])
  assert.is(status, 1)
  assert.match(stderr, /bioalbert: file\/files: cannot be made: (is not a folder|a file of that name)/)
  if (process.getuid?.() === 0) return
  chmodSync(folder, 0o500)
  assert.match(
    (await run(folder, ['minilm', '--cache', 'new'])).stderr,
    /new\/files: cannot be made: permission/,
  )
})

test('--list has sizes, licences and reasons', async () => {
  const { json, status } = await run(temporaryFolder(), ['--list', '--json'])
  assert.is(status, 0)
  assert.is(
    json.entries.find(({ name }) => name === 'MedNLI')?.refusal?.slice(0, 27),
    'wants credentialed access a',
  )
  const { stdout } = await run(temporaryFolder(), ['--list'])
  assert.match(stdout, /^model +albert-base-v2 +about 47 MB +apache-2.0 +ALBERT base/m)
  assert.match(stdout, /^ {2}BioASQ 4b, BioASQ 5b, BioASQ 6b: wants a registration with BioASQ/m)
})

const refusals: BadInput[] = [
  ...(
    [
      ['MedNLI', /MedNLI wants credentialed access at PhysioNet.*https:\/\/physionet\.org/],
      ['MIMIC-III', /MIMIC-III wants credentialed access.*https:\/\/physionet/],
      ['i2b2-2010', /i2b2 wants a data use agreement with n2c2/],
      ['BioASQ-4b', /wants a registration with BioASQ/],
      ['ShARe/CLEFE', /wants a data use agreement/],
      ['bioalbert-base-pubmed', /lies at Google Drive/],
    ] as const
  ).map(([name, says]) => ({
    name: `${name} is not fetched, and it is said why`,
    argv: ['fetch', name, '--json'],
    status: 1 as const,
    says,
  })),
  {
    name: 'a name that is not known',
    argv: ['fetch', 'bc5cdr'],
    status: 2,
    says: /known are BC5CDR-disease, BC5CDR-chem/,
  },
  { name: 'a repository without hf:', argv: ['fetch', 'some/thing'], status: 2, says: /is hf:some\/thing/ },
  { name: 'a repository that is none', argv: ['fetch', 'hf:../x'], status: 2, says: /want hf:OWNER\/REPO/ },
  {
    name: 'an address without a checksum',
    argv: ['fetch', 'https://h/x'],
    status: 2,
    says: /wants --sha256/,
  },
  { name: 'an address that is not https', argv: ['fetch', 'http://h/x'], status: 2, says: /only https/ },
  {
    name: 'an address without a name',
    argv: ['fetch', `https://h/#sha256=${'0'.repeat(64)}`],
    status: 2,
    says: /no name/,
  },
  {
    name: '--sha256 with a name',
    argv: ['fetch', 'minilm', '--sha256', 'x'],
    status: 2,
    says: /belongs to one https/,
  },
  { name: 'no name', argv: ['fetch'], status: 2, says: /names are missing/ },
  {
    name: 'an endpoint that is none',
    argv: ['fetch', 'minilm'],
    status: 2,
    says: /HF_ENDPOINT: found "nonsense"/,
    environment: { HF_ENDPOINT: 'nonsense' },
  },
]
badInput(
  test,
  refusals.map((one) => ({
    ...one,
    environment: { BIOALBERT_CACHE: temporaryFolder(), ...one.environment },
  })),
)

const name = 'a data set comes through a proxy from where it lies, and is counted'
if (sharedFile('sts', 'biosses') === undefined) skip(test, name, noSharedData)
else if (tls === undefined) skip(test, name, noCertificate)
else
  test(name, async () => {
    const server = await serve((asked, response) => {
      const bytes = readFileSync(sharedFile('sts', 'biosses', asked.url?.split('/').at(-1) ?? '') as string)
      good({ bytes })(asked, response, 0)
    }, tls)
    const through = await proxy(undefined, server.port)
    const folder = temporaryFolder()
    const { json, status, stderr } = await run(folder, ['BIOSSES', '--out', 'DATA', '--json'], {
      HTTPS_PROXY: through.url,
      NODE_EXTRA_CA_CERTS: tls.file,
    })
    assert.is(status, 0, stderr)
    const place = join('DATA', 'BIOSSES')
    assert.equal(json.fetched[0].next, [
      'counts: as released (the files of BLUE)',
      `npx bioalbert finetune similarity --data ${place} --model M --out F`,
      'npx bioalbert benchmark --model NAME=M --data DATA --out B',
    ])
    assert.ok(through.seen.every((line) => line === 'CONNECT raw.githubusercontent.com:443'))
    assert.ok(server.requests.every(({ headers }) => headers.authorization === undefined))
    // another time nothing is asked for
    const asked = server.requests.length
    assert.is((await run(folder, ['BIOSSES', '--out', 'b'])).status, 0)
    assert.is(server.requests.length, asked)
  })

test.run()
