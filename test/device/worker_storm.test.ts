/** The storm of workers (test/support/storm_suite.ts) on the CPU. */
import { stormTests } from '../support/storm_suite.js'

stormTests('cpu', 240)
