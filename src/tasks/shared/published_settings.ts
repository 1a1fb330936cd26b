/**
 * Settings of fine-tuning on sentences, pairs and documents that were published, under the names that all tasks have them:
 *
 *   naseem2020, naseem2022   BioALBERT's (Naseem et al. 2020 and 2022): AdamW 1e-5, batches of 32, 128 pieces, 10,000 steps, 320 of
 *                            warm-up; the original AdamW does not correct the bias of its moments
 *   blurb                    Gu et al. 2021 (PubMedBERT), section 3.3: Adam, rate rising over a tenth of the steps and falling over the
 *                            rest, searched on dev within rates 1e-5, 3e-5, 5e-5, batches of 16 or 32 and 2 to 60 epochs; what was found for
 *                            each set is not printed there, so rate, batch, epochs and length are those that LinkBERT (Yasunaga et al.
 *                            2022) runs on BLURB's sets (michiyasunaga/LinkBERT, src/run_examples_blurb_biolinkbert-base.sh)
 */
import type { PublishedSettings } from '../task.js'

/** BioALBERT's of 2022, for all tasks but named entities, which have 512 pieces. */
export const naseem: PublishedSettings = {
  learningRate: 1e-5,
  batch: 32,
  maxLength: 128,
  steps: 10_000,
  warmup: 320,
  biasCorrection: false,
}

/** What is set for each data set of BLURB. */
export type BlurbSettings = Pick<PublishedSettings, 'learningRate' | 'batch' | 'maxLength' | 'epochs'>

/** Both papers', and BLURB's under `blurb`. */
export function publishedSettings(set: BlurbSettings): Record<string, PublishedSettings> {
  return { naseem2020: naseem, naseem2022: naseem, blurb: blurbSettings(set) }
}

export function blurbSettings(set: BlurbSettings): PublishedSettings {
  return { ...set, warmup: 0.1, biasCorrection: true }
}
