/** adamw against float64 loops. */
import { suite } from 'uvu'
import { adamw } from '../../src/ops/adamw.js'
import { optimizerSuite } from '../support/optimizer_suite.js'

const test = suite('adamw')

optimizerSuite(test, adamw, { ratio: false })

test.run()
