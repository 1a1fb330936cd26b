/**
 * Pretraining instances per second on one core, tokenisation included: `bioalbert instances --workers 1` against
 * a plain Python implementation of the original algorithm (bench/peers/instances.py), each a process of its own,
 * in turn, from the same corpus file to files on disk. Wants at least 10 times the peer.
 *   BIOALBERT_SHARED_DATA or ../shared/data  spiece.model and the PubMed sample
 *   BIOALBERT_PEER_PYTHON                    a Python with sentencepiece, for --peers
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeCorpus } from '../../src/data/corpus/corpus.js'
import { buildInstances } from '../../src/data/instances/build.js'
import { importVocabulary } from '../../src/data/tokenizer/vocabulary_import.js'
import { sharedDataFromEnvironment } from '../../src/environment.js'
import { bench } from '../support/bench.js'
import { temporaryFolder } from '../support/folder.js'
import { INSTALL, peerFile, peerPython, peersWanted, skipPeer } from '../support/peers.js'
import { type Contestant, race } from '../support/race.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const data = resolve(sharedDataFromEnvironment() ?? join(root, '..', 'shared', 'data'))
const sample = join(data, 'corpus', 'pubmed_sample.txt')
const spiece = join(data, 'vocab', 'albert', 'spiece.model')

if (!existsSync(sample) || !existsSync(spiece)) {
  console.log(`skipped: no ${existsSync(sample) ? spiece : sample}`)
} else {
  const folder = temporaryFolder()
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(folder: string): Promise<void> {
  const corpus = join(folder, 'corpus.txt')
  const vocabulary = join(folder, 'vocabulary')
  const out = join(folder, 'instances')
  await writeCorpus({ inputs: [sample], out: corpus })
  importVocabulary(spiece, vocabulary)
  const json = (command: string, argv: string[]): Record<string, unknown> => {
    const { status, stdout, stderr } = spawnSync(command, argv, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${argv.join(' ')}: ${stderr}`)
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  }
  const build = async (dupeFactor: number) => {
    rmSync(out, { recursive: true, force: true })
    return await buildInstances({ corpus: [corpus], tokenizerDir: vocabulary, out, dupeFactor, workers: 1 })
  }
  const python = peersWanted ? peerPython() : undefined
  if (peersWanted && python === undefined)
    skipPeer('instances', 'plain Python', `not installed: ${INSTALL.python}`)
  const cli = join(root, 'dist', 'src', 'cli', 'main.js')
  for (const dupeFactor of [1, 10]) {
    const { train } = await build(dupeFactor)
    const units = { tokens: train.tokens, instances: train.instances }
    const name = `instances, ${dupeFactor} ${dupeFactor === 1 ? 'copy' : 'copies'}`
    await bench(`${name}, warm process`, { units }, () => build(dupeFactor), { warmup: 1, samples: 5 })
    // Ten copies take the peer minutes; one says enough, as both draw every copy alike.
    if (dupeFactor > 1) continue
    const ours = [
      cli,
      'instances',
      '--corpus',
      corpus,
      '--tokenizer',
      vocabulary,
      '--out',
      out,
      '--workers',
      '1',
    ]
    ours.push('--dupe-factor', String(dupeFactor), '--quiet', '--json')
    const theirs = [
      peerFile('instances.py'),
      '--corpus',
      corpus,
      '--spiece',
      spiece,
      '--out',
      join(folder, 'peer.bin'),
    ]
    theirs.push('--dupe-factor', String(dupeFactor))
    const contestants: Contestant[] = [
      {
        name: 'ours',
        precision: 'f32',
        ours: true,
        run: async () => {
          rmSync(out, { recursive: true, force: true })
          return json(process.execPath, ours).seconds
        },
      },
    ]
    if (python !== undefined)
      contestants.push({
        name: 'plain Python',
        precision: 'f32',
        run: async () => json(python, theirs).seconds,
      })
    await race(name, { units }, contestants, { rounds: 3, warmup: 0 })
  }
}
