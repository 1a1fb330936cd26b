/**
 * Answers the requests of protocol.ts: a device, the loaded model, and what is done with both, each in a file of its own. Every
 * request ends in one result or one failure, and no failure ends the worker.
 */
import { UserError } from '../error.js'
import { Annotator } from './annotator.js'
import { DeviceHolder, type OpenDevice } from './device.js'
import { finetuneModel } from './finetuning.js'
import { writeLetters } from './letters.js'
import { LoadedModel, readFiles } from './model.js'
import type { Handlers, Port, Tell } from './port.js'
import type { Answer, Request, Requests } from './protocol.js'
import { RunControl } from './run_control.js'

/** Answers all that comes through a port. `open` opens the device, and again if one was lost. */
export function serve(port: Port, open: OpenDevice): void {
  const handlers = new Service(open).handlers
  port.onmessage = ({ data }) => {
    void answer(port, handlers, data)
  }
}

async function answer(port: Port, handlers: Handlers, { id, name, ask }: Request): Promise<void> {
  try {
    if (!Object.hasOwn(handlers, name)) throw new Error(`there is no request ${name}`)
    const handler = handlers[name] as (ask: unknown, tell: Tell) => Promise<Result>
    const result = await handler(ask, (progress) => port.postMessage({ id, kind: 'progress', progress }))
    port.postMessage({ id, kind: 'result', result }, transferable(result))
  } catch (error) {
    port.postMessage(failure(id, error))
  }
}

type Result = Requests[keyof Requests]['result']

/** The bytes in a result. */
function transferable(result: Result): ArrayBuffer[] {
  return 'files' in result ? result.files.map(({ bytes }) => bytes) : []
}

function failure(id: number, error: unknown): Answer {
  const user = error instanceof UserError
  const message = error instanceof Error ? error.message : String(error)
  return { id, kind: 'failure', message, user }
}

class Service {
  private readonly devices: DeviceHolder
  private readonly annotator: Annotator
  private loaded?: LoadedModel
  /** What the command line would find in the folder of the last fine-tuned model. */
  private made?: ReadonlyMap<string, Uint8Array>
  private run?: RunControl

  constructor(open: OpenDevice) {
    this.devices = new DeviceHolder(open)
    this.annotator = new Annotator(() => this.model)
  }

  readonly handlers: Handlers = {
    open: () => this.devices.facts(),
    load: async ({ files }, tell) => {
      this.refuseDuringRun('another model is loaded')
      await this.take(await LoadedModel.read('the model', await readFiles(files, tell), this.devices, tell))
      this.made = undefined
      return this.model.facts
    },
    annotate: ({ text }, tell) => this.annotator.ask(text, tell),
    finetune: (ask, tell) =>
      this.controlled(async (control) => {
        const { files, ...told } = await finetuneModel(this.model, this.devices, ask, control, tell)
        await this.take(await LoadedModel.read('the fine-tuned model', files, this.devices, tell))
        this.made = files
        return { ...told, model: this.model.facts }
      }),
    control: async ({ action }) => {
      if (this.run === undefined) throw new UserError(`nothing is under way that could ${action}`)
      this.run.take(action)
      return {}
    },
    download: async () => {
      if (this.made === undefined) throw new UserError('there is no fine-tuned model yet to download')
      return {
        files: [...this.made].map(([name, bytes]) => ({ name, bytes: new Uint8Array(bytes).buffer })),
      }
    },
    write: (ask, tell) => this.controlled((control) => writeLetters(this.devices, ask, control, tell)),
  }

  private get model(): LoadedModel {
    if (this.loaded === undefined) throw new UserError('no model has been loaded yet')
    return this.loaded
  }

  private async take(model: LoadedModel): Promise<void> {
    const before = this.loaded
    this.loaded = model
    // a text may still be with the one before
    await this.annotator.settled()
    before?.free()
  }

  /** One run at a time: two would only slow each other down. */
  private async controlled<T>(run: (control: RunControl) => Promise<T>): Promise<T> {
    this.refuseDuringRun('another begins')
    const control = new RunControl()
    this.run = control
    try {
      return await run(control)
    } finally {
      this.run = undefined
    }
  }

  private refuseDuringRun(what: string): void {
    if (this.run !== undefined) throw new UserError(`a run is under way: stop it before ${what}`)
  }
}
