/** Writes a corpus in a process of its own, for tests that kill it; the options are one argument of JSON. */
import { type CorpusOptions, writeCorpus } from '../../src/data/corpus/corpus.js'

await writeCorpus(JSON.parse(process.argv[2]) as CorpusOptions)
