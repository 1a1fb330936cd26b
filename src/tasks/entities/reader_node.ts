/** Files of labelled sentences, in the columns of reader.ts. */
import { readText } from '../../data/files/text_node.js'
import { type NerFile, parseNerFiles } from './reader.js'

/**
 * Reads one file (UTF-8, with or without byte order mark, LF or CRLF).
 * Throws InputError for a missing, empty or non-UTF-8 file, and for what `parseNerFiles` refuses.
 */
export function readNer(path: string): NerFile {
  return readNerFiles([path])[0]
}

/** Reads files that belong together, as `parseNerFiles` does. */
export function readNerFiles(paths: readonly string[]): NerFile[] {
  return parseNerFiles(paths.map((path) => ({ path, text: readText(path, 'a file of labelled sentences') })))
}
