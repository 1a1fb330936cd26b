/** What is read of the assembly of AArch64, and the loop in which products of f32 spend their time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { innerLoops, leastOverhead, mainLoops, overhead, productOf } from '../../bench/arm/assembly.js'
import { compilations, demangled } from '../../bench/arm/compile.js'
import { complaintsOf } from '../../bench/arm/goals.js'
import { CORES, findMca, predict, shareOfPeak } from '../../bench/arm/predict.js'
import { findCrossCompiler } from '../support/arm_build.js'
import { skip } from '../support/skip.js'

const test = suite('assembly of AArch64')

// two rows by two vectors, two steps a pass; one sum is stored and loaded again; a loop stands around it and one without
// products behind it
const GCC = `
	.type	_Z7productjPKfS0_Pf, %function
_Z7productjPKfS0_Pf:
.LFB1:
	movi	v0.4s, 0
.L2:
	mov	x3, 0
	mov	v7.16b, v0.16b		// not in the loop
.L3:
	ldp	q4, q5, [x1], 32
	ldr	q6, [x2, 16]
	fmla	v0.4s, v4.4s, v6.s[0]
	fmla	v1.4s, v5.4s, v6.s[0]
	str	q3, [sp, 48]
	cbz	w3, .L9
	fmla	v2.4s, v4.4s, v6.s[1]
	ldr	q3, [sp, 48]
.L9:
	fmla	v3.4s, v5.4s, v6.s[1]
	mov	v8.16b, v5.16b
	fmla	v0.4s, v8.4s, v9.4s
	dup	v10.4s, v6.s[2]
	cmp	x1, x4
	bne	.L3
	subs	w0, w0, #1
	b.ne	.L2
.L4:
	ldr	q1, [x5], 16
	fadd	v0.4s, v0.4s, v1.4s
	cbnz	w6, .L4
	ret
	.size	_Z7productjPKfS0_Pf, .-_Z7productjPKfS0_Pf
`

test('loops are found, the inner ones, with what a pass of them executes', () => {
  const loops = innerLoops(GCC)
  assert.is(loops.length, 1)
  const [loop] = loops
  assert.is(loop.symbol, '_Z7productjPKfS0_Pf')
  assert.is(loop.label, '.L3')
  assert.is(loop.instructions.length, 14)
  assert.is(loop.instructions.at(-1), 'bne .L3')
  assert.is(loop.kind, 'f32')
  assert.is(loop.products, 5)
  assert.is(loop.multiplyAdds, 20)
  assert.is(loop.sums, 4)
  assert.is(loop.chain, 2)
  assert.is(loop.loads, 3)
  assert.is(loop.stores, 1)
  assert.is(loop.stored, 1)
  assert.is(loop.spills, 2)
  assert.is(loop.otherVector, 1)
  // two vectors and the lanes of one; a copy is no new one, and v9 is there before the loop
  assert.is(loop.operands, 3)
  assert.is(overhead(loop), 14 / 5)
  assert.is(leastOverhead(loop), 1 + 2 / 5)
})

test('lanes are counted by instruction and arrangement', () => {
  for (const [text, kind, multiplyAdds] of [
    ['fmla v0.4s, v1.4s, v2.s[3]', 'f32', 4],
    ['fmls v0.2s, v1.2s, v2.2s', 'f32', 2],
    ['bfmmla v0.4s, v1.8h, v2.8h', 'bf16', 16],
    ['bfdot v0.4s, v1.8h, v2.2h[1]', 'bf16', 8],
    ['bfmlalt v0.4s, v1.8h, v2.8h', 'bf16', 4],
    ['sdot v0.4s, v1.16b, v2.4b[0]', 'int8', 16],
    ['smmla v0.4s, v1.16b, v2.16b', 'int8', 32],
    ['smlal2 v0.4s, v1.8h, v2.8h', 'int8', 4],
  ] as const)
    assert.equal(productOf(text), { kind, multiplyAdds }, text)
  for (const text of ['fmul v0.4s, v1.4s, v2.4s', 'fmadd s0, s1, s2, s3', 'fadd v0.4s, v1.4s, v2.4s'])
    assert.is(productOf(text), undefined, text)
})

test('cycles are those of the units that are busiest, and a loop is held against its goal', () => {
  const fma = (n: number, sums: number) =>
    Array.from({ length: n }, (_, i) => `\tfmla\tv${i % sums}.4s, v30.4s, v31.s[0]`)
  const text = (lines: string[]) => ['\t.type f, %function', 'f:', '.L1:', ...lines, '\tbne\t.L1'].join('\n')
  const [v2, m1] = CORES
  const only = (lines: string[]) => innerLoops(text(lines))[0]
  const full = only(fma(48, 24))
  assert.equal(predict(full, v2), { cycles: 12, bound: 'vector units' })
  assert.is(shareOfPeak(full, 12, v2), 1)
  assert.equal(complaintsOf(full), [])
  // every sum waits four cycles for itself
  assert.equal(predict(only(fma(48, 8)), v2), { cycles: 24, bound: 'latency' })
  assert.equal(predict(only([...fma(24, 24), ...Array(40).fill('\tadd\tx1, x1, 1')]), m1).bound, 'decoding')
  assert.equal(predict(only([...fma(8, 8), ...Array(13).fill('\tldr\tq30, [x1]')]), m1).bound, 'loads')
  // the data of a store pass through a unit for vectors on V2 only
  const storing = only([...fma(24, 24), ...Array(6).fill('\tstp\tq0, q1, [sp, 16]')])
  assert.is(predict(storing, v2).cycles, 9)
  assert.is(predict(storing, m1).cycles, 6)
  assert.equal(complaintsOf(storing), [
    '6 loads and stores of the stack',
    '67% of the peak of Neoverse V2 (want 85%)',
  ])
})

test('of each kind the loop with the most sums is the main one', () => {
  const loop = (name: string, product: string, sums: number) => [
    `\t.type ${name}, %function`,
    `${name}:`,
    '.L1:',
    ...Array.from({ length: sums }, (_, i) => `\t${product.replace('#', `${i}`)}`),
    '\tb.hi\t.L1',
  ]
  const text = [
    ...loop('small', 'fmla v#.4s, v30.4s, v31.4s', 6),
    ...loop('large', 'fmla v#.4s, v30.4s, v31.4s', 24),
    ...loop('narrow', 'bfmmla v#.4s, v30.8h, v31.8h', 12),
  ].join('\n')
  assert.equal(
    mainLoops(innerLoops(text)).map(({ symbol, kind }) => [symbol, kind]),
    [
      ['large', 'f32'],
      ['narrow', 'bf16'],
    ],
  )
})

const symbol = '_ZN12_GLOBAL__N_114packed_productILj3EEEvjPKfS2_S2_Pf'
const [name] = demangled([symbol])
if (name === symbol) skip(test, 'functions go by their names', 'no c++filt (of binutils or LLVM)')
else test('functions go by their names without parameters', () => assert.is(name, 'packed_product<3u>'))

const compiler = findCrossCompiler()
if ('missing' in compiler) skip(test, 'the loop of the product of f32', compiler.missing)
else
  test('the loop of the product of f32 does not touch the stack and is to reach its goal', () => {
    const all = compilations(compiler)
    const { assembly } = all.find(({ set, stem }) => set === 'neon' && stem === 'linear')!
    const loops = innerLoops(assembly())
    const main = mainLoops(loops).find(({ kind }) => kind === 'f32')!
    assert.match(main.symbol, /packed_productILj3E/)
    assert.ok(main.sums >= 24, `${main.sums} sums`)
    assert.equal(complaintsOf(main, findMca()), [])
  })

test.run()
