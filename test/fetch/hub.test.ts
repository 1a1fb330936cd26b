/** Repositories of a hub: which files are taken, at which commit, and what a listing may not say. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  HUB,
  isInside,
  listRepository,
  modelFiles,
  repositoryNamed,
  resolveUrl,
} from '../../src/fetch/hub.js'
import { rejects } from '../support/failure.js'
import { closeTransports, quick, transport } from '../support/fetch_case.js'
import {
  COMMIT,
  closeServers,
  entriesOf,
  type FakeRepository,
  gitBlob,
  hub,
  serve,
  sha256,
} from '../support/web_server.js'

const test = suite('hub')
const text = (content: string) => Buffer.from(content)
const small = { 'config.json': text('{}'), 'vocab.txt': text('a\n') }
const shard = (k: number) => `model-0000${k}-of-00003.safetensors`
const MAIN = { name: 'o/r', revision: 'main' }

test.after(async () => {
  await closeTransports()
  await closeServers()
})

async function listed(repository: FakeRepository, revision = 'main') {
  const server = await serve(hub({ 'o/r': repository }))
  const options = { endpoint: server.url, transport: transport(), retries: quick }
  return listRepository({ name: 'o/r', revision }, options)
}

async function taken(files: FakeRepository['files']): Promise<string[]> {
  return modelFiles('o/r', await listed({ files })).map(({ path }) => path)
}

test('a listing names the commit, the licence and a checksum of every file', async () => {
  const files = { ...small, 'model.safetensors': text('weights') }
  const listing = await listed({ files, licence: 'mit' })
  assert.equal([listing.commit, listing.licence], [COMMIT, 'mit'])
  assert.equal(listing.files, [
    { path: 'config.json', size: 2, checksum: { kind: 'git', hex: gitBlob(text('{}')) } },
    { path: 'vocab.txt', size: 2, checksum: { kind: 'git', hex: gitBlob(text('a\n')) } },
    { path: 'model.safetensors', size: 7, checksum: { kind: 'sha256', hex: sha256(text('weights')) } },
  ])
})

test('configuration, vocabulary and one form of the weights are taken, and nothing else', async () => {
  const rest = {
    'README.md': text('x'),
    'tf_model.h5': text('x'),
    'run.py': text('x'),
    'onnx/model.onnx': text('x'),
    '1_Pooling/config.json': text('{}'),
  }
  const both = { ...small, ...rest, 'pytorch_model.bin': text('p'), 'model.safetensors': text('s') }
  assert.equal(await taken(both), ['config.json', 'vocab.txt', 'model.safetensors'])
  const pickle = { ...small, ...rest, 'pytorch_model.bin': text('p') }
  assert.equal(await taken(pickle), ['config.json', 'vocab.txt', 'pytorch_model.bin'])
  const shards = Object.fromEntries([3, 1, 2].map((k) => [shard(k), text(`${k}`)]))
  const index = { 'model.safetensors.index.json': text('{}') }
  const names = ['config.json', 'vocab.txt', 'model.safetensors.index.json', shard(1), shard(2), shard(3)]
  assert.equal(await taken({ ...small, ...index, ...shards, 'pytorch_model.bin': text('p') }), names)
  await rejects(
    taken({ ...small, ...index, [shard(1)]: text('1') }),
    /index.json is there, and 1 of 3 shards/,
  )
  await rejects(taken({ ...small, ...rest }), /found tf_model.h5, onnx\/model.onnx/)
  await rejects(taken({ 'model.safetensors': text('s') }), /o\/r: holds no config.json/)
})

test('a listing that names what lies outside of it is refused as a whole', async () => {
  const files = { ...small, 'model.safetensors': text('s') }
  for (const path of ['../x', '/etc/passwd', 'a/../../b', 'a\\..\\b', 'C:/x', './x', 'a//b', 'a\u0000b']) {
    assert.not.ok(isInside(path), path)
    const entries = [...entriesOf(files), { type: 'file', path, size: 1, oid: '0'.repeat(40) }]
    await rejects(listed({ files, entries }), /which lies outside of it/)
  }
  for (const path of ['a', 'a/b.c', '..a', 'a..', '.hidden']) assert.ok(isInside(path), path)
})

test('sizes, checksums and the number of files are bounded and must be there', async () => {
  const entry = { type: 'file', path: 'config.json', size: 2, oid: '0'.repeat(40) }
  const of = async (...entries: unknown[]) => modelFiles('o/r', await listed({ files: {}, entries }))
  await rejects(of({ ...entry, size: -1 }), /the hub's listing is not one/)
  await rejects(of({ ...entry, size: '2' }), /the hub's listing is not one/)
  await rejects(of('config.json'), /the hub's listing is not one/)
  await rejects(of({ ...entry, oid: undefined }), /no checksum of config.json/)
  await rejects(of({ ...entry, lfs: { oid: 'zz', size: 2 } }), /no checksum of config.json/)
  const weights = { ...entry, path: 'model.safetensors', lfs: { oid: '0'.repeat(64), size: 2 ** 50 } }
  await rejects(of(entry, weights), /has 1125899906842624 bytes, at most 68719476736 are taken/)
  await rejects(
    of({ ...entry, size: 1e9 }, { ...weights, lfs: { ...weights.lfs, size: 9 } }),
    /config.json has/,
  )
  const many = Array.from({ length: 10_001 }, (_, i) => ({ ...entry, path: `f${i}` }))
  await rejects(of(...many), /more than 10000 files/)
})

test('pages are followed, with the token to the hub alone, and not for ever', async () => {
  const other = await serve((_, response) => void response.writeHead(200).end('[]'))
  const pages = (next: (k: number) => string) => async () => {
    const server = await serve((asked, response, k) => {
      if (asked.url?.includes('/revision/'))
        response.end(JSON.stringify({ _id: '1', id: 'o/r', sha: COMMIT }))
      else {
        response.writeHead(200, { link: `<${next(k)}>; rel="next"` })
        response.end(JSON.stringify([{ type: 'file', path: `f${k}`, size: 0, oid: '0'.repeat(40) }]))
      }
    })
    const token = { value: 'hf_secret', origin: server.url }
    const options = { endpoint: server.url, transport: transport({ token }), retries: quick }
    return listRepository(MAIN, options)
  }
  const { files } = await pages(() => `${other.url}/next`)()
  assert.is(files.length, 1)
  assert.is(other.requests[0].headers.authorization, undefined)
  const endless = await serve((_, response) => {
    response.writeHead(200, { link: `<${endless.url}/more>; rel="next"` })
    response.end('[]')
  })
  await rejects(pages(() => `${endless.url}/more`)(), /the listing has no end/)
})

test('what the hub refuses is said in words', async () => {
  await rejects(listed({ files: {} }, 'other'), /no such repository, or no revision other of it/)
  const server = await serve(hub({}))
  const from = (endpoint: string) =>
    listRepository(MAIN, { endpoint, transport: transport(), retries: quick })
  await rejects(
    from(server.url),
    /o\/r at http.*access denied \(401\).*agreed to at .*\/o\/r first.*HF_TOKEN/,
  )
  for (const answer of ['<html>', '{}', '[]', 'null', '"x"', '{"sha":"../../x"}']) {
    const odd = await serve((_, response) => void response.end(answer))
    await rejects(from(odd.url), /does not answer like a hub|names no commit/)
  }
  const large = await serve((_, response) => {
    const more = () =>
      void (response.destroyed || response.write(' '.repeat(1 << 20), () => setTimeout(more, 0)))
    more()
  })
  await rejects(from(large.url), /has more than 16777216 bytes/)
  const busy = await serve((_, response) => void response.writeHead(503).end())
  await rejects(from(busy.url), /the server answered 503 \(tried 4 times\)/)
})

test('names of repositories', () => {
  assert.equal(repositoryNamed('dmis-lab/biobert_v1.1'), { name: 'dmis-lab/biobert_v1.1', revision: 'main' })
  assert.equal(repositoryNamed('o/r@refs/pr/1'), { name: 'o/r', revision: 'refs/pr/1' })
  assert.equal(repositoryNamed('gpt2'), { name: 'gpt2', revision: 'main' })
  for (const text of [
    '',
    '/',
    'a/b/c',
    '../x',
    'a/..',
    'a/b@',
    'a b/c',
    'a/b@x y',
    'a/b?x',
    '-a/b',
    'a/b@..',
  ])
    assert.is(repositoryNamed(text), undefined, text)
  assert.is(resolveUrl(HUB, 'o/r', COMMIT, 'a #.bin'), `${HUB}/o/r/resolve/${COMMIT}/a%20%23.bin`)
})

test.run()
