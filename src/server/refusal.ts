/**
 * Why a request is not answered, as the server says it: a status, a short name for programs, and words for people in the
 * form of all errors of input, `where: found ..., expected ...`. The body is {"error": {status, code, message, ...}}.
 */
import type { z } from 'zod'
import { quote } from '../data/files/text.js'

/** Where in the body something stands, what was found there, and what was expected. */
export interface BodyComplaint {
  readonly at?: string
  readonly found: string
  readonly expected: string
}

export class Refusal extends Error {
  override name = 'Refusal'
  constructor(
    readonly status: number,
    /** For programs: `bad_request`, `queue_full`. */
    readonly code: string,
    message: string,
    readonly details: {
      readonly complaint?: BodyComplaint
      /** Seconds after which another try makes sense. */
      readonly retryAfter?: number
    } = {},
  ) {
    super(message)
  }
}

/** `400: found ..., expected ...`, or another status with the same words. */
export function complain(complaint: BodyComplaint, status = 400, code = 'bad_request'): Refusal {
  const { at, found, expected } = complaint
  const words = `found ${found}, expected ${expected}`
  return new Refusal(status, code, at === undefined ? words : `${at}: ${words}`, { complaint })
}

/** The body of a refusal. */
export function refusalJson({ status, code, message, details }: Refusal): string {
  return JSON.stringify({ error: { status, code, message, ...details.complaint } })
}

/** What zod has against a body, in our words; of several the first. */
export function zodComplaint({ issues: [issue] }: z.ZodError, body: unknown): BodyComplaint {
  const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], body)
  const at = issue.path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`),
    '',
  )
  const place = at === '' ? {} : { at }
  switch (issue.code) {
    case 'unrecognized_keys':
      return { ...place, found: `the field ${quote(issue.keys[0])}`, expected: 'no other fields' }
    case 'too_small':
      return { ...place, found: counted(value), expected: `at least ${issue.minimum}` }
    case 'too_big':
      return { ...place, found: counted(value), expected: `at most ${issue.maximum}` }
    case 'invalid_type':
      return { ...place, found: kindOf(value), expected: article(issue.expected) }
    default:
      return { ...place, found: kindOf(value), expected: issue.message }
  }
}

/** A JSON value in a word. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return article(typeof value)
}

function article(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`
}

function counted(value: unknown): string {
  return Array.isArray(value) ? `${value.length}` : kindOf(value)
}
