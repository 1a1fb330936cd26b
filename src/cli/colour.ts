/** Whether what is printed may have colours. */

/** Whether to print colours: a terminal, NO_COLOR unset or empty, and TERM other than `dumb`. */
export function wantsColour(
  stream: { isTTY?: boolean },
  environment: { NO_COLOR?: string; TERM?: string } = process.env,
): boolean {
  return stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'
}
