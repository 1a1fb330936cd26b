#!/usr/bin/env node
/**
 * The command line `bioalbert COMMAND ...`: runs the command and turns every end into an exit status: 0,
 * 1 (failed), 2 (bad usage). Errors go to standard error; with --json the last line of standard output tells
 * them too. The commands are in program.ts.
 */
import { CommanderError } from 'commander'
import { isActionable, isSystemError, type SystemError, systemReason, UserError } from '../error.js'
import { commandNames, program } from './program.js'

/** Runs the command line; the exit status is left in process.exitCode. */
async function main(argv: string[]): Promise<void> {
  const json = argv.includes('--json')
  // `bioalbert ... | head`: the reader has left, and nobody wants to hear of it.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      if (stream === process.stdout)
        process.stderr.write(`bioalbert: standard output: cannot be written: ${systemReason(error)}\n`)
      process.exit(1)
    })
  }
  const defect = (error: unknown) => {
    report(error, json)
    process.exit(1)
  }
  process.on('uncaughtException', defect)
  process.on('unhandledRejection', defect)
  try {
    const words = argv.filter((word) => !word.startsWith('-'))
    const root = await program(words[0] === 'help' ? words[1] : words[0])
    // An unknown command is said to be just that, whatever options follow it.
    const known = words.length === 0 || words[0] === 'help' || commandNames().includes(words[0])
    await root.parseAsync(known ? argv : words.slice(0, 1), { from: 'user' })
  } catch (error) {
    report(error, json)
  }
}

function report(error: unknown, json: boolean): void {
  let message: string
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return
    // Commander has printed it already, but for the help that it shows in place of a missing command.
    // Its own statuses know no difference between 1 and 2.
    process.exitCode = 2
    message = error.message.replace(/^error: /, '')
    if (error.code === 'commander.help') {
      message = 'a command is missing'
      process.stderr.write(`\nbioalbert: ${message}\n`)
    }
  } else if (error instanceof UserError) {
    process.exitCode = error.exitCode
    message = error.message
    process.stderr.write(`bioalbert: ${message}\n`)
  } else if (isSystemError(error) && isActionable(error)) {
    process.exitCode = 1
    message = systemMessage(error)
    process.stderr.write(`bioalbert: ${message}\n`)
  } else {
    process.exitCode = 1
    message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  }
  if (json) process.stdout.write(`${JSON.stringify({ error: message.trim() })}\n`)
}

/** `cannot open FILE: no such file or folder`. Writing is told by the files that are written (files.ts). */
function systemMessage(error: SystemError): string {
  const where = error.dest ?? error.path
  return `cannot ${error.syscall}${where === undefined ? '' : ` ${where}`}: ${systemReason(error)}`
}

await main(process.argv.slice(2))
