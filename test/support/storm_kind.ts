/** Which device a storm is about (storm.ts): the CPU, or with BIOALBERT_STORM_DEVICE=cuda-emulated an emulated GPU. */
export const isCuda = process.env.BIOALBERT_STORM_DEVICE === 'cuda-emulated'
