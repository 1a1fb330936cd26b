/**
 * What goes wrong before a route sees a request, in the server's words: HTTP that is none, heads that are too long or too slow,
 * bodies that are too long, of another type, or no JSON; and a path or a method that is not there.
 */
import type { Socket } from 'node:net'
import type { FastifyError } from 'fastify'
import { complain, Refusal, refusalJson } from './refusal.js'
import { refusalOf } from './service.js'

/** What a server is like, for its words. */
export interface FaultContext {
  readonly bodyLimit: number
  /** Methods by path. */
  readonly methods: Readonly<Record<string, string>>
}

/** Any error as a refusal. */
export function faultOf(error: unknown, { bodyLimit }: FaultContext): Refusal {
  switch ((error as Partial<FastifyError>).code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return complain({ found: 'more bytes', expected: `a body of at most ${bodyLimit}` }, 413, 'too_large')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return wrongType('another Content-Type, or none')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return complain({ found: 'a body of another length', expected: 'as many bytes as Content-Length says' })
    // nobody is there to read this
    case 'ECONNRESET':
      return new Refusal(499, 'closed', 'the client has left')
    case 'FST_ERR_BAD_URL':
      return complain({ found: 'a path that does not decode', expected: 'a path in UTF-8, percent-encoded' })
  }
  return refusalOf(error)
}

export function wrongType(found: string): Refusal {
  return complain({ found, expected: 'application/json in UTF-8' }, 415, 'unsupported_type')
}

/** For a method and path that no route has. */
export function noRoute(url: string, method: string, { methods }: FaultContext): Refusal {
  const path = url.split('?', 1)[0]
  if (Object.hasOwn(methods, path))
    return complain({ found: method, expected: methods[path] }, 405, 'wrong_method')
  const expected = `one of ${Object.keys(methods).join(', ')}`
  return complain({ found: 'a path that is not here', expected }, 404, 'not_found')
}

/** Answers what Node could not read as a request, and ends the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const refusal = clientFault(error.code)
  const body = refusalJson(refusal)
  const head = [
    `HTTP/1.1 ${refusal.status} ${reasons[refusal.status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  // an answer that is on its way must not be broken into
  const busy = (socket as Socket & { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent
  if (socket.writable && !busy) socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // nothing that follows is read
  socket.destroySoon()
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function clientFault(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return complain({ found: 'a part of a request', expected: 'all of it in time' }, 408, 'timeout')
  if (code === 'HPE_HEADER_OVERFLOW')
    return complain({ found: 'more bytes of headers', expected: 'fewer' }, 431, 'headers_too_large')
  return new Refusal(400, 'bad_http', 'found something else, expected an HTTP/1.1 request')
}
