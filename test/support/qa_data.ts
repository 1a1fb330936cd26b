/** Questions in the released forms of SQuAD and BioASQ, made up here, for the tests of the task. */

/** An answer, its offset looked for from the front and counted in Unicode characters as in the files; or as given. */
export interface MadeAnswer {
  text: string
  at?: number
}

export interface MadeQuestion {
  id: string
  question: string
  answers?: MadeAnswer[]
  impossible?: boolean
}

export interface MadeText {
  context: string
  qas: MadeQuestion[]
}

/** A file in SQuAD's form: an article for every list of texts. */
export function squadJson(articles: MadeText[][]): string {
  const data = articles.map((paragraphs, i) => ({
    title: `article ${i}`,
    paragraphs: paragraphs.map(({ context, qas }) => ({
      context,
      qas: qas.map(({ id, question, answers, impossible }) => ({
        id,
        question,
        ...(answers && {
          answers: answers.map((answer) => ({ text: answer.text, answer_start: place(context, answer) })),
        }),
        ...(impossible !== undefined && { is_impossible: impossible }),
      })),
    })),
  }))
  return JSON.stringify({ version: 'v2.0', data })
}

function place(context: string, { text, at }: MadeAnswer): number {
  return at ?? [...context.slice(0, context.indexOf(text))].length
}

/** n articles of one text with one question each. */
export function manyArticles(n: number, prefix = ''): string {
  return squadJson(
    Array.from({ length: n }, (_, i) => [
      {
        context: `Patient ${i} had fever and was treated with drug ${i}.`,
        qas: [
          { id: `${prefix}q${i}`, question: `What did patient ${i} get?`, answers: [{ text: `drug ${i}` }] },
        ],
      },
    ]),
  )
}

/** BioASQ's factoid questions as BioBERT released them, one question for each snippet; test files have no answers. */
export function bioasqSnippets(labelled: boolean): string {
  const ask = (id: string, question: string, context: string, text: string): MadeText => ({
    context,
    qas: [{ id, question, ...(labelled && { answers: [{ text }] }) }],
  })
  return squadJson([
    [
      ask('55a1_001', 'Which gene is mutated?', 'The CFTR gene is mutated in most patients.', 'CFTR'),
      ask('55a1_002', 'Which gene is mutated?', 'Mutations of ABCC7 (CFTR) were seen.', 'ABCC7'),
      ask('55b2_001', 'Which drug helps?', 'Patients were treated with ivacaftor.', 'ivacaftor'),
    ],
  ])
}

/** BioASQ's own file of the same questions, and others of all types. */
export function bioasqOwn(): string {
  const snippet = (text: string) => ({ text, document: 'd', beginSection: 'abstract' })
  return JSON.stringify({
    questions: [
      {
        id: '55a1',
        type: 'factoid',
        body: 'Which gene is mutated?',
        exact_answer: [['CFTR', 'ABCC7', 'cystic fibrosis transmembrane conductance regulator']],
        snippets: [snippet('The cftr gene is mutated in most patients.'), snippet('Nothing was seen.')],
      },
      {
        id: '55b2',
        type: 'factoid',
        body: 'Which drug helps?',
        exact_answer: ['ivacaftor'],
        snippets: [snippet('No drug is named, ivacaftors are not it.')],
      },
      {
        id: '55c3',
        type: 'yesno',
        body: 'Is it inherited?',
        exact_answer: 'Yes',
        snippets: [snippet('It is inherited.')],
      },
      {
        id: '55d4',
        type: 'yesno',
        body: 'Is it rare?',
        exact_answer: ['no'],
        snippets: [snippet('It is'), snippet('common.')],
      },
      {
        id: '55e5',
        type: 'summary',
        body: 'What is it?',
        ideal_answer: 'A disease.',
        snippets: [snippet('It is.')],
      },
      {
        id: '55f6',
        type: 'list',
        body: 'Which?',
        exact_answer: [['a'], ['b']],
        snippets: [snippet('a and b')],
      },
    ],
  })
}
