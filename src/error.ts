/**
 * Errors that a person can act on. The command line prints the message alone and exits with `exitCode`;
 * anything else that is thrown is a defect and is printed with its stack.
 */
export class UserError extends Error {
  override name = 'UserError'
  constructor(
    message: string,
    /** 1: the work failed (bad data, missing file, no memory); 2: the command was used wrongly. */
    readonly exitCode: 1 | 2 = 1,
  ) {
    super(message)
  }
}

/** Where bad input stands, what was found there, and what was expected. `line` counts from 1. */
export interface Complaint {
  file: string
  line?: number
  found: string
  expected: string
}

/** Bad input in a file: `FILE:LINE: found ..., expected ...`. */
export class InputError extends UserError {
  override name = 'InputError'
  constructor(readonly complaint: Complaint) {
    const where = complaint.line === undefined ? complaint.file : `${complaint.file}:${complaint.line}`
    super(`${where}: found ${complaint.found}, expected ${complaint.expected}`, 1)
  }
}

/** Wrong use of a command or an option: exit status 2. */
export class UsageError extends UserError {
  override name = 'UsageError'
  constructor(message: string) {
    super(message, 2)
  }
}

const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'a file of that name is there',
  EFBIG: 'the file would be larger than allowed',
  EISDIR: 'is a folder',
  EMFILE: 'too many open files',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
}

/** What the operating system refused. */
export interface SystemError extends Error {
  code: string
  syscall: string
  path?: string
  dest?: string
}

export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** Why the operating system refused, in words; undefined for an error that is not one of its. */
export function systemReason(error: unknown): string | undefined {
  return isSystemError(error) ? (reasons[error.code] ?? error.message) : undefined
}

/** Whether it is of the kinds that a person can act on, rather than a defect. */
export function isActionable({ code }: SystemError): boolean {
  return code in reasons
}
