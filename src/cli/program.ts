/**
 * The commands and how they are found. A command lives in commands/NAME.ts and exports NAMECommand(): Command;
 * the table below is all else it needs. Only the command that is wanted is loaded, so that --help answers at once
 * and no command pays for another's imports.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Command } from 'commander'

/** Names and one-line summaries, in the order of --help. */
const summaries: Record<string, string> = {
  demo: 'run the whole of it on a small synthetic corpus',
  devices: 'what can run here, and why not',
  fetch: 'public models and data sets by name',
  vocab: 'import a vocabulary, or train one',
  import: 'take over a model that another program trained',
  corpus: 'text of many formats to one sentence a line',
  instances: 'pretraining instances (MLM + SOP or NSP) from a corpus',
  synthesize: 'write a synthetic corpus with labelled entities',
  pretrain: 'pretrain a model on instances',
  finetune: 'train a task on a pretrained or random model, score its test set',
  evaluate: 'score a fine-tuned model on a file',
  predict: 'label text with a fine-tuned model',
  serve: 'answer over HTTP with a fine-tuned model',
  web: 'a page that annotates and trains in the browser, on its GPU',
  export: 'a model for other programs: a Hugging Face folder, or ONNX',
  datasets: 'the data sets of the papers, and whether a folder holds them as released',
  benchmark: 'fine-tune models on all data sets, scores side by side',
  plan: 'memory of a run, before it starts',
  bench: 'BioALBERT and BioBERT side by side: memory, bytes, time of a step',
  profile: 'where the time of a step goes, kernel by kernel',
  report: 'one HTML page from runs, benchmarks and profiles',
}

function commandFile(name: string): URL {
  return new URL(`./commands/${name}.js`, import.meta.url)
}

/** Loads the command of that name from its file. */
export async function loadCommand(name: string): Promise<Command> {
  const loaded: Record<string, unknown> = await import(commandFile(name).href)
  const build = loaded[`${name}Command`]
  if (typeof build !== 'function') throw new Error(`commands/${name}.ts does not export ${name}Command`)
  return build() as Command
}

/** The names of the commands that are there. */
export function commandNames(): string[] {
  return Object.keys(summaries).filter((name) => existsSync(commandFile(name)))
}

function version(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/**
 * The program, with the wanted command loaded and the others by name and summary only.
 * Every end of its parsing is an exception: CommanderError for usage and help, or what a command threw.
 */
export async function program(wanted?: string): Promise<Command> {
  const root = new Command('bioalbert')
    .description('BioALBERT: pretraining and fine-tuning of ALBERT and BERT on biomedical text')
    .version(version(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError()
  for (const name of commandNames()) {
    if (name === wanted) root.addCommand(await loadCommand(name))
    else root.command(name).summary(summaries[name]).description(summaries[name])
  }
  prepare(root)
  return root
}

/** Makes commander throw instead of ending the process, and speak with our prefix; for subcommands too. */
function prepare(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => write(text.replace(/^error: /, 'bioalbert: ')),
  })
  if (command.parent !== null) command.helpOption('--help', 'print this help')
  for (const inner of command.commands) prepare(inner)
}
