/** What a storm (storm.ts) is about: the CPU, or with BIOALBERT_STORM_DEVICE=cuda-emulated an emulated GPU; and how much of it there is. */
export const isCuda = process.env.BIOALBERT_STORM_DEVICE === 'cuda-emulated'

/** BIOALBERT_STORM_SHARE=0.1: a tenth of everything, under a sanitizer that takes ten times as long. */
export const share = Number(process.env.BIOALBERT_STORM_SHARE ?? 1)
