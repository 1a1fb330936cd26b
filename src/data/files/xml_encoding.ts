/**
 * The bytes of an XML file as UTF-8, whatever they were: by byte order mark, by the declaration (`<?xml encoding="..."?>`), else
 * UTF-8. UTF-8 goes through untouched and unchecked (the records are checked one by one, so that a bad byte costs one record);
 * UTF-16 and windows-1252 (what latin-1 means to everyone since the web) are rewritten. Other encodings are refused by name.
 * A lone surrogate becomes the byte FF, which no UTF-8 holds. For positions: bytes of the source for a UTF-16 unit.
 */

/** One encoding's rewriting; `width` is the bytes of a UTF-16 unit in the source, none where the bytes are UTF-8 already. */
interface Rewriting {
  readonly width?: 1 | 2
  write(bytes: Uint8Array): Uint8Array
  end(): Uint8Array
}

const identity: Rewriting = { write: (bytes) => bytes, end: () => new Uint8Array(0) }
/** Longer declarations do not exist; without an end by then there is none. */
const DECLARATION = 512

const names: Record<string, 'utf-8' | 'windows-1252'> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'us-ascii': 'utf-8',
  ascii: 'utf-8',
  // said in ASCII, so it is not: an editor has converted the file and left the word
  'utf-16': 'utf-8',
  'iso-8859-1': 'windows-1252',
  'iso_8859-1': 'windows-1252',
  'latin-1': 'windows-1252',
  latin1: 'windows-1252',
  'windows-1252': 'windows-1252',
  cp1252: 'windows-1252',
}

export class XmlEncoding {
  #head: Buffer | undefined = Buffer.alloc(0)
  #rewriting: Rewriting = identity
  /** Bytes of the byte order mark, known once something was written. */
  mark = 0
  /** Why nothing is read: the encoding that was found and those that are read. */
  refused: string | undefined

  /** Bytes of the source for a UTF-16 unit of the text; undefined: the bytes are the source's. */
  get width(): 1 | 2 | undefined {
    return this.#rewriting.width
  }

  write(bytes: Uint8Array): Uint8Array {
    if (this.#head === undefined) return this.#rewriting.write(bytes)
    this.#head = Buffer.concat([this.#head, bytes])
    return this.#decided(false) ? this.#begin() : new Uint8Array(0)
  }

  end(): Uint8Array {
    const begun = this.#head !== undefined && this.#decided(true) ? this.#begin() : new Uint8Array(0)
    return Buffer.concat([begun, this.#rewriting.end()])
  }

  #begin(): Uint8Array {
    const head = this.#head ?? Buffer.alloc(0)
    this.#head = undefined
    return this.refused === undefined ? this.#rewriting.write(head.subarray(this.mark)) : new Uint8Array(0)
  }

  /** Whether the encoding is known by now; it must be at the end. */
  #decided(ended: boolean): boolean {
    const head = this.#head ?? Buffer.alloc(0)
    if (head.length < 4 && !ended) return false
    const first = head.subarray(0, 4).toString('hex')
    const wide = first.startsWith('0000feff') || first.startsWith('fffe0000')
    if (wide || first === '0000003c' || first === '3c000000') this.#refuse('UTF-32')
    else if (first === '4c6fa794') this.#refuse('EBCDIC')
    else if (first.startsWith('feff')) this.#take(utf16('be'), 2)
    else if (first.startsWith('fffe')) this.#take(utf16('le'), 2)
    else if (first.startsWith('003c')) this.#take(utf16('be'), 0)
    else if (first.startsWith('3c00')) this.#take(utf16('le'), 0)
    else return this.#declared(head, first.startsWith('efbbbf') ? 3 : 0, ended)
    return true
  }

  #declared(head: Buffer, mark: number, ended: boolean): boolean {
    this.mark = mark
    const text = head.subarray(mark, mark + DECLARATION).toString('latin1')
    if (!'<?xml'.startsWith(text.slice(0, 5))) return true
    const end = text.indexOf('?>')
    if (end === -1 && !ended && text.length < DECLARATION) return false
    const word = /\sencoding\s*=\s*["']([^"']*)["']/.exec(text.slice(0, end === -1 ? undefined : end))?.[1]
    // a mark of UTF-8 says more than the word
    if (word === undefined || mark === 3) return true
    const known = Object.hasOwn(names, word.toLowerCase()) ? names[word.toLowerCase()] : undefined
    if (known === undefined) this.#refuse(JSON.stringify(word.slice(0, 40)))
    else if (known === 'windows-1252') this.#rewriting = windows1252()
    return true
  }

  #take(rewriting: Rewriting, mark: number): void {
    this.#rewriting = rewriting
    this.mark = mark
  }

  #refuse(found: string): void {
    this.refused = `found the encoding ${found}, expected UTF-8, UTF-16, ISO-8859-1 or windows-1252`
    this.#rewriting = { write: () => new Uint8Array(0), end: () => new Uint8Array(0) }
  }
}

/** 80 to 9F. Not by TextDecoder: Node 20 takes latin-1 for it. */
const upper =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178'

function windows1252(): Rewriting {
  const write = (bytes: Uint8Array): Uint8Array => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    return Buffer.from(text.replace(/[\x80-\x9f]/g, (char) => upper[char.charCodeAt(0) - 0x80]))
  }
  return { width: 1, write, end: () => new Uint8Array(0) }
}

function utf16(order: 'le' | 'be'): Rewriting {
  let carried = Buffer.alloc(0)
  const write = (bytes: Uint8Array, ended: boolean): Uint8Array => {
    const all = Buffer.concat([carried, bytes])
    let whole = all.length & ~1
    // half a pair waits for the other half
    const high = whole > 0 ? all[whole - (order === 'le' ? 1 : 2)] : 0
    if (!ended && high >= 0xd8 && high <= 0xdb) whole -= 2
    carried = Buffer.from(all.subarray(whole))
    const units = all.subarray(0, whole)
    if (order === 'be') units.swap16()
    const text = units.toString('utf16le')
    return lone.test(text) ? marked(text) : Buffer.from(text)
  }
  return {
    width: 2,
    write: (bytes) => write(bytes, false),
    end: () => {
      const rest = write(new Uint8Array(0), true)
      return carried.length > 0 ? Buffer.concat([rest, Buffer.from([0xff])]) : rest
    },
  }
}

const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

function marked(text: string): Uint8Array {
  const parts = text.split(lone)
  return Buffer.concat(
    parts.flatMap((part, i) => (i === 0 ? [Buffer.from(part)] : [Buffer.from([0xff]), Buffer.from(part)])),
  )
}
