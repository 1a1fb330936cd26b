import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { hasMarks, inForm, showsPair } from '../../../src/tasks/relations/marking.js'
import { negativeLabels, orderedLabels } from '../../../src/tasks/relations/negative.js'

const test = suite('relation marking')

const placeholders: [text: string, want: string][] = [
  ['<< losartan >> blocks [[ Ang II ]] .', '@ENTITY1$ blocks @ENTITY2$ .'],
  ['[[ Ang II ]] is cut by << losartan >>-like', '@ENTITY2$ is cut by @ENTITY1$-like'],
  ['x >> y << a >> and [[ b ]]', 'x >> y @ENTITY1$ and @ENTITY2$'],
  ['<< the [[ Ang ]] receptor >> is', '@ENTITY1-ENTITY2$ is'],
  ['[E1] a [/E1] and [E2] b [/E2]', '@ENTITY1$ and @ENTITY2$'],
  ['<e1>a</e1> and <e2>b</e2>', '@ENTITY1$ and @ENTITY2$'],
  ['BC6ENTC cuts BC6ENTG , not BC6OTHER - x', '@CHEMICAL$ cuts @GENE$ , not @OTHER$ - x'],
  ['@GENE$ in @DISEASE$', '@GENE$ in @DISEASE$'],
  ['nothing here', 'nothing here'],
  ['<< a >> alone', '<< a >> alone'],
]
for (const [text, want] of placeholders)
  test(`placeholders of ${text}`, () => assert.is(inForm(text, 'placeholders'), want))

test('markers are written alike whatever they were', () => {
  assert.is(inForm('[E1] a [/E1] and <<[E2] b [/E2]', 'markers'), '<< a >> and <<[[ b ]]')
  assert.is(inForm('<e2>b</e2>, <e1>a</e1>', 'markers'), '[[ b ]], << a >>')
  assert.is(inForm('<<a>> [[b]]', 'markers'), '<< a >> [[ b ]]')
  assert.is(inForm('@GENE$ x', 'markers'), '@GENE$ x')
})

test('text stays as it stands', () => assert.is(inForm('<< a >> BC6ENTC', 'text'), '<< a >> BC6ENTC'))

test('it is seen whether a sentence shows its pair', () => {
  assert.equal(['<< a >> [[ b ]]', '<< a >>', '@GENE$'].map(hasMarks), [true, false, false])
  assert.equal(['<< a >> [[ b ]]', 'BC6ENTG', 'on @problem$', 'a@b.c $', 'plain'].map(showsPair), [
    true,
    true,
    true,
    false,
    false,
  ])
})

test('negative labels are known by their names and stand first', () => {
  assert.equal(negativeLabels(['CPR:3', 'False']), ['False'])
  assert.equal(negativeLabels(['DDI-effect', 'DDI-false', 'DDI-int']), ['DDI-false'])
  assert.equal(negativeLabels(['1', '0']), ['0'])
  assert.equal(negativeLabels(['no_relation', 'x', 'NA', 'Other', 'none']), [
    'no_relation',
    'NA',
    'Other',
    'none',
  ])
  assert.equal(negativeLabels(['CPR:10', 'nausea', 'SUBSTRATE_PRODUCT-OF', 'TrNAP', '10']), [])
  assert.equal(negativeLabels(['false', 'none']), [])
  assert.equal(orderedLabels(['b', 'false', 'a', 'b']), ['false', 'a', 'b'])
})

test.run()
