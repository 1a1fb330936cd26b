/** `serve` as a person runs it: what it prints, how it is told to end, and what it does then. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { commandLine } from '../support/paths.js'
import { get, post, predicted } from '../support/server_case.js'
import { taskModel } from '../support/task_model.js'

const test = suite('serve')
const folder = await taskModel('entities')

interface Run {
  readonly child: ChildProcess
  readonly url: string
  readonly ended: Promise<{ status: number | null; stdout: string; stderr: string }>
}

/** Starts the server and waits for its address. */
function serve(...more: string[]): Promise<Run> {
  const argv = [commandLine, 'serve', '--model', folder, '--port', '0', '--threads', '1', ...more]
  const child = spawn(process.execPath, argv)
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended: Run['ended'] = new Promise((resolve) =>
    child.on('close', (status) => resolve({ status, stdout, stderr })),
  )
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      const url = /http:\/\/[\d.:[\]]+/.exec(stdout)?.[0]
      if (url !== undefined && stdout.endsWith('\n')) resolve({ child, url, ended })
    })
    void ended.then(({ status }) => reject(new Error(`it ended with ${status}: ${stderr}`)))
  })
}

const long = { texts: Array(200).fill('the patient had fever and cough and zinc '.repeat(8)) }

for (const precision of ['f32', 'int8'])
  test(`it prints its address, answers as predict does in ${precision}, and ends when told`, async () => {
    const { child, url, ended } = await serve('--precision', precision)
    const texts = ['the patient had fever.', '\u{1f912} cough']
    const { text } = await post(url, { texts })
    child.kill('SIGTERM')
    const { status, stdout, stderr } = await ended
    assert.is(status, 0, stderr)
    assert.is(stdout, `${url}\n`)
    assert.match(stderr, new RegExp(`^entities, ${precision}, .*1 thread; Ctrl-C ends it$`, 'm'))
    assert.not.match(stderr, /warning/)
    assert.is(text, `{"results":[${predicted(folder, texts, '--precision', precision).join(',')}]}`)
  })

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal}: what was asked is answered, nothing more is taken, status 0`, async () => {
    const { child, url, ended } = await serve('--json')
    const asked = [1, 2, 3].map(() => post(url, long))
    await waiting(url, 3)
    child.kill(signal)
    for (const { status, json } of await Promise.all(asked)) {
      assert.is(status, 200)
      assert.is((json.results as unknown[]).length, 200)
    }
    const { status, stdout, stderr } = await ended
    assert.is(status, 0, stderr)
    assert.equal(JSON.parse(stdout), { url, port: Number(new URL(url).port), task: 'entities' })
    assert.match(stderr, new RegExp(`^${signal}: answering 3 requests, then the end$`, 'm'))
    await post(url, long).then(
      () => assert.unreachable('it still listens'),
      ({ code }) => assert.is(code, 'ECONNREFUSED'),
    )
  })

test('after --grace seconds the rest gets 503', async () => {
  const { child, url, ended } = await serve('--grace', '0')
  const asked = [1, 2, 3, 4].map(() => post(url, long))
  await waiting(url, 4)
  child.kill('SIGTERM')
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  assert.ok(statuses.includes(503), `${statuses}`)
  const { status, stderr } = await ended
  assert.is(status, 0, stderr)
  assert.match(stderr, /some requests were not answered within 0 s/)
})

test('a second interrupt ends it at once with 130', async () => {
  const { child, url, ended } = await serve()
  const asked = Promise.allSettled([1, 2, 3, 4].map(() => post(url, long)))
  await waiting(url, 4)
  child.kill('SIGINT')
  setTimeout(() => child.kill('SIGINT'), 20)
  assert.is((await ended).status, 130)
  await asked
})

test('an idle connection does not hold it', async () => {
  const { child, url, ended } = await serve()
  await get(url, '/health')
  const start = performance.now()
  child.kill('SIGTERM')
  assert.is((await ended).status, 0)
  assert.ok(performance.now() - start < 4000)
})

test('an address for all says that anyone may use it', async () => {
  const { child, ended } = await serve('--host', '0.0.0.0')
  child.kill('SIGTERM')
  assert.match((await ended).stderr, /^bioalbert: warning: http:\/\/0\.0\.0\.0:\d+ has no authentication/m)
})

test('a port in use, an address that is not here, a model that is none', async () => {
  const { child, url, ended } = await serve()
  const { port } = new URL(url)
  const cases: [string[], number, RegExp][] = [
    [
      ['--port', port],
      1,
      new RegExp(`^bioalbert: cannot listen on 127\\.0\\.0\\.1, port ${port}: the port is in use$`, 'm'),
    ],
    [
      ['--host', '203.0.113.7'],
      1,
      /^bioalbert: cannot listen on 203\.0\.113\.7, port 8080: no such address here$/m,
    ],
    [['--model', `${folder}-none`], 1, /^bioalbert: .*-none/m],
    [['--port', '65536'], 2, /Expected a whole number from 0 to 65535/],
    [['--max-length', '65'], 2, /--max-length is 65, but the model has 64 positions/],
  ]
  try {
    for (const [argv, want, message] of cases) {
      const { status, stderr } = spawnSync(
        process.execPath,
        [commandLine, 'serve', ...(argv.includes('--model') ? [] : ['--model', folder]), ...argv],
        { encoding: 'utf8' },
      )
      assert.match(stderr, message)
      assert.is(status, want, argv.join(' '))
    }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
})

/** Until so many requests wait. */
async function waiting(url: string, count: number): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const { text } = await get(url, '/metrics')
    if (Number(/^bioalbert_queue_requests (\d+)/m.exec(text)?.[1]) >= count) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('the requests did not arrive')
}

test.run()
