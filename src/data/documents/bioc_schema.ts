/** BioC's JSON as a schema: what has to be there and of which kind; what else there is passes through. */
import { z } from 'zod'

const infons = z.record(z.string(), z.unknown()).nullish()
const word = z.union([z.string(), z.number()])
const offset = z
  .number()
  .int()
  .min(0)
  .max(2 ** 40)
const location = z.looseObject({ offset, length: offset })
const node = z.looseObject({ refid: word.nullish(), role: z.string().nullish() })
const annotation = z.looseObject({
  id: word.nullish(),
  infons,
  text: z.string().nullish(),
  locations: z.array(location).nullish(),
})
const relation = z.looseObject({ id: word.nullish(), infons, nodes: z.array(node).nullish() })
const owned = {
  infons,
  annotations: z.array(annotation).nullish(),
  relations: z.array(relation).nullish(),
}
const sentence = z.looseObject({ ...owned, offset, text: z.string().nullish() })
const passage = z.looseObject({
  ...owned,
  offset,
  text: z.string().nullish(),
  sentences: z.array(sentence).nullish(),
})
export const biocSchema = z.looseObject({ ...owned, id: word.nullish(), passages: z.array(passage) })

export type BiocDocument = z.infer<typeof biocSchema>
export type BiocPassage = z.infer<typeof passage>
export type BiocSentence = z.infer<typeof sentence>
export type BiocAnnotation = z.infer<typeof annotation>
export type BiocRelation = z.infer<typeof relation>
