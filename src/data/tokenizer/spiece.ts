/**
 * SentencePiece model files (`spiece.model`): a protocol buffer of pieces, a trainer and a normaliser section.
 * Only the fields that segmentation needs are declared. Source: sentencepiece_model.proto.
 */
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import { InputError, UserError } from '../../error.js'

const SCHEMA = `
syntax = "proto2";
message Model {
  message Piece { optional string piece = 1; optional float score = 2; optional int32 type = 3 [default = 1]; }
  message Trainer { optional int32 model_type = 3 [default = 1]; optional bool byte_fallback = 35; }
  message Normalizer {
    optional string name = 1;
    optional bytes charsmap = 2;
    optional bool add_dummy_prefix = 3 [default = true];
    optional bool remove_extra_whitespaces = 4 [default = true];
    optional bool escape_whitespaces = 5 [default = true];
  }
  repeated Piece pieces = 1;
  optional Trainer trainer = 2;
  optional Normalizer normalizer = 3;
}`

export interface SpieceModel {
  pieces: { piece: string; score: number; type: number }[]
  charsmap: Uint8Array
}

/** Values of `type` in the file. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

interface Decoded {
  pieces: { piece: string; score: number; type: number }[]
  trainer?: { modelType: number; byteFallback: boolean }
  normalizer?: {
    charsmap: Uint8Array
    addDummyPrefix: boolean
    removeExtraWhitespaces: boolean
    escapeWhitespaces: boolean
  }
}

/** Reads a unigram SentencePiece model; anything else is refused with what was found. */
export function readSpiece(file: string): SpieceModel {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${(error as Error).message})`)
  }
  const refuse = (found: string): never => {
    throw new InputError({ file, found, expected: 'a SentencePiece unigram model (spiece.model)' })
  }
  if (bytes.length === 0) refuse('an empty file')
  const schema = protobuf.parse(SCHEMA).root.lookupType('Model')
  let model: Decoded
  try {
    model = schema.decode(bytes) as unknown as Decoded
  } catch {
    return refuse('bytes that are no protocol buffer')
  }
  const { pieces, trainer, normalizer } = model
  if (pieces.length === 0 || pieces.some(({ piece }) => piece === '')) refuse('no list of pieces')
  if (trainer && trainer.modelType !== 1) refuse(`a model of type ${trainer.modelType} (1 is unigram)`)
  if (trainer?.byteFallback) refuse('a model with byte fallback')
  if (normalizer && !(normalizer.addDummyPrefix && normalizer.removeExtraWhitespaces)) {
    refuse('a normaliser that keeps extra white space or adds none in front')
  }
  return {
    pieces: pieces.map(({ piece, score, type }) => ({ piece, score, type })),
    charsmap: normalizer?.charsmap ?? new Uint8Array(0),
  }
}
