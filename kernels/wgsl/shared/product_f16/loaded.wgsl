// Products of operands that are stored as f16, multiplied in f32 by the variant of `product` that the adapter has: on all adapters.
// uses stored_product
