// Fours of numbers of four bytes of any type, for kernels that move them and do not look at them.

alias Stored = vec4u;
