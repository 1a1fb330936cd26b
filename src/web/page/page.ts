/** The page: three tabs over one worker. It shows and asks; whatever computes is in the worker (../worker.ts). */
import { AnnotateTab } from './annotate.js'
import { type Demo, demoFile, findDemo } from './demo.js'
import { byId, messageOf, say } from './dom.js'
import { Engine } from './engine.js'
import { type Dropped, onFilesDropped } from './files.js'
import { FinetuneTab } from './finetune.js'
import { ModelPanel } from './model.js'
import { isRunning } from './run_view.js'
import { openTabs } from './tabs.js'
import { WriteTab } from './write.js'

const engine = new Engine(new Worker(new URL('worker.js', import.meta.url), { type: 'module' }))
const model = new ModelPanel(engine)
const annotate = new AnnotateTab(engine, model)
const finetune = new FinetuneTab(engine, model, () => {
  tabs.show('annotate')
  byId('text', HTMLTextAreaElement).focus()
})
const write = new WriteTab(engine)
const tabs = openTabs(byIdOfTabs(), (panel) => {
  const slot = panel.querySelector('.model-slot')
  if (slot) model.moveTo(slot)
})

function byIdOfTabs(): HTMLElement {
  return document.querySelector('[role=tablist]') as HTMLElement
}

onFilesDropped((dropped) => void take(dropped))
addEventListener('beforeunload', (event) => {
  if (isRunning()) event.preventDefault()
})
await Promise.all([openDevice(), offerDemo()])

/** A folder is a model; other files are what the tab that is shown wants. */
async function take(dropped: Dropped): Promise<void> {
  const [file] = dropped.files
  if (
    dropped.folder !== undefined ||
    dropped.files.some(({ name }) => /^config\.json$|\.safetensors$/.test(name))
  ) {
    if (tabs.shown === 'write') tabs.show('annotate')
    await model.load(dropped)
  } else if (file === undefined) return
  else if (tabs.shown === 'finetune') finetune.take(dropped.files)
  else if (tabs.shown === 'write') await write.take(file)
  else await annotate.takeFile(file)
}

async function openDevice(): Promise<void> {
  try {
    const device = await engine.ask('open', {})
    if (device.available) {
      annotate.setDevice(device)
      return say(byId('device', HTMLElement), `Device: ${device.detail}`)
    }
    say(byId('device', HTMLElement), 'No device')
    say(byId('no-webgpu-reason', HTMLElement), `${device.detail[0].toUpperCase()}${device.detail.slice(1)}.`)
    byId('no-webgpu', HTMLElement).hidden = false
  } catch (error) {
    const line = byId('device', HTMLElement)
    line.className = 'error'
    say(line, messageOf(error))
  }
  for (const part of [model, finetune, write]) part.disable()
}

async function offerDemo(): Promise<void> {
  let demo: Demo
  try {
    demo = await findDemo()
  } catch {
    // served as plain files by something else: there is no demo then
    return
  }
  const { model: names, train, dev, text, example } = demo
  if (names)
    model.offerDemo(names, () => {
      if (example) void demoFile(example).then(async (file) => annotate.setExample(await file.text()))
    })
  if (train) finetune.offerDemo(train, dev)
  if (text) write.offerDemo(text)
}
