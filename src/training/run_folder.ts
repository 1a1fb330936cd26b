/**
 * The folder of a run before the run begins: whether it may be written to, and where a run that was ended there stands. A run that was
 * killed before its first checkpoint leaves nothing to go on from; to resume it is to start it, over what it left and nothing else.
 */
import { UserError } from '../error.js'
import { contents, refuseExisting } from '../files.js'
import { type CheckpointPlace, listCheckpoints } from './checkpoint.js'
import { LOG_FILE } from './log.js'

/** Half-written checkpoints and files (see `removeLeftovers`), and the log. */
const isTrace = (name: string) =>
  name === LOG_FILE || /^\.checkpoint-\d+\.(partial|removed)$|\.\d+\.tmp$|\.partial-\d+$/.test(name)

/**
 * The checkpoint that a run in OUT goes on from; undefined where it starts at its beginning. `isOwn` knows what else, beside the log, this
 * kind of run may write before its first checkpoint. Throws a UsageError for a folder with anything in it that is not to be
 * resumed, or that another process uses, and a UserError where there is no run to resume.
 */
export function openRunFolder(
  out: string,
  resume: boolean,
  isOwn: (name: string, all: readonly string[]) => boolean = () => false,
): CheckpointPlace | undefined {
  const names = contents(out)
  const newest = listCheckpoints(out).at(-1)
  const foreign = names.find((name) => !isTrace(name) && !isOwn(name, names))
  if (!resume) {
    const way = newest ? 'go on with it' : foreign === undefined ? 'start it again' : undefined
    refuseExisting(out, way && `, or ${way} by --resume`)
    return undefined
  }
  if (newest === undefined && foreign !== undefined)
    throw new UserError(`${out}: holds ${foreign} but no checkpoint; there is no run to resume`)
  return newest
}

/** What a person hears who resumes a run that has no checkpoint. */
export function startsAnew(out: string): string {
  return `resume: ${out} has no checkpoint yet, so the run starts at its beginning`
}
