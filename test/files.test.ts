/**
 * Failed writes: whatever cannot be written is named, with the reason, and nothing half-written is left. Disks that are
 * full (/dev/full, and a small file system where one may be mounted) and files that may not grow (`ulimit -f`).
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { UsageError, UserError } from '../src/error.js'
import {
  append,
  folderAtomic,
  lockFolder,
  makeFolder,
  writeFileAtomic,
  writeWhole,
  writeWholeAsync,
} from '../src/files.js'
import { commandLine, root } from './support/paths.js'
import { skip } from './support/skip.js'
import { folderWith, temporaryFolder } from './support/temporary.js'
import { toyFiles, toySentences } from './support/toy_ner.js'

const test = suite('failed writes')

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs a command in `cwd`; no file may grow past `blocks` of 1 KiB, and standard output may go elsewhere. */
function bioalbert(cwd: string, line: string, blocks?: number, stdout?: string): Ended {
  const limit = blocks === undefined ? '' : `ulimit -f ${blocks}; `
  const shell = `${limit}exec "$0" "$@"${stdout === undefined ? '' : ` > ${stdout}`}`
  return spawnSync('bash', ['-c', shell, process.execPath, commandLine, ...line.split(' ')], {
    cwd,
    encoding: 'utf8',
    input: '',
  })
}

function succeeds(cwd: string, line: string): Ended {
  const ended = bioalbert(cwd, line)
  assert.is(ended.status, 0, ended.stderr)
  return ended
}

const reason = '(?:the file would be larger than allowed|no space left on the device)'

/** Checks a refusal and returns the file that it names. */
function refusal({ status, stderr, stdout }: Ended, line: string): string {
  assert.is(status, 1, `${line}\n${stdout}${stderr}`)
  const found = new RegExp(`^bioalbert: (\\S+): cannot be written: ${reason}$`, 'm').exec(stderr)
  assert.ok(found, `${line}\n${stderr}`)
  assert.not.match(stderr, /^\s+at /m)
  assert.not.match(stderr, /partial|\.tmp/)
  if (line.includes('--json'))
    assert.match(JSON.parse(stdout.trimEnd().split('\n').at(-1) as string).error, found[1])
  return found[1]
}

/** No temporary file or folder below `folder`. */
function isClean(folder: string): void {
  const left = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  assert.equal(
    left.filter((name) => /partial|\.tmp$|\.removed/.test(name)),
    [],
  )
}

const words = toySentences(9, 4000).map((sentence) => sentence.words.join(' '))
const corpus = words.map((line, i) => (i % 6 === 0 ? `\n${line}` : line)).join('\n')
const toy = toyFiles({ train: 30, devel: 200, test: 400 })
const folder = folderWith({ ...toy, 'text.txt': corpus })
succeeds(folder, 'corpus text.txt --out c --min-characters 1 --quiet')
succeeds(folder, 'instances --corpus c --tokenizer v --out i --seq-length 32 --dupe-factor 1 --quiet')
const ner = 'finetune ner --data d --tokenizer v --preset nano --total-steps 2 --quiet --json'
succeeds(folder, `${ner} --out f`)

const profile = 'profile predict --preset nano --vocabulary 100 --rows 64 --steps 1 --quiet'
/** A command, what it may write, and the sizes (KiB) at which writing fails. */
const commands: [line: string, out: string, names: RegExp, sizes: number[]][] = [
  ['vocab train text.txt --size 90 --quiet --json --out O', 'O', /^O\/tokenizer(_config)?\.json$/, [0, 1]],
  ['corpus text.txt --quiet --json --out O', 'O', /^O(\.parts\/[\w.-]+)?$/, [0, 8]],
  ['synthesize --documents 20 --json --out O', 'O', /^O\/(corpus\.txt|ner\/\w+\.tsv)$/, [0, 4]],
  [
    'instances --corpus c --tokenizer v --seq-length 32 --workers 1 --quiet --json --out O',
    'O',
    /^O\/[\w-]+\.\w+$/,
    [0, 2, 30],
  ],
  [
    'instances --corpus c --tokenizer v --seq-length 32 --workers 2 --quiet --json --out O',
    'O',
    /^O\/[\w-]+\.\w+$/,
    [0, 30],
  ],
  [
    'pretrain --preset nano --instances i --tokenizer v --total-steps 2 --save-every 1 --quiet --json --out O',
    'O',
    /^O\/(log\.jsonl|checkpoint-\d+\/[\w.]+)$/,
    [0, 1, 40],
  ],
  [`${ner} --eval-every 1 --out O`, 'O', /^O\/(log\.jsonl|[\w.]+|checkpoint-\d+\/[\w.]+)$/, [0, 1, 40]],
  ['evaluate ner --data d/test.tsv --model f --quiet --json --out O', 'O', /^O$/, [0, 1]],
  [`${profile} --json --trace O`, 'O', /^O$/, [0, 1]],
  [`${profile} --json --roofline O`, 'O', /^O$/, [0, 1]],
]
for (const [line, out, names, sizes] of commands)
  test(`a file that may not grow is named: ${line.split(' --')[0]} (${/--(trace|roofline)/.exec(line)?.[1] ?? out})`, () => {
    for (const size of sizes) {
      const here = join(folder, out)
      assert.not(existsSync(here))
      const named = refusal(bioalbert(folder, line, size), `${line} (${size} KiB)`)
      assert.match(named, names)
      isClean(folder)
      spawnSync('rm', ['-rf', here])
    }
  })

test('a log on a full disk is named', () => {
  assert.throws(
    () => append('/dev/full', 'x'),
    /^\/dev\/full: cannot be written: no space left on the device$/,
  )
  const pretrain = 'pretrain --preset nano --instances i --tokenizer v --total-steps 2 --quiet --json --out L'
  for (const line of [pretrain, `${ner} --out L`]) {
    assert.is(refusal(bioalbert(folder, line, 0), line), 'L/log.jsonl')
    spawnSync('rm', ['-rf', join(folder, 'L')])
  }
})

test('standard output on a full disk is named, with --json and without', () => {
  for (const line of ['plan --preset nano --json', 'plan --preset nano', 'predict --model f --text fever']) {
    const { status, stderr } = bioalbert(folder, line, undefined, '/dev/full')
    assert.is(status, 1, stderr)
    assert.match(stderr, /^bioalbert: standard output: cannot be written: no space left on the device$/m)
    assert.not.match(stderr, /^\s+at (?!operator)/m)
  }
})

test('an input that cannot be read is not said to be an output', () => {
  const message = (call: () => unknown): string => {
    try {
      call()
    } catch (error) {
      return (error as Error).message
    }
    return 'nothing was thrown'
  }
  const out = join(temporaryFolder(), 'o')
  const said = message(() => writeWhole(out, () => readFileSync('/nowhere/in.txt')))
  assert.match(said, /in\.txt/)
  assert.not.match(said, /cannot be written/)
  assert.equal(readdirSync(join(out, '..')), [])
})

test('an error in the middle leaves the old file, and no other', async () => {
  const dir = folderWith({ a: 'old', b: 'old' })
  assert.throws(
    () =>
      writeWhole(join(dir, 'a'), (write) => {
        write('new')
        throw new Error('stop')
      }),
    /^stop$/,
  )
  await writeWholeAsync(join(dir, 'b'), async (write) => {
    await write(Buffer.from('new'))
    throw new Error('stop')
  }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'stop'),
  )
  assert.equal(readdirSync(dir).sort(), ['a', 'b'])
  for (const name of ['a', 'b']) assert.is(readFileSync(join(dir, name), 'utf8'), 'old')
})

test('places that cannot be are named as they were given, not by their temporary names', async () => {
  const dir = folderWith({ file: '', 'folder/x': '' })
  const refused = (what: RegExp) => (error: Error) => error instanceof UserError && what.test(error.message)
  assert.throws(
    () => writeFileAtomic(join(dir, 'folder'), 'x'),
    refused(/\/folder: cannot be written: is a folder$/),
  )
  assert.throws(
    () => writeFileAtomic(join(dir, 'none/x'), 'x'),
    refused(/\/none\/x: cannot be written: no such file or folder$/),
  )
  assert.throws(
    () => makeFolder(join(dir, 'file')),
    refused(/\/file: cannot be made: a file of that name is there$/),
  )
  await folderAtomic(join(dir, 'file/o'), async () => undefined).then(
    () => assert.unreachable(),
    (error) => assert.ok(refused(/\/file\/o: cannot be made: is not a folder$/)(error), error.message),
  )
  isClean(dir)
})

const mount = temporaryFolder()
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', mount]).status === 0
if (mounted) process.prependListener('exit', () => spawnSync('umount', [mount]))
const full = 'on a small file system that fills up, the file that did not fit is named'
if (!mounted) skip(test, full, 'no file system may be mounted here')
else
  test(full, () => {
    const clear = () => spawnSync('bash', ['-c', `rm -rf ${mount}/*`])
    const lines: [line: string, names: RegExp][] = [
      [
        'pretrain --preset nano --instances i --tokenizer v --total-steps 4 --save-every 1 --quiet',
        /\/o\/checkpoint-/,
      ],
      ['synthesize --documents 2000', /\/o\/corpus\.txt$/],
      [
        'instances --corpus c --tokenizer v --seq-length 32 --dupe-factor 40 --workers 2 --quiet',
        /\/o\/[\w-]+\.\w+$/,
      ],
      [ner, /\/o\/(checkpoint-|model\.safetensors)/],
    ]
    for (const [line, names] of lines) {
      const named = refusal(bioalbert(folder, `${line} --out ${mount}/o`), line)
      assert.match(named, names)
      assert.ok(named.startsWith(mount))
      isClean(mount)
      clear()
    }
  })

test('nothing else in the sources opens, makes or names a file to write', () => {
  const writers =
    /\b(writeFile(Sync)?|appendFile(Sync)?|writeSync|writev(Sync)?|createWriteStream|mkdir(Sync)?|rename(Sync)?|copyFile(Sync)?|cp(Sync)?|open)\b[^\n]*from 'node:fs|openSync\([^)]*'[wa]/
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const others = sources
    .filter((file) => file.endsWith('.ts') && file !== 'files.ts')
    .filter((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8')
      const imports = text.match(/import \{[^}]*\} from 'node:fs(\/promises)?'/g) ?? []
      return imports.some((one) => writers.test(one.replace(/\s+/g, ' '))) || writers.test(text)
    })
  assert.equal(others, [])
})

test('a folder that another process uses is refused by its number, until that process is gone', async () => {
  const folder = join(temporaryFolder(), 'runs')
  const files = join(root, 'dist', 'src', 'files.js')
  const claim = `import { lockFolder } from ${JSON.stringify(files)}; lockFolder(${JSON.stringify(folder)}); console.log('claimed'); setInterval(() => {}, 1000)`
  const other = spawn(process.execPath, ['--input-type=module', '-e', claim], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(other.stdout, 'data')
    assert.throws(
      () => lockFolder(folder),
      (error: Error) => error instanceof UsageError && error.message.includes(`process ${other.pid} on `),
    )
  } finally {
    other.kill('SIGKILL')
    await once(other, 'exit')
  }
  assert.equal(readdirSync(folder), ['lock'], 'a process that is killed leaves its claim')
  const release = lockFolder(folder)
  assert.match(
    readlinkSync(join(folder, 'lock')),
    new RegExp(`^${process.pid} on ${hostname()}( since \\d+)?$`),
  )
  release()
  assert.equal(readdirSync(folder), [])
})

const reused = 'the number of a process that is gone is no sign of life where another process has it by now'
if (!existsSync('/proc/self/stat')) skip(test, reused, 'this system does not tell when a process began')
else
  test(reused, () => {
    const folder = join(temporaryFolder(), 'runs')
    lockFolder(folder)
    const [mine, since] = readlinkSync(join(folder, 'lock')).split(' since ')
    const other = mine.replace(String(process.pid), String(process.ppid))
    const claimedSince = (start: string) => {
      rmSync(join(folder, 'lock'))
      symlinkSync(`${other} since ${start}`, join(folder, 'lock'))
    }
    claimedSince(readFileSync(`/proc/${process.ppid}/stat`, 'latin1').split(') ')[1].split(' ')[19])
    assert.throws(() => lockFolder(folder), new RegExp(`process ${other};`))
    claimedSince('1')
    lockFolder(folder)
    assert.is(readlinkSync(join(folder, 'lock')), `${mine} since ${since}`)
  })

test('a claim of another machine, which cannot be looked at, is left to the person; one that says nothing is not', () => {
  const folder = folderWith({ 'damaged/lock': 'no link' })
  makeFolder(join(folder, 'elsewhere'))
  symlinkSync('1 on another.machine', join(folder, 'elsewhere', 'lock'))
  assert.throws(() => lockFolder(join(folder, 'elsewhere')), /process 1 on another\.machine.*remove .*lock/)
  lockFolder(join(folder, 'damaged'))()
  assert.equal(readdirSync(join(folder, 'damaged')), [])
})

test.run()
