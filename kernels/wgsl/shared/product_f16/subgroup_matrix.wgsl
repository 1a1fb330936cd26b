// Products of operands that are stored as f16 by matrices of subgroups of f16 with sums in f32, which GPUs of NVIDIA (16 x 16 x 16
// and 16 x 8 x 16), Intel (8 x 16 x 16) and AMD (16 x 16 x 16) are to have under Vulkan.
// uses product_halves
// requires shader-f16
// requires chromium-experimental-subgroup-matrix
// multiplies f16 -> f32 from 8x8x8 to 16x32x32
//
// A workgroup is four subgroups, of 32 x 32 results each. By count with 16 x 16 x 16: a step is 8 multiplications of matrices a subgroup
// for 8 loads of 512 bytes, so 16 operations a byte of workgroup memory; from storage 32 a byte. Workgroup memory: 10 KiB of operands, and 4 of results. Registers of a lane: 32 of results, 12 of operands, 16 under way, about 100 with addresses: of
// 65,536 that is 5 workgroups (20 warps) on a multiprocessor.
//
// Not known, since no GPU has run it: whether four neighbouring stores of 2 bytes become one of 8 (WGSL loads matrices from arrays of
// their elements only); if not, they take more time of workgroup memory than all else. Adapters of Intel and AMD whose subgroups vary
// between 16 (32) and 32 (64) lanes may choose others than 32, and then do not get this variant.

const TILE_ROWS = 64u;
const TILE_COLUMNS = 64u;
const PART_ROWS = 32u;
const PART_COLUMNS = 32u;
