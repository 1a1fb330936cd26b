/** Files that are made to do harm: memory and time stay in proportion, whatever stands in them; and 2,000 mutated ones. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type XmlDefect, type XmlOptions, type XmlRecord, XmlRecords } from '../../../src/data/files/xml.js'
import { fuzz, fuzzCount } from '../../support/fuzz.js'
import { readXml } from '../../support/xml_records.js'

const test = suite('data/files/xml_hostile')
const names: XmlOptions = { records: ['A'] }

function defects(found: readonly (XmlRecord | XmlDefect)[]): XmlDefect[] {
  return found.filter((record) => record.kind === 'defect')
}

test('memory stays flat over many records, an endless element and an endless document type', () => {
  const block = Buffer.from(`<A>${'<b>some text of a record</b>'.repeat(200)}</A>`.repeat(20))
  const long = Buffer.from('no end of this text '.repeat(50_000))
  const feed = (head: string, part: Buffer, times: number): { count: number; grown: number } => {
    const records = new XmlRecords(names)
    let count = records.write(Buffer.from(head)).length
    const before = process.memoryUsage.rss()
    let most = before
    for (let i = 0; i < times; i++) {
      count += records.write(part).length
      most = Math.max(most, process.memoryUsage.rss())
    }
    return { count: count + records.end().length, grown: most - before }
  }
  const many = feed('<S>', block, 200)
  assert.is(many.count, 20 * 200 + 1)
  assert.ok(many.grown < 150e6, `records: ${many.grown}`)
  for (const head of ['<S><A>', '<S><A b="', '<S><A><!-- ', '<!DOCTYPE S [', '<S><!-- ', '']) {
    const { count, grown } = feed(head, long, 40)
    assert.is(count, 1, head)
    assert.ok(grown < 300e6, `${head}: ${grown}`)
  }
})

test('a flood of starts, of ends that are none or of broken records takes time in proportion', () => {
  for (const unit of [
    '<A>',
    '<A><!--</A>',
    '<A><![CDATA[</A>',
    '<A>&</A>',
    '<A><s><x></s></A>',
    '<AB/>',
    '<A><s><s>',
  ]) {
    const time = (count: number): number => {
      const { user } = process.cpuUsage()
      for (const end of ['', '</A>'])
        readXml(`<S>${unit.repeat(count)}${end}`, { records: ['A'], skip: ['s'] })
      return process.cpuUsage().user - user
    }
    time(200)
    const [short, longer] = [Math.min(time(300), time(300)), Math.min(time(2_400), time(2_400))]
    // 8 where it is linear, 64 where it is not
    assert.ok(longer < 28 * short + 20_000, `${unit}: ${short} and ${longer} us`)
  }
})

test('mutated files end in records and defects', async () => {
  const seeds = [
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE S [<!ENTITY a "b">]>\n<S><A i="1">x<b>y</b>&amp;&#65;</A><!-- c --><A><![CDATA[z]]><s>w</s></A></S>\n',
    Buffer.from('\ufeff<S><A>é𝛼</A></S>', 'utf16le'),
    Buffer.from('<?xml version="1.0" encoding="latin1"?><S><A>caf\xe9</A></S>', 'latin1'),
  ]
  const dictionary = [
    '<A>',
    '</A>',
    '<A/>',
    '<s>',
    '</s>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '&',
    ';',
    '<?',
    '?>',
    '<!DOCTYPE',
    '"',
    '<S>',
    '</S>',
  ]
  const options = { records: ['A'], skip: ['s'], limits: { record: 4096 } }
  let elements = 0
  const { cases } = await fuzz({
    seeds,
    dictionary,
    count: fuzzCount(2_000),
    run: (bytes, k) => {
      const found = readXml(bytes, options, k % 3 === 0 ? 5 : undefined)
      elements += found.length - defects(found).length
      for (const { byte } of found) if (!(byte >= 0 && byte <= bytes.length)) throw new Error(`byte ${byte}`)
      if (k % 20 === 0 && JSON.stringify(readXml(bytes, options, 1)) !== JSON.stringify(found))
        throw new Error('cut by cut')
    },
  })
  assert.ok(elements > cases / 4, `${elements} records`)
})

test.run()
