// Package workloads describes deep-learning work without naming a framework,
// and says what the right answer is.
//
// A [Spec] is what an author writes, usually as YAML ([Load]): a sequence of
// layers with a loss, an optimizer and a recipe for data. [Spec.Resolve] turns
// it, together with [Settings], into a [Program]: a flat list of ops with every
// shape and attribute stated, so that two frameworks cannot differ by their
// defaults. [Cache] writes a program's initial parameters and batches once, so
// that all frameworks start from the same bytes. A [Golden] holds what the
// program computes in float64, and [Judge] holds a framework's answer to it.
//
// The ops carry chains of layers and residual blocks. They have no
// concatenation along channels, so a DenseNet or Inception block cannot be
// written: such a model would be a worker of its own, timed but not proven.
//
// The package imports no other package of dlbench but strictyaml.
package workloads
