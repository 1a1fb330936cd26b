/**
 * Records of XML: the right trees however the bytes are cut; one bad record costs one record, with the byte of its defect; entities,
 * encodings, limits; nothing expanded, nothing fetched, memory flat.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type XmlDefect,
  type XmlElement,
  type XmlOptions,
  type XmlRecord,
  xmlChild,
  xmlChildren,
  xmlText,
} from '../../../src/data/files/xml.js'
import { random } from '../../support/random.js'
import { readXml } from '../../support/xml_records.js'

const test = suite('data/files/xml')
const names: XmlOptions = { records: ['A'] }

/** `TEXT@BYTE` of records, `reason@BYTE` of defects. */
function brief(found: readonly (XmlRecord | XmlDefect)[]): string {
  return found
    .map((record) =>
      record.kind === 'element'
        ? `${xmlText(record.element)}@${record.byte}`
        : `<${record.reason}>@${record.byte}`,
    )
    .join(' ')
}

function defects(found: readonly (XmlRecord | XmlDefect)[]): XmlDefect[] {
  return found.filter((record) => record.kind === 'defect')
}

function one(bytes: Uint8Array | string, options = names): XmlElement {
  const found = readXml(bytes, options)
  assert.is(found.length, 1, brief(found))
  const [record] = found
  if (record.kind === 'defect') throw new Error(record.detail)
  return record.element
}

test('a record is a tree of elements, attributes and texts', () => {
  const a = one('<S><A id="7" x:y=\'"\'>one<b>two</b><!-- no --> three<?no?><c/><![CDATA[<4>&]]>5</A></S>')
  assert.equal({ ...a.attributes }, { id: '7', 'x:y': '"' })
  assert.equal(
    a.children.map((child) => (typeof child === 'string' ? child : child.name)),
    ['one', 'b', ' three', 'c', '<4>&5'],
  )
  assert.is(xmlText(a), 'onetwo three<4>&5')
  assert.equal(xmlChild(a, 'c')?.children, [])
  assert.is(xmlChild(a, 'd'), undefined)
  assert.equal(
    xmlChildren(a).map(({ name }) => name),
    ['b', 'c'],
  )
})

test('records are those of the given names, at any depth, empty ones too', () => {
  const text = '<S><x><A>1</A></x><AB>no</AB>no<A/><B>2<A>3</A></B ></S>'
  assert.is(brief(readXml(text, { records: ['A', 'B'] })), '1@6 @31 23@35')
})

test('comments, CDATA, instructions and attributes may hold what looks like tags of records', () => {
  const text = `<!DOCTYPE S [<!ENTITY e "<A>">]><!-- <A>no</A> --><?p <A> ?><S t="a>b"><A n="x>y">1<!-- </A> --><![CDATA[<A></A>]]></A><A>2</A></S>`
  assert.is(brief(readXml(text)), `1<A></A>@${text.indexOf('<A n')} 2@${text.indexOf('<A>2')}`)
})

test('one bad record costs one record, and its defect has its byte', () => {
  const bad: [record: string, at: number, detail: RegExp][] = [
    ['<A><b>x</A>', 11, /found "<A><b>x<\/A>" \(unexpected close tag\), expected well-formed XML/],
    ['<A>x', 7, /a A inside another/],
    ['<A b=1>x</A>', 6, /unquoted attribute value/],
    ['<A b="1" b="2">x</A>', 15, /duplicate attribute/],
    ['<A>&nosuch;</A>', 11, /undefined entity/],
    ['<A>&#0;</A>', 7, /malformed character entity/],
    ['<A>x & y</A>', 12, /found <\/A> in a comment, CDATA section or entity that does not end/],
    ['<A>x<!-- y</A>', 14, /that does not end/],
    ['<A>x<![CDATA[y</A>', 18, /that does not end/],
    ['<A>x<b</A>', 7, /disallowed character in tag name/],
    ['<A>x\u0001</A>', 5, /disallowed character/],
    ['<A>x]]></A>', 7, /"]]>" is disallowed/],
    ['<A>x</b></A>', 8, /unexpected close tag/],
  ]
  for (const [record, at, detail] of bad) {
    const head = '<S>\n<A>é</A>'
    const found = readXml(`${head}${record}<A>2</A><A>3&lt;</A>\n</S>`)
    const start = Buffer.byteLength(head)
    const next = start + record.length
    assert.is(brief(found), `é@4 <broken>@${start + at} 2@${next} 3<@${next + 8}`, record)
    assert.match(defects(found)[0].detail, detail)
    assert.is(defects(found)[0].name, 'A')
  }
})

test('a byte that is not UTF-8 costs its record and is named', () => {
  const text = '<S><A>\xc3\xa9 1</A><A>caf\xe9</A><A>\xe2\x82</A><A>4</A></S>'
  const found = readXml(Buffer.from(text, 'latin1'))
  const [second, third, last] = ['\xe9</A>', '\xe2', '<A>4'].map((part) => text.indexOf(part))
  assert.is(brief(found), `é 1@3 <broken>@${second} <broken>@${third} 4@${last}`)
  assert.match(defects(found)[0].detail, /found the byte E9, expected UTF-8/)
})

test('a file that breaks off names the byte, inside a record and between two', () => {
  for (const [text, byte, detail] of [
    ['<S><A>1</A><A>2</', 17, /the end of the file, expected <\/A>/],
    ['<S><A>1</A><A>2', 15, /the end of the file, expected <\/A>/],
    ['<S><A>1</A><A', 13, /the end of the file, expected <\/S>|<\/A>/],
    ['<S><A>1</A>\n', 12, /the end of the file, expected <\/S>/],
  ] as const) {
    const found = readXml(text)
    assert.is(found[0].kind, 'element')
    const last = defects(found).at(-1)
    assert.is(last?.byte, byte, `${text}: ${brief(found)}`)
    assert.match(last?.detail ?? '', detail)
  }
})

test('what is not XML is one defect, and an empty file none', () => {
  assert.is(brief(readXml('title\tabstract\nnot XML at all\n')), '<broken>@0')
  assert.match(defects(readXml('title\n'))[0].detail, /text data outside of root node/)
  assert.is(brief(readXml('')), '')
  assert.is(brief(readXml(' \n')), '')
  assert.is(brief(readXml(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0]))), '<broken>@0')
})

test('after a defect between records those that follow are still found', () => {
  assert.is(brief(readXml('<S><A>1</A></T><A>2</A><A><A>3</A></S>')), '1@3 <broken>@11 2@15 <broken>@29 3@26')
})

test('documents put one after the other are read on, declarations and all', () => {
  const document = (n: number): string => `<?xml version="1.0"?>\n<!DOCTYPE A>\n<A>${n}</A>\n`
  assert.is(brief(readXml(document(1) + document(2) + document(3))), '1@35 2@79 3@123')
  assert.is(brief(readXml('<S><A>1</A></S>\n<?xml version="1.0"?><S><A>2</A></S>')), '1@3 2@40')
})

test('entities of XML and HTML and characters by number are resolved, and what they give is text', () => {
  const a = one(
    '<A b="&lt;&alpha;">&amp;lt;&lt;b&gt;&quot;&apos;&alpha;&Eacute;&plusmn;&nbsp;&ap;&#945;&#x1D7D8;&acy;</A>',
  )
  assert.is(xmlText(a), '&lt;<b>"\'αÉ±\u00a0≈α𝟘а')
  assert.is(a.attributes.b, '<α')
  for (const name of ['constructor', '__proto__', 'toString', 'valueOf', 'Alpha2', 'alph'])
    assert.is(brief(readXml(`<S><A>&${name};</A><A>2</A></S>`)).split(' ').length, 2, name)
})

test('entities of the document are not expanded, and external ones are not read', () => {
  const laughs = Array.from({ length: 30 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join(
    '',
  )
  const text = `<!DOCTYPE S SYSTEM "file:///etc/passwd" [<!ENTITY l0 "ha">${laughs}<!ENTITY alpha "evil"><!ENTITY x SYSTEM "file:///etc/passwd">%x;]>
<S><A>&l30;</A><A>&x;</A><A>&alpha;</A></S>`
  const found = readXml(text)
  assert.equal(
    found.map((record) =>
      record.kind === 'element' ? xmlText(record.element) : record.detail.split(/[()]/)[1],
    ),
    ['undefined entity', 'undefined entity', 'α'],
  )
})

test('UTF-8 with a mark, UTF-16 and latin-1 give the same texts, and bytes of the file', () => {
  const body = '<S>\n<A>café 𝛼 – β</A><A>&#8211;</A></S>'
  const texts = 'café 𝛼 – β –'
  const check = (bytes: Buffer, first: number): void => {
    for (const step of [Number.POSITIVE_INFINITY, 1, 3]) {
      const found = readXml(bytes, names, step)
      assert.is(
        found
          .map((record) => (record.kind === 'element' ? xmlText(record.element) : record.detail))
          .join(' '),
        texts,
      )
      assert.is(found[0].byte, first)
    }
  }
  check(Buffer.from(`\ufeff${body}`), 7)
  const wide = `<?xml version="1.0" encoding="UTF-16"?>${body}`
  const little = Buffer.from(`\ufeff${wide}`, 'utf16le')
  check(little, 88)
  check(Buffer.from(little).swap16(), 88)
  check(Buffer.from(wide, 'utf16le'), 86)
  const declared = `<?xml version='1.0' encoding='ISO-8859-1'?>`
  const narrow = Buffer.from(`${declared}<S><A>na\xefve</A><A>\x80</A></S>`, 'latin1')
  assert.is(brief(readXml(narrow)), `naïve@${declared.length + 3} €@${declared.length + 15}`)
  assert.is(
    brief(readXml(Buffer.from(narrow), names, 1)),
    `naïve@${declared.length + 3} €@${declared.length + 15}`,
  )
})

test('half a pair of UTF-16 costs its record', () => {
  const text = '\ufeff<S><A>1</A><A>x\ud835y</A><A>𝛼</A></S>'
  for (const step of [100, 1]) {
    const found = readXml(Buffer.from(text, 'utf16le'), names, step)
    assert.is(brief(found), '1@8 <broken>@32 𝛼@44')
  }
})

test('other encodings are refused by name', () => {
  for (const [bytes, name] of [
    [
      Buffer.from('<?xml version="1.0" encoding="EUC-JP"?><S><A>1</A></S>'),
      /found the encoding "EUC-JP", expected UTF-8, UTF-16/,
    ],
    [Buffer.from([0xff, 0xfe, 0, 0, 0x3c, 0, 0, 0]), /UTF-32/],
    [Buffer.from([0x4c, 0x6f, 0xa7, 0x94, 0x93]), /EBCDIC/],
    [Buffer.from('<?xml version="1.0" encoding="__proto__"?><A/>'), /"__proto__"/],
  ] as const) {
    const found = readXml(bytes)
    assert.is(brief(found), '<broken>@0')
    assert.match(defects(found)[0].detail, name)
  }
})

test('what is skipped is neither given nor checked, and what looks like it elsewhere is not skipped', () => {
  const options = { records: ['A'], skip: ['b', 'c'] }
  const a = one(
    '<S><A>1<b x="1">no <i>bad</b>2<bb>3</bb><!-- <b> --><![CDATA[<b>]]><c/>4<c>no</c></A></S>',
    options,
  )
  assert.is(xmlText(a), '123<b>4')
  const whole = '<A>1<b><!-- </b> --></b>2</A>'
  assert.is(brief(readXml(whole, options)), '12@0')
  assert.is(brief(readXml('<S><A>1<b>never closed</A><A>2</A></S>', options)), '<broken>@26 2@26')
})

test('limits: a record beyond one is dropped as too large, and the next is read', () => {
  const after = '<A>after</A></S>'
  const limits = { record: 1000, depth: 4, elements: 10, attributes: 3, value: 20 }
  const cases: [string, RegExp][] = [
    [`<A>${'long '.repeat(1000)}</A>`, /more than 1000 bytes/],
    ['<A><b><b><b><b>1</b></b></b></b></A>', /more than 4 elements inside/],
    [`<A>${'<b/>'.repeat(10)}</A>`, /more than 10 elements/],
    ['<A a="" b="" c="" d="">1</A>', /more than 3 attributes/],
    [`<A a="${'x'.repeat(21)}">1</A>`, /more than 20 characters/],
  ]
  for (const [record, detail] of cases) {
    const found = readXml(`<S>${record}${after}`, { ...names, limits })
    assert.is(found.length, 2, brief(found))
    assert.is(defects(found)[0].reason, 'too_large')
    assert.match(defects(found)[0].detail, detail)
    assert.is(brief(found.slice(1)), `after@${3 + record.length}`)
    assert.is(brief(readXml(`<S>${record}${after}`, { ...names, limits }, 1)), brief(found))
  }
})

test('records are the same however the bytes are cut', () => {
  const r = random(11)
  const pieces = [
    '<A>1</A>',
    '<A b="x>y">é𝛼<b>2</b></A>',
    '<A><b></A>',
    '<A>&',
    '<A>x & y</A>',
    '<!-- <A> -->',
    '<A><!-- </A> -->3</A>',
    '<A><![CDATA[</A>]]></A>',
    '</x>',
    '<A/>',
    '<x>',
    'text',
    '<B>4<A>5</A></B>',
    '</A>',
    '<A>&alpha;\r\n</A >',
    '<A><s>skip</s>6</A>',
    '\xff',
    '<A>',
    '<![CDATA[',
    '-->',
    '<?p ?>',
    '<A b="',
    `<A>${'y'.repeat(90)}</A>`,
  ]
  const options = { records: ['A', 'B'], skip: ['s'], limits: { record: 80 } }
  let records = 0
  for (let k = 0; k < 400; k++) {
    const bytes = Buffer.concat(
      Array.from({ length: 1 + r.integer(12) }, () => {
        const piece = r.pick(pieces)
        return piece === '\xff' ? Buffer.from([0xff]) : Buffer.from(piece)
      }),
    )
    const start = Buffer.from(r.uniform() < 0.7 ? '<S>' : '')
    const text = Buffer.concat([start, bytes, Buffer.from(r.uniform() < 0.5 ? '</S>' : '')])
    const whole = JSON.stringify(readXml(text, options))
    for (const step of [1, 2, 7, 64])
      assert.is(
        JSON.stringify(readXml(text, options, step)),
        whole,
        `${JSON.stringify(text.toString())} by ${step}`,
      )
    records += (whole.match(/"element"/g) ?? []).length
  }
  assert.ok(records > 300, `${records}`)
})

test.run()
