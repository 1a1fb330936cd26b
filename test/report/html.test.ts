/** Templates escape whatever is put in; what cannot be seen is shown. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { clean, Html, html, shorten } from '../../src/report/html.js'
import { duration, percent, points, short } from '../../src/report/numbers.js'
import { commandLine } from '../../src/report/sections/origin.js'

const test = suite('html of reports')

test('text is escaped wherever it stands, Html is not, lists are joined', () => {
  const hostile = `"><script>alert('1')</script>&amp;`
  assert.is(
    html`<p title="${hostile}">${hostile}</p>`.text,
    '<p title="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;">&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;</p>',
  )
  assert.is(html`${html`<b>${'<'}</b>`}${['a', '<', html`<i>`]}${3}`.text, '<b>&lt;</b>a&lt;<i>3')
  assert.is(html`${undefined}${null}${false}${''}${0}`.text, '0')
  assert.ok(html`x` instanceof Html)
})

test('controls, overrides of the direction and halves of characters are shown by their code points', () => {
  assert.is(
    clean('a\u202eb\u0000\u001b[31m\u0085\ud800c\ufeff'),
    'a[U+202E]b[U+0000][U+001B][31m[U+0085][U+D800]c[U+FEFF]',
  )
  assert.is(clean('\u2066x\u2069\u{e0041}\u200b'), '[U+2066]x[U+2069][U+E0041][U+200B]')
  const plain = 'β-catenin\tשלום\n日本 👩‍⚕️ e\u0301'
  assert.is(clean(plain), plain)
  assert.is(html`${'\u202e<'}`.text, '[U+202E]&lt;')
})

test('a long name keeps its ends', () => {
  assert.is(shorten('abcdefghij', 5), 'ab…ij')
  assert.is(shorten('abcde', 5), 'abcde')
  assert.is([...shorten('👩'.repeat(100), 9)].length, 9)
})

test('numbers for people: percent, points with their sign, a dash for what is not there', () => {
  assert.is(percent(0.80213), '80.21')
  assert.is(percent(-0.5), '−50.00')
  assert.is(percent(-0.000001), '0.00')
  assert.is(percent(null), '–')
  assert.is(percent(Number.NaN), '–')
  assert.is(points(0.0123), '+1.23')
  assert.is(points(-0.0123), '−1.23')
  assert.is(points(0.000001), '0.00')
  assert.is(short(1234567), '1,234,567')
  assert.is(short(0.000123456), '0.0001235')
  assert.equal([9.99, 59.7, 200, 7500].map(duration), ['10.0 s', '1 min 00 s', '3 min 20 s', '2 h 05 min'])
})

test('a command is shown as it would be typed', () => {
  assert.is(
    commandLine(['bioalbert', 'report', 'a b', "it's", '--out=x']),
    `bioalbert report 'a b' 'it'\\''s' --out=x`,
  )
})

test.run()
