/**
 * Titles and abstracts out of PubMed's XML on one core, in MB of XML a second of processor time: our reader against lxml's iterparse (bench/peers/corpus.py),
 * in turn, over the same file, made of the records of the shared sample with other PMIDs and other orders of words. Wants at
 * least 40 MB/s.
 *   BIOALBERT_SHARED_DATA  the folder of public data, for real records of PubMed
 *   BIOALBERT_PEER_PYTHON  a Python with lxml, for --peers
 */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CorpusRecord } from '../../src/data/corpus/format.js'
import { pubmedXml } from '../../src/data/corpus/formats/pubmed_xml.js'
import { Philox } from '../../src/data/random.js'
import { writeWhole } from '../../src/files.js'
import { noSharedData, sharedFile } from '../../test/support/shared_data.js'
import { quick } from '../support/bench.js'
import { temporaryFolder } from '../support/folder.js'
import { INSTALL, peerFile, peerPython, peersWanted, skipPeer } from '../support/peers.js'
import { type Contestant, ownCpu, race } from '../support/race.js'

const sample = sharedFile('corpus', 'pubmed_xml', 's800_100_records.xml')
const megabytes = quick ? 8 : 64

if (sample === undefined) {
  console.log(`data/corpus: nothing is timed (${noSharedData})`)
} else {
  const folder = temporaryFolder()
  try {
    await run(join(folder, 'pubmed.xml'), sample)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(file: string, source: string): Promise<void> {
  write(file, source)
  const python = peersWanted ? peerPython() : undefined
  if (peersWanted && python === undefined) skipPeer('corpus', 'lxml', `not installed: ${INSTALL.python}`)
  const contestants: Contestant[] = [
    { name: 'ours', precision: 'f32', ours: true, run: async () => read(file).seconds },
  ]
  if (python !== undefined) {
    const peer = (): { seconds: number; documents: number; characters: number } => {
      const { status, stdout, stderr } = spawnSync(python, [peerFile('corpus.py'), file], {
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(stderr)
      return JSON.parse(stdout)
    }
    const [ours, theirs] = [read(file, true), peer()]
    if (ours.documents !== theirs.documents || ours.characters !== theirs.characters)
      throw new Error(`not the same text: ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`)
    contestants.push({ name: 'lxml iterparse', precision: 'f32', run: async () => peer().seconds })
  }
  await race('corpus pubmed_xml', { units: { MB: megabytes } }, contestants)
}

/** Characters are counted as Python counts them, for the check alone. */
function read(file: string, check = false): { seconds: number; documents: number; characters: number } {
  const started = ownCpu()
  const parser = pubmedXml.parser({ labels: true })
  const bytes = new Uint8Array(2 ** 16)
  const input = openSync(file, 'r')
  let documents = 0
  let characters = 0
  const take = (records: readonly CorpusRecord[]): void => {
    for (const record of records) {
      if (record.kind === 'dropped') continue
      documents++
      if (check) for (const paragraph of record.paragraphs) characters += [...paragraph].length
    }
  }
  for (let count = 1; count > 0; ) {
    count = readSync(input, bytes)
    take(parser.write(bytes.subarray(0, count)))
  }
  take(parser.end())
  closeSync(input)
  return { seconds: ownCpu() - started, documents, characters }
}

/** Records of the sample, one after the other with PMIDs of their own and two words of each abstract exchanged. */
function write(file: string, source: string): void {
  const text = readFileSync(source, 'utf8')
  const records = text.match(/<PubmedArticle>[\s\S]*?<\/PubmedArticle>/g) ?? []
  const r = new Philox(1)
  writeWhole(file, (part) => {
    part(text.slice(0, text.indexOf('<PubmedArticle>')))
    let left = megabytes * 1e6
    for (let id = 1; left > 0; id++) {
      const record = records[r.integer(records.length)]
        .replace(/(<PMID Version="1">)\d+/, `$1${id}`)
        .replace(/(<AbstractText[^>]*>)([^<]*)/g, (_, tag: string, words: string) => {
          const list = words.split(' ')
          const [i, j] = [r.integer(list.length), r.integer(list.length)]
          ;[list[i], list[j]] = [list[j], list[i]]
          return tag + list.join(' ')
        })
      left -= Buffer.byteLength(record)
      part(`${record}\n`)
    }
    part('</PubmedArticleSet>\n')
  })
}
