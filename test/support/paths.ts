/**
 * Where things lie when a built test runs from dist/test/: the repository's root and the command line's entry.
 */
import { fileURLToPath } from 'node:url'

/** Absolute path of the repository's root, without a trailing slash. */
export const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** Absolute path of the built command line (`node <commandLine> --help`). */
export const commandLine = `${root}/dist/src/cli/main.js`
