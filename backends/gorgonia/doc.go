// Package gorgonia measures gorgonia.org/gorgonia: a static graph, compiled
// once into a list of instructions and run by its TapeMachine on gonum's BLAS.
//
// The graph is built from the library's public operations only. The library
// (v0.9.18) has faults that would silently compute something else; each is
// avoided, not patched, and named here because the way around it shapes the
// code:
//
//   - Rectify has slope 1 at zero, where every other framework has 0. ReLU is
//     the product with Gt(x, 0), as Rectify's own comment suggests.
//   - SoftMax and LogSoftMax over the last axis subtract the maximum of the
//     wrong row (it begins with the tensor's first element), so large logits
//     overflow. Over an inner axis they are right: rows get a trailing axis of
//     length 1. Their gradient needs the axis named, not left to its default.
//   - Dropout's gradient is scaled by 1/p instead of 1/(1-p). Here the mask is
//     an input that is filled in each step and multiplied.
//   - Two different nodes whose 32-bit hashes collide are merged without a
//     check: any two by the compiler, and those of equal operation, type and
//     shape already by the graph while it grows, so that nothing is left to see.
//     Hashes depend on the names of inputs: grow builds a large graph under two
//     names, compares the numbers of nodes, and tries other names until none
//     are merged.
//   - A slice's hash holds its bounds modulo 256, under every name. The gradient
//     of Concat is a slice per part: of 100 steps joined flat, many would get the
//     gradient of another step. splitPoint and join never make slices of one
//     shape with equal bounds.
//   - Reshape shares memory with its source, and element-wise operations
//     overwrite an operand that the compiler thinks dead. reshape copies where
//     both could meet.
//   - GlobalAveragePool2D has no gradient, and Mean(x, 2, 3) of four axes is
//     wrong. Here it is two means in a row.
//   - BatchNorm(x, nil, nil) makes a scale as large as x: scale and bias are
//     always given. Its running statistics are set after the machine is made,
//     since NewTapeMachine resets them.
//   - A node holds its value until it is computed again. A checkpointed segment
//     lets go of them after each pass: see release.
//   - A node's Value after a run may be another node's: the memory is reused.
//     Results leave the graph through Read nodes.
//   - The gradients of BatchNorm's scale and bias are wrong for maps of width 1
//     and height 3 or more: they are sums over the height, and a sum over an
//     axis in front of a last one of length 1 takes the wrong elements. Such
//     programs are refused.
//   - Softplus returns x itself above 16, so the sigmoid cross-entropy of an
//     example that is as good as certain is 0 where e^-16 = 1e-7 is right: it
//     shows in float64 only, in losses that have all but vanished.
//   - Slices turn a tensor of one number into a scalar, which products refuse,
//     some by ending the process. Programs that come to that are refused.
//   - The machine must be Reset after every run: operations that find their
//     result register filled take its contents for their input.
//
// MaxPool2D panics in its gradient when a window holds no number above
// -MaxFloat, that is NaN or -Inf in all places: a diverged run. The panic is
// in a goroutine of the library, where no caller can recover; it ends the
// process. Every trial has a process of its own, so the harness sees one
// crashed trial and goes on.
//
// Checkpointing is a graph per segment: see chain. There are no 16-bit floats in
// the library.
//
// An LSTM is unrolled, dozens of nodes per time step and layer. Compile time
// grows with the square of the node count: the code generator scans its map of
// registers once per operand (about three seconds of CPU for two layers of 100
// steps). The gradient of an embedding is a dense table, allocated in every
// step; so is every intermediate result, which keeps the garbage collector busy.
package gorgonia
