/**
 * The page: one HTML file with all that it needs in it. No script is in it, and its policy lets none run: nothing is loaded,
 * and the one style sheet is known by its digest. The same folders give the same bytes.
 */
import { html, pageHead } from './html.js'
import type { Report, Run } from './model.js'
import { classesSection } from './sections/classes.js'
import { confusionSection } from './sections/confusion.js'
import { curvesSection } from './sections/curves.js'
import { differencesSection } from './sections/differences.js'
import { type Origin, originSection } from './sections/origin.js'
import { predictionsSection } from './sections/predictions.js'
import { pretrainingSection } from './sections/pretraining.js'
import { profilesSection } from './sections/profiles.js'
import { runsSection } from './sections/runs.js'
import { scoresSection } from './sections/scores.js'
import type { Section } from './sections/section.js'
import { STYLE } from './style.js'

export interface PageOptions extends Origin {
  readonly title: string
  /** Sentences or items of each test set, at most. */
  readonly examples: number
}

/** The text of the file. Throws an InputError for predictions that do not fit. */
export async function reportPage(report: Report, options: PageOptions): Promise<string> {
  const { benchmarks, profiles, pictures } = report
  const runs = inOrder(report)
  const finishedOf = (dir: string) =>
    runs.filter(({ finished, place }) => finished && place?.benchmark === dir).length
  const sections = [
    runsSection(runs),
    ...(
      await Promise.all(
        benchmarks.map(async (benchmark, i) => [
          scoresSection(benchmark, i, finishedOf(benchmark.dir)),
          differencesSection(benchmark, i),
          await pretrainingSection(benchmark, i),
        ]),
      )
    ).flat(),
    await curvesSection(runs, benchmarks),
    classesSection(runs),
    confusionSection(runs),
    predictionsSection(runs, options.examples),
    profilesSection(profiles, pictures),
    originSection({ ...report, runs }, options),
  ].filter((section) => section !== undefined)
  return page(options.title, sections)
}

/** Runs of benchmarks by set, model, seed and fold as the benchmark names them, behind the others. */
function inOrder({ runs, benchmarks }: Report): Run[] {
  const sets = benchmarks.flatMap((benchmark) => benchmark.sets.map(({ name }) => name))
  const models = benchmarks.flatMap((benchmark) => benchmark.models.map(({ name }) => name))
  const at = (names: readonly string[], name: string) =>
    names.includes(name) ? names.indexOf(name) : names.length
  const key = ({ place }: Run) =>
    place === undefined ? [-1] : [at(sets, place.set), at(models, place.model), place.seed, place.fold ?? 0]
  return [...runs].sort((a, b) => {
    const [x, y] = [key(a), key(b)]
    const first = x.findIndex((value, i) => value !== y[i])
    return first < 0 ? 0 : x[first] - y[first]
  })
}

function page(title: string, sections: readonly Section[]): string {
  const links = sections.map(({ id, title: text }) => html`<li><a href="#${id}">${text}</a></li>`)
  const parts = sections.map(
    ({ id, title: text, body }) => html`<section aria-labelledby="${id}">
<h2 id="${id}">${text}</h2>
${body}</section>\n`,
  )
  return html`${pageHead(title, STYLE, { images: true })}
<body>
<header>
<h1>${title}</h1>
</header>
<nav aria-label="Contents"><ul>${links}</ul></nav>
<main>
${parts}</main>
</body>
</html>
`.text
}
