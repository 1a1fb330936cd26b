/**
 * Python's pickle, protocols 1 to 5, read without running anything: the stack machine makes numbers, texts, lists, dicts and
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
      const act = OPCODES.get(opcode)
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

function lastOf(machine: Machine, count: number): PickleValue[] {
  const items: PickleValue[] = []
  for (let i = 0; i < count; i++) items.unshift(machine.pop())
  return items
}

/** What opcodes do, with their names in pickletools; any other is refused. */
const ACTIONS: readonly [opcode: number, name: string, action: Action][] = [
  // stack
  [0x28, 'MARK', (m) => m.mark()],
  [0x30, 'POP', (m) => void m.pop()],
  [0x31, 'POP_MARK', (m) => void m.sinceMark()],
  [0x32, 'DUP', (m) => m.push(m.top())],
  // memo
  [0x68, 'BINGET', (m, b) => m.recall(b.byte())],
  [0x6a, 'LONG_BINGET', (m, b) => m.recall(b.unsigned(4))],
  [0x71, 'BINPUT', (m, b) => m.remember(b.byte())],
  [0x72, 'LONG_BINPUT', (m, b) => m.remember(b.unsigned(4))],
  [0x94, 'MEMOIZE', (m) => m.rememberNext()],
  // none, truth and numbers; INT is what Python 2 writes past 32 bits
  [0x4e, 'NONE', (m) => m.push(null)],
  [0x88, 'NEWTRUE', (m) => m.push(true)],
  [0x89, 'NEWFALSE', (m) => m.push(false)],
  [
    0x49,
    'INT',
    (m, b) => {
      const line = b.line()
      if (!/^[+-]?\d{1,40}$/.test(line)) throw m.complaint(`number '${printable(line)}'`)
      m.push(line === '01' ? true : line === '00' ? false : narrow(BigInt(line)))
    },
  ],
  [0x4a, 'BININT', (m, b) => m.push(b.unsigned(4) | 0)],
  [0x4b, 'BININT1', (m, b) => m.push(b.byte())],
  [0x4d, 'BININT2', (m, b) => m.push(b.unsigned(2))],
  [0x8a, 'LONG1', (m, b) => m.push(long(m, b.byte(), b))],
  [0x8b, 'LONG4', (m, b) => m.push(long(m, b.unsigned(4), b))],
  [0x47, 'BINFLOAT', (m, b) => m.push(b.double())],
  // texts and bytes
  [0x54, 'BINSTRING', (m, b) => m.push(latin(b, b.unsigned(4)))],
  [0x55, 'SHORT_BINSTRING', (m, b) => m.push(latin(b, b.byte()))],
  [0x58, 'BINUNICODE', (m, b) => m.push(text(m, b, b.unsigned(4)))],
  [0x8c, 'SHORT_BINUNICODE', (m, b) => m.push(text(m, b, b.byte()))],
  [0x8d, 'BINUNICODE8', (m, b) => m.push(text(m, b, b.unsigned(8)))],
  [0x42, 'BINBYTES', (m, b) => m.push(b.take(b.unsigned(4)))],
  [0x43, 'SHORT_BINBYTES', (m, b) => m.push(b.take(b.byte()))],
  [0x8e, 'BINBYTES8', (m, b) => m.push(b.take(b.unsigned(8)))],
  // lists, tuples, dicts
  [0x5d, 'EMPTY_LIST', (m) => m.push([])],
  [0x6c, 'LIST', (m) => m.push(m.sinceMark())],
  [
    0x61,
    'APPEND',
    (m) => {
      const item = m.pop()
      m.list().push(item)
    },
  ],
  [
    0x65,
    'APPENDS',
    (m) => {
      const items = m.sinceMark()
      const list = m.list()
      for (const item of items) list.push(item)
    },
  ],
  [0x29, 'EMPTY_TUPLE', (m) => m.push([])],
  [0x74, 'TUPLE', (m) => m.push(m.sinceMark())],
  [0x85, 'TUPLE1', (m) => m.push(lastOf(m, 1))],
  [0x86, 'TUPLE2', (m) => m.push(lastOf(m, 2))],
  [0x87, 'TUPLE3', (m) => m.push(lastOf(m, 3))],
  [0x7d, 'EMPTY_DICT', (m) => m.push(new Map())],
  [0x64, 'DICT', (m) => m.dict(m.sinceMark())],
  [
    0x73,
    'SETITEM',
    (m) => {
      const items = lastOf(m, 2)
      m.setItems(items)
    },
  ],
  [0x75, 'SETITEMS', (m) => m.setItems(m.sinceMark())],
  // globals, calls, attributes, persistent ids
  [
    0x63,
    'GLOBAL',
    (m, b) => {
      const module = b.line()
      m.global(module, b.line())
    },
  ],
  [
    0x93,
    'STACK_GLOBAL',
    (m) => {
      const [module, name] = lastOf(m, 2)
      m.global(module, name)
    },
  ],
  [0x52, 'REDUCE', (m) => m.reduce()],
  [0x81, 'NEWOBJ', (m) => m.reduce()],
  [0x62, 'BUILD', (m) => m.build()],
  [0x51, 'BINPERSID', (m) => m.persistent()],
  // protocol, and frames, which only help a reader to read ahead
  [
    0x80,
    'PROTO',
    (m, b) => {
      const version = b.byte()
      if (version > HIGHEST_PROTOCOL) throw m.complaint(`pickle protocol ${version}`)
    },
  ],
  [0x95, 'FRAME', (_, b) => void b.take(8)],
]
const OPCODES = new Map(ACTIONS.map(([opcode, , action]) => [opcode, action]))
