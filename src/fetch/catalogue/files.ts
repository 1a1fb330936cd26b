/**
 * Files of the public data sets and vocabularies: addresses of single files at a commit of a public repository. A size and
 * a SHA-256 stand where the very file was at hand when this was written. The addresses themselves could not be tried then,
 * nor could files without a checksum, whose items are counted after a fetch instead (`datasets`).
 */
import type { CataloguedFile } from './entry.js'

type Known = readonly [path: string, size: number, sha256: string]

function raw(repository: string, commit: string, folder: string) {
  const base = `https://raw.githubusercontent.com/${repository}/${commit}/${folder}`
  return {
    known: (...files: Known[]): CataloguedFile[] =>
      files.map(([path, size, sha256]) => ({ path, url: `${base}/${path}`, size, sha256 })),
    uncounted: (...paths: string[]): CataloguedFile[] =>
      paths.map((path) => ({ path, url: `${base}/${path}` })),
  }
}

/** An unchanged copy of what BioBERT released; the lab's own archives lie at Google Drive. */
const BIOMEDBERT = '9e5e1019d79d07c7aecc4eb49106203af1012663'
const ner = (folder: string) => raw('BioMedBERT/biomedbert', BIOMEDBERT, `datasets/NER/${folder}`)
const re = (folder: string) => raw('BioMedBERT/biomedbert', BIOMEDBERT, `datasets/RE/${folder}`)
const MTL = 'cambridgeltl/MTL-Bioinformatics-2016'
const folds = Array.from({ length: 10 }, (_, i) => i + 1)

/** By name of the set (src/tasks/datasets). */
export const setFiles: Readonly<Record<string, readonly CataloguedFile[]>> = {
  'NCBI-disease': ner('NCBI-disease').known(
    ['train.tsv', 1047453, '26df55fb9da14f52834c7c7238ec30af271aa4e3bbe2256ef96cab2c0a7e159b'],
    ['devel.tsv', 185336, 'a91324724fa0783ef3096f060580e6b4e8dfdf83664d48e77951a45b693c0eaa'],
    ['test.tsv', 189288, 'ca56aff802f8c8849793e806914636f7c9d8bf03bbd88c66402266289beb3995'],
  ),
  'BC5CDR-disease': ner('BC5CDR-disease').known(
    ['train.tsv', 919213, 'ed209466f99f192460c8b2079cb9dd688c445ce1f2601c2c141f6a84b4a7edf2'],
    ['devel.tsv', 912174, '405332504d3f6d577f33084494d0916bcdfee789aa1bd954e93a5b79239c2967'],
    ['test.tsv', 960312, 'a291f73998031d910dd84ae3c52c744d10ddc44042895056f978c39838bd48b3'],
  ),
  'BC5CDR-chem': ner('BC5CDR-chem').known(
    ['train.tsv', 919213, '1272b747a1d64ccfaa21061c515c26e9e1f134e3afd3c2ef14d8cd0697e9a234'],
    ['devel.tsv', 912174, '17a6bc43d459c9dedaedad7990eb44ce0c4789a3a9813104aef9d2f3192c8fd0'],
    ['test.tsv', 960312, '4da9183ad83d0921eaca25ba011871308b9476c14f9b10fba7bfee55a9750649'],
  ),
  BC2GM: ner('BC2GM').known(
    ['train.tsv', 2707662, '1f180df262ba11c108bf798eae9d94e2090b51985694eb5acd8e9c544045f9a0'],
    ['devel.tsv', 540170, '634e84223ef02cf231fa4b5a5a256ad581efe1405c5bb31986ac0cf055b64e38'],
    ['test.tsv', 1089552, 'ea0d230134416109a1feb1ff4169e43b89893ef93b91e392c2534944828b724a'],
  ),
  JNLPBA: ner('JNLPBA').known(
    ['train.tsv', 3372571, 'b54193c955d91fb7079f53961e72871c9d4522eb28a141f717f14d2e4eb76a42'],
    ['devel.tsv', 889286, 'b770901337d10d844c2fd849266f99afb83850035c8f20db8c053b5874912520'],
    ['test.tsv', 876432, 'ab07e2323e99f8be522cfe6287191244d94988b0455c08922d1b8dfb6c785d98'],
  ),
  LINNAEUS: ner('linnaeus').known(
    ['train.tsv', 2061061, '398c0b30b3762d587ec1398715daef928a70b507d6c99094018989af7fab0eb6'],
    ['devel.tsv', 687838, '2a237cbd5860b87a789607a79b0d831351842cda081f8f5c268c3807ff4d08bc'],
    ['test.tsv', 1210970, '122acde9645923138fb7411519f564b662f2caf977fa9aec21b7b8f0dd7d2c2e'],
  ),
  'Species-800': ner('s800').uncounted('train.tsv', 'devel.tsv', 'test.tsv'),
  BC4CHEMD: raw(MTL, 'df0df02f', 'data/BC4CHEMD-IOB').uncounted('train.tsv', 'devel.tsv', 'test.tsv'),
  GAD: re('GAD').known(
    ['1/train.tsv', 845495, '21e3765852a13cf03e6e759e201c5ad2d18b10d3ab05a8ac6bd7510f18f68fec'],
    ['1/test.tsv', 102294, '68fe2b2bddefac2cd5d35b4bc8a13bceee95ee9a582a623632981e893cdb512e'],
    ['2/test.tsv', 98195, '51600ff88ed405725e8860f11b8c2d17cbb38b420a8faa83eaaf44c21bbb89d4'],
    ['3/test.tsv', 97578, '72058831d5c983b4b9a5db93011c851c02cd7be4c91df271502df3f2dccce50a'],
    ['4/test.tsv', 99025, '9bf6dd6986899367f8e028fa5a24f02b15dabb2621e344d6d8e4787c056f1de6'],
    ['5/test.tsv', 99454, 'dbac9eba54f137ce01d3b29bc6dd4f61a2881ef0a2990193ff53b1d95f1a6e30'],
    ['6/test.tsv', 95138, '7d6ec806d9152670bcfecb6f56703116756e51d438bc16e9aed272186f7af679'],
    ['7/test.tsv', 105406, '32462105be3f2637d9b9aa452101812b329f0350a10de31dfff240aca4766b0e'],
    ['8/test.tsv', 92127, 'e78c0eb47929002b99ff82534853a6261376c461e479759e50456a84be7c151f'],
    ['9/test.tsv', 91621, '5e673314a57edf65020d37fe3d36d59c39b878a79a36d30f44cef1344af0abf5'],
    ['10/test.tsv', 85334, 'd12df5d5418f91ff0170511593489b87e4046e9ca04e4a5cea14a5334a2982d2'],
  ),
  'EU-ADR': re('euadr').uncounted(...folds.flatMap((fold) => [`${fold}/train.tsv`, `${fold}/test.tsv`])),
  ChemProt: raw('SciCrunch/bio_electra', '7a535267', 'electra/data/finetuning_data/chemprot').uncounted(
    'train.tsv',
    'dev.tsv',
    'test.tsv',
  ),
  'ChemProt-13': raw('allenai/scibert', '06793f77', 'data/text_classification/chemprot').known(
    ['train.txt', 1121208, 'ab17b85c4fb869b2338d7c9617414e63f3c7225e5005920b18d9cd996f1049d8'],
    ['dev.txt', 678657, 'bfe8f39e5146ad4bb16b23707dade850546a305047bc666f6f6824c6a7e3df2f'],
    ['test.txt', 960369, '372249c85ffea6d9a18dc5168cf45841b3d79b03412d6c620381cfc0dd3d6d49'],
  ),
  DDI: [
    {
      path: 'DDICorpus-2013.zip',
      url: 'https://raw.githubusercontent.com/isegura/DDICorpus/819b0fa5/DDICorpus-2013.zip',
      size: 1545162,
      sha256: '87fc63e32ebce20d9841c372e0c594ec72d60882ab5621550ca73c3eaf80ab60',
    },
  ],
  BIOSSES: raw(
    'ncbi-nlp/BLUE_Benchmark',
    '71d91234a74702127cdba85d2b65d0d011dd5516',
    'blue_plus/rowdata/biosses',
  ).known(
    ['train.tsv', 25564, '5c2d4708792c3c90fa5a34e91c7a0fad622275e6f96155046fdb58fc66ba40d6'],
    ['dev.tsv', 5757, 'af63662ec9b237b4237e6c3288ab353aa9e6bfface23903e51e87707ceb26ce0'],
    ['test.tsv', 5129, '39a7311385a42bbf6cd6e96d8bcdd7ef03be087712d58f329a1772e3c2195e13'],
  ),
  'COVID-QA': [
    {
      path: 'covid-qa.json',
      url: 'https://raw.githubusercontent.com/deepset-ai/COVID-QA/fb2eb5e2/data/question-answering/200423_covidQA.json',
    },
  ],
}

/** What is odd about the files of a set. */
export const setNotes: Readonly<Record<string, string>> = {
  DDI: 'the original XML in a zip: `finetune` reads it when it is in rows of index, sentence and label, as BLURB has it',
  GAD: 'train.tsv of fold 1 and test.tsv of all: the others train on the test parts of the other folds',
  'COVID-QA': 'all 147 articles, those that are not under CC BY among them',
}

export const vocabularyFiles: Readonly<
  Record<'albert' | 'bert-base-cased' | 'bert-base-uncased', CataloguedFile[]>
> = {
  albert: raw('Adapter-Hub/adapter-transformers', '1257f101', 'tests/fixtures').known([
    'spiece.model',
    760289,
    'fefb02b667a6c5c2fe27602d28e5fb3428f66ab89c7d6f388e7c8d44a02d0336',
  ]),
  'bert-base-cased': [
    {
      path: 'vocab.txt',
      url: 'https://raw.githubusercontent.com/NVIDIA/DeepLearningExamples/729963dd/PaddlePaddle/LanguageModeling/BERT/vocab/bert-base-cased-vocab.txt',
      size: 213450,
      sha256: 'eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02',
    },
  ],
  'bert-base-uncased': raw('graykode/ALBERT-Pytorch', '7cac1770', 'data').known([
    'vocab.txt',
    231508,
    '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
  ]),
}
