/** The page's worker: all that is computed is computed here. */
import { openDevice } from '../device/open_browser.js'
import type { Port } from './port.js'
import { serve } from './service.js'

serve(globalThis as unknown as Port, (compiling) => openDevice('webgpu', { compiling }))
