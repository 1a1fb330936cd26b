// As subgroup_matrix, with tiles of 128 x 128 results: for GPUs whose units for matrices outrun their caches, and products that are
// large enough to fill such a GPU with a quarter as many workgroups.
// uses product_halves
// requires shader-f16
// requires chromium-experimental-subgroup-matrix
// multiplies f16 -> f32 from 8x8x8 to 16x32x32
//
// A workgroup is eight subgroups, of 64 x 32 results each. By count with 16 x 16 x 16: a step is 16 multiplications of matrices a
// subgroup for 12 loads of 512 bytes, so 21 operations a byte of workgroup memory; from storage 64 a byte. Workgroup memory: 20 KiB of operands, and 8 of results, which is more than the 16 that WebGPU promises: where it is not there the variant does not
// compile, and is not taken. Registers of a lane: 64 of results, 12 of operands, 16 under way, about 130 with addresses: of 65,536 that
// is one workgroup (8 warps) on a multiprocessor, two if the compiler gets by with 128.

const TILE_ROWS = 128u;
const TILE_COLUMNS = 128u;
const PART_ROWS = 64u;
const PART_COLUMNS = 32u;
