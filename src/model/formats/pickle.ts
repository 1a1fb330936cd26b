/**
 * Python's pickle, protocols 0 to 5, read without running anything: the stack machine makes numbers, texts, lists, dicts and
 * what `known` says of a global, and refuses a pickle that names any other by that name and its byte. Classes are never
 * looked up, objects never made, and sizes in the file are checked against the bytes that are there.
 * Source: Lib/pickletools.py of CPython, where every opcode is described.
 */
import { InputError } from '../../error.js'
import type { PickleBytes } from './pickle_bytes.js'

/** Of a list, a tuple (both arrays), a dict, a text, bytes, a number, or what a known global is or makes. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | Known

export type PickleDict = Map<PickleValue, PickleValue>

/** What a global stands for: something of its own (a type, a tensor), which may be one that can be called. */
export class Known {
  constructor(
    /** `module.name`, or what it is an instance of. */
    readonly name: string,
    readonly call?: (args: PickleValue[]) => PickleValue,
  ) {}
}

export interface PickleRules {
  /** What a global is, by `module.name`; undefined for one that is refused. */
  known(name: string): Known | undefined
  /** The object of a persistent id. */
  persistent(id: PickleValue): PickleValue
  /** What a file may hold, for errors. */
  readonly expected: string
}

/** Values that one pickle may push. */
const STEPS = 4_000_000
const HIGHEST_PROTOCOL = 5

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads one pickle; `bytes` is left behind its last byte. Throws an InputError that names the byte. */
export function unpickle(bytes: PickleBytes, rules: PickleRules): PickleValue {
  return new Machine(bytes, rules).run()
}

class Machine {
  private stack: PickleValue[] = []
  /** Heights of the stack at each mark. */
  private readonly marks: number[] = []
  private readonly memo = new Map<number, PickleValue>()

  constructor(
    private readonly bytes: PickleBytes,
    private readonly rules: PickleRules,
  ) {}

  run(): PickleValue {
    for (let steps = 0; ; steps++) {
      if (steps > STEPS) throw this.complaint(`more than ${STEPS} steps`)
      const at = this.bytes.position
      const opcode = this.bytes.byte()
      if (opcode === STOP) return this.pop()
      const act = OPCODES[opcode]
      if (act === undefined) throw this.complaint(`opcode 0x${opcode.toString(16).padStart(2, '0')}`, at)
      act(this, this.bytes)
    }
  }

  complaint(found: string, at = this.bytes.position): InputError {
    return new InputError({
      file: this.bytes.path,
      found: `${found} at byte ${at}`,
      expected: this.rules.expected,
    })
  }

  push(value: PickleValue): void {
    this.stack.push(value)
  }

  pop(): PickleValue {
    // what is below a mark belongs to what the mark began
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.complaint('a pickle whose stack is empty')
    return this.stack.pop() as PickleValue
  }

  top(): PickleValue {
    const value = this.pop()
    this.stack.push(value)
    return value
  }

  mark(): void {
    this.marks.push(this.stack.length)
  }

  /** What was pushed since the last mark. */
  sinceMark(): PickleValue[] {
    const height = this.marks.pop()
    if (height === undefined) throw this.complaint('a pickle without the mark that it wants')
    return this.stack.splice(height)
  }

  list(): PickleValue[] {
    const value = this.top()
    if (!Array.isArray(value)) throw this.complaint('items for what is no list')
    return value
  }

  setItems(items: PickleValue[]): void {
    const dict = this.top()
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.complaint('items for what is no dict')
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1])
  }

  dict(items: PickleValue[]): void {
    this.push(new Map())
    this.setItems(items)
  }

  remember(index: number): void {
    this.memo.set(index, this.top())
  }

  rememberNext(): void {
    this.remember(this.memo.size)
  }

  recall(index: number): void {
    if (!this.memo.has(index)) throw this.complaint(`memo ${index}, which nothing was put into`)
    this.push(this.memo.get(index) as PickleValue)
  }

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.complaint('a global whose name is no text')
    const full = `${module}.${name}`
    const known = this.rules.known(full)
    if (!known) throw this.complaint(`'${printable(full)}'`)
    this.push(known)
  }

  /** The value of a known global for these arguments, or a complaint. */
  reduce(): void {
    const args = this.pop()
    const callee = this.pop()
    if (!(callee instanceof Known) || callee.call === undefined)
      throw this.complaint(
        `a call of ${callee instanceof Known ? `'${callee.name}'` : 'something that is no function'}`,
      )
    if (!Array.isArray(args)) throw this.complaint(`a call of '${callee.name}' without a list of arguments`)
    try {
      this.push(callee.call(args))
    } catch (error) {
      if (error instanceof Unfit) throw this.complaint(`${error.message} in a call of '${callee.name}'`)
      throw error
    }
  }

  /** What is set on an OrderedDict (its `_metadata`) is of no use here; nothing else has attributes. */
  build(): void {
    this.pop()
    if (!(this.top() instanceof Map)) throw this.complaint('attributes of what is no dict')
  }

  persistent(): void {
    const id = this.pop()
    try {
      this.push(this.rules.persistent(id))
    } catch (error) {
      if (error instanceof Unfit) throw this.complaint(error.message)
      throw error
    }
  }
}

/** What rules throw where arguments make no sense; becomes an InputError with file and byte. */
export class Unfit extends Error {}

/** A text of the file as it may stand in a message. */
export function printable(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}...` : text
  return JSON.stringify(short).slice(1, -1)
}

type Action = (machine: Machine, bytes: PickleBytes) => void

const STOP = 0x2e

/** Numbers as text, of protocol 0. */
function numberLine(machine: Machine, bytes: PickleBytes, pattern: RegExp): string {
  const text = bytes.line()
  if (text.length > 400 || !pattern.test(text)) throw machine.complaint(`number '${printable(text)}'`)
  return text
}

/** A little-endian two's complement integer of any length. */
function long(machine: Machine, length: number, bytes: PickleBytes): number | bigint {
  if (length > 255) throw machine.complaint(`an integer of ${length} bytes`)
  let value = 0n
  const digits = bytes.take(length)
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i])
  if (length > 0 && digits[length - 1] & 0x80) value -= 1n << BigInt(8 * length)
  return narrow(value)
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function text(machine: Machine, bytes: PickleBytes, length: number): string {
  const at = bytes.position
  try {
    return utf8.decode(bytes.take(length))
  } catch (error) {
    if (error instanceof TypeError) throw machine.complaint('a text that is no UTF-8', at)
    throw error
  }
}

/** Bytes that Python 2 wrote as text. */
function latin(bytes: PickleBytes, length: number): string {
  return Buffer.from(bytes.take(length)).toString('latin1')
}

function textLine(machine: Machine, bytes: PickleBytes): string {
  const line = bytes.line()
  if (line.includes('\\')) throw machine.complaint(`a text with escapes, '${printable(line)}'`)
  return line
}

function quotedLine(machine: Machine, bytes: PickleBytes): string {
  const line = textLine(machine, bytes)
  const [, , inner] = /^(['"])(.*)\1$/.exec(line) ?? []
  if (inner === undefined) throw machine.complaint(`text '${printable(line)}' without quotes`)
  return inner
}

const INTEGER = /^[+-]?\d+$/
const INTEGER_L = /^[+-]?\d+L?$/
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?(nan|inf)$/i

function float(line: string): number {
  if (/nan/i.test(line)) return Number.NaN
  if (/inf/i.test(line)) return line.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return Number(line)
}

function lastOf(machine: Machine, count: number): PickleValue[] {
  const items: PickleValue[] = []
  for (let i = 0; i < count; i++) items.unshift(machine.pop())
  return items
}

/** What each opcode does, by its byte; any other is refused. */
const OPCODES: Readonly<Record<number, Action>> = {
  // stack
  40: (m) => m.mark(),
  48: (m) => void m.pop(),
  49: (m) => void m.sinceMark(),
  50: (m) => m.push(m.top()),
  // memo: as text, of 1 byte, of 4 bytes, the next
  103: (m, b) => m.recall(Number(numberLine(m, b, INTEGER))),
  104: (m, b) => m.recall(b.byte()),
  106: (m, b) => m.recall(b.unsigned(4)),
  112: (m, b) => m.remember(Number(numberLine(m, b, INTEGER))),
  113: (m, b) => m.remember(b.byte()),
  114: (m, b) => m.remember(b.unsigned(4)),
  148: (m) => m.rememberNext(),
  // none, truth and numbers
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  73: (m, b) => {
    const line = numberLine(m, b, INTEGER)
    m.push(line === '01' ? true : line === '00' ? false : narrow(BigInt(line)))
  },
  74: (m, b) => m.push(b.unsigned(4) | 0),
  75: (m, b) => m.push(b.byte()),
  77: (m, b) => m.push(b.unsigned(2)),
  76: (m, b) => m.push(narrow(BigInt(numberLine(m, b, INTEGER_L).replace('L', '')))),
  138: (m, b) => m.push(long(m, b.byte(), b)),
  139: (m, b) => m.push(long(m, b.unsigned(4), b)),
  70: (m, b) => m.push(float(numberLine(m, b, FLOAT))),
  71: (m, b) => m.push(b.double()),
  // texts and bytes
  83: (m, b) => m.push(quotedLine(m, b)),
  84: (m, b) => m.push(latin(b, b.unsigned(4))),
  85: (m, b) => m.push(latin(b, b.byte())),
  86: (m, b) => m.push(textLine(m, b)),
  88: (m, b) => m.push(text(m, b, b.unsigned(4))),
  140: (m, b) => m.push(text(m, b, b.byte())),
  141: (m, b) => m.push(text(m, b, b.unsigned(8))),
  66: (m, b) => m.push(b.take(b.unsigned(4))),
  67: (m, b) => m.push(b.take(b.byte())),
  142: (m, b) => m.push(b.take(b.unsigned(8))),
  // lists, tuples, dicts
  93: (m) => m.push([]),
  108: (m) => m.push(m.sinceMark()),
  97: (m) => {
    const item = m.pop()
    m.list().push(item)
  },
  101: (m) => {
    const items = m.sinceMark()
    const list = m.list()
    for (const item of items) list.push(item)
  },
  41: (m) => m.push([]),
  116: (m) => m.push(m.sinceMark()),
  133: (m) => m.push(lastOf(m, 1)),
  134: (m) => m.push(lastOf(m, 2)),
  135: (m) => m.push(lastOf(m, 3)),
  125: (m) => m.push(new Map()),
  100: (m) => m.dict(m.sinceMark()),
  115: (m) => {
    const items = lastOf(m, 2)
    m.setItems(items)
  },
  117: (m) => m.setItems(m.sinceMark()),
  // globals, calls, attributes, persistent ids
  99: (m, b) => {
    const module = b.line()
    m.global(module, b.line())
  },
  147: (m) => {
    const [module, name] = lastOf(m, 2)
    m.global(module, name)
  },
  82: (m) => m.reduce(),
  129: (m) => m.reduce(),
  98: (m) => m.build(),
  81: (m) => m.persistent(),
  // protocol, and frames, which only help a reader to read ahead
  128: (m, b) => {
    const version = b.byte()
    if (version > HIGHEST_PROTOCOL) throw m.complaint(`pickle protocol ${version}`)
  },
  149: (_, b) => void b.take(8),
}
