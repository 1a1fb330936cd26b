/** The tokenizer of the small vocabulary: the 5, patient 6, patients 7, had 8, fever 9, and 10, cough 11, was 12, `.` 15; [CLS] 2, [SEP] 3. */
import { join } from 'node:path'
import type { Tokenizer } from '../../src/data/tokenizer/tokenizer.js'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { folderWith } from './temporary.js'
import { smallTokenizerJson } from './vocabulary.js'

export function toyTokenizer(): Tokenizer {
  return loadTokenizer(join(folderWith({ 'v/tokenizer.json': smallTokenizerJson() }), 'v'))
}
