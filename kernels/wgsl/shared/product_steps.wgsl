// Steps of 16 k of a tile of 64 x 64 results, for variants of `product` that bring operands in f32 to workgroup memory: a step of
// an operand is 256 fours.
// uses product_blocks, product_shares

alias Four = vec4f;

const STEP = 16u;
