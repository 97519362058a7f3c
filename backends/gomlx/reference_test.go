package gomlx

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/workloads"
)

// reference evaluates programs by the defining sums, in float64, one loop per
// index: slow, plain, and independent of the graph builder.
type reference struct {
	p      workloads.Program
	params map[string][]float64
	stats  map[string][]float64 // running statistics after the pass
}

// loss returns the mean loss and the logits on a batch (tokens as floats).
func (r *reference) loss(x []float64, labels []int32) (float64, []float64) {
	r.stats = map[string][]float64{}
	outs := make([][]float64, len(r.p.Ops))
	for i, op := range r.p.Ops {
		in, shape := x, r.p.Input.Shape
		if op.In[0] >= 0 {
			in, shape = outs[op.In[0]], r.p.Ops[op.In[0]].Shape
		}
		if op.Op == workloads.OpAdd {
			second := x
			if op.In[1] >= 0 {
				second = outs[op.In[1]]
			}
			sum := slices.Clone(in)
			for j := range sum {
				sum[j] += second[j]
			}
			outs[i] = sum
			continue
		}
		outs[i] = r.op(op, shape, in)
	}
	logits := outs[len(outs)-1]
	k := len(logits) / r.p.Batch
	total := 0.0
	for b, label := range labels {
		row := logits[b*k : (b+1)*k]
		if r.p.Loss.Op == workloads.LossSigmoid {
			total += math.Log1p(math.Exp(-row[0] * float64(2*label-1))) // logits are small
			continue
		}
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v)
		}
		total += math.Log(sum) - row[label]
	}
	return total / float64(r.p.Batch), logits
}

// op applies one op with one input.
func (r *reference) op(op workloads.Op, in []int, x []float64) []float64 {
	w, bias := r.params[op.Name+".weight"], r.params[op.Name+".bias"]
	size := func(shape []int) int {
		n := r.p.Batch
		for _, d := range shape {
			n *= d
		}
		return n
	}
	out := make([]float64, size(op.Shape))
	each := func(fn func(float64) float64) {
		for i, v := range x {
			out[i] = fn(v)
		}
	}
	switch op.Op {
	case workloads.OpDense:
		copy(out, linear(x, w, bias, in[len(in)-1], op.Attr.Units))
	case workloads.OpConv2D:
		r.conv(op, in, x, out)
	case workloads.OpMaxPool2D:
		r.pool(op, in, x, out)
	case workloads.OpAvgPool:
		for i := range out {
			var step, first, count int
			if len(in) == 3 {
				count, step = in[1]*in[2], 1
				first = i * count
			} else {
				count, step = in[0], in[1]
				first = i/in[1]*in[0]*in[1] + i%in[1]
			}
			for k := range count {
				out[i] += x[first+k*step] / float64(count)
			}
		}
	case workloads.OpBatchNorm:
		r.batchNorm(op, in, x, out)
	case workloads.OpLayerNorm:
		d := in[len(in)-1]
		for row := 0; row < len(x); row += d {
			mean, variance := moments(x[row : row+d])
			for j := range d {
				out[row+j] = (x[row+j]-mean)/math.Sqrt(variance+op.Attr.Epsilon)*w[j] + bias[j]
			}
		}
	case workloads.OpReLU:
		each(func(v float64) float64 { return max(v, 0) })
	case workloads.OpGELU:
		each(func(v float64) float64 { return v * 0.5 * math.Erfc(-v/math.Sqrt2) })
	case workloads.OpSigmoid:
		each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	case workloads.OpFlatten, workloads.OpDropout:
		copy(out, x)
	case workloads.OpEmbedding:
		for i, token := range x {
			copy(out[i*op.Attr.Units:], w[int(token)*op.Attr.Units:(int(token)+1)*op.Attr.Units])
		}
	case workloads.OpLSTM:
		r.lstm(op, in, x, out)
	case workloads.OpAttention:
		r.attention(op, in, x, out)
	case workloads.OpLastStep:
		for b := range r.p.Batch {
			copy(out[b*in[1]:(b+1)*in[1]], x[((b+1)*in[0]-1)*in[1]:])
		}
	}
	return out
}

// linear is x.w^T + bias over rows of n.
func linear(x, w, bias []float64, n, units int) []float64 {
	out := make([]float64, len(x)/n*units)
	for row := range len(x) / n {
		for u := range units {
			sum := 0.0
			if bias != nil {
				sum = bias[u]
			}
			for k := range n {
				sum += x[row*n+k] * w[u*n+k]
			}
			out[row*units+u] = sum
		}
	}
	return out
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, variance
}

func (r *reference) conv(op workloads.Op, in []int, x, out []float64) {
	w, bias := r.params[op.Name+".weight"], r.params[op.Name+".bias"]
	a := op.Attr
	at := 0
	for b := range r.p.Batch {
		for f := range a.Filters {
			for i := range op.Shape[1] {
				for j := range op.Shape[2] {
					if bias != nil {
						out[at] = bias[f]
					}
					for c := range in[0] {
						for u := range a.Kernel {
							for v := range a.Kernel {
								row, col := i*a.Stride+u-a.Pad, j*a.Stride+v-a.Pad
								if row < 0 || col < 0 || row >= in[1] || col >= in[2] {
									continue
								}
								out[at] += w[((f*in[0]+c)*a.Kernel+u)*a.Kernel+v] * x[((b*in[0]+c)*in[1]+row)*in[2]+col]
							}
						}
					}
					at++
				}
			}
		}
	}
}

func (r *reference) pool(op workloads.Op, in []int, x, out []float64) {
	at := 0
	for m := range r.p.Batch * in[0] {
		for i := range op.Shape[1] {
			for j := range op.Shape[2] {
				out[at] = math.Inf(-1)
				for u := range op.Attr.Size {
					for v := range op.Attr.Size {
						out[at] = max(out[at], x[(m*in[1]+i*op.Attr.Stride+u)*in[2]+j*op.Attr.Stride+v])
					}
				}
				at++
			}
		}
	}
}

func (r *reference) batchNorm(op workloads.Op, in []int, x, out []float64) {
	channels, positions := in[0], 1
	for _, d := range in[1:] {
		positions *= d
	}
	index := func(b, c, k int) int { return (b*channels+c)*positions + k }
	for c := range channels {
		var values []float64
		for b := range r.p.Batch {
			values = append(values, x[index(b, c, 0):index(b, c, 0)+positions]...)
		}
		n := float64(len(values))
		mean, variance := moments(values)
		oldMean, oldVar := r.params[op.Name+".running_mean"][c], r.params[op.Name+".running_var"][c]
		m := op.Attr.Momentum
		r.stats[op.Name+".running_mean"] = append(r.stats[op.Name+".running_mean"], (1-m)*oldMean+m*mean)
		r.stats[op.Name+".running_var"] = append(r.stats[op.Name+".running_var"], (1-m)*oldVar+m*variance*n/(n-1))
		if r.p.Mode == workloads.Infer {
			mean, variance = oldMean, oldVar
		}
		for b := range r.p.Batch {
			for k := range positions {
				i := index(b, c, k)
				out[i] = (x[i]-mean)/math.Sqrt(variance+op.Attr.Epsilon)*r.params[op.Name+".weight"][c] + r.params[op.Name+".bias"][c]
			}
		}
	}
}

func (r *reference) lstm(op workloads.Op, in []int, x, out []float64) {
	steps, n, units := in[0], in[1], op.Attr.Units
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	for b := range r.p.Batch {
		h, c := make([]float64, units), make([]float64, units)
		for t := range steps {
			z := linear(x[(b*steps+t)*n:(b*steps+t+1)*n], r.params[op.Name+".weight_ih"], r.params[op.Name+".bias"], n, 4*units)
			for k, v := range linear(h, r.params[op.Name+".weight_hh"], nil, units, 4*units) {
				z[k] += v
			}
			for u := range units {
				c[u] = sigmoid(z[units+u])*c[u] + sigmoid(z[u])*math.Tanh(z[2*units+u])
				h[u] = sigmoid(z[3*units+u]) * math.Tanh(c[u])
			}
			copy(out[(b*steps+t)*units:], h)
		}
	}
}

func (r *reference) attention(op workloads.Op, in []int, x, out []float64) {
	steps, d := in[0], in[1]
	size := d / op.Attr.Heads
	qkv := linear(x, r.params[op.Name+".qkv.weight"], r.params[op.Name+".qkv.bias"], d, 3*d)
	mixed := make([]float64, len(x))
	for b := range r.p.Batch {
		for h := range op.Attr.Heads {
			at := func(part, t, k int) float64 { return qkv[(b*steps+t)*3*d+part*d+h*size+k] }
			for q := range steps {
				weights, sum := make([]float64, steps), 0.0
				for k := range steps {
					if op.Attr.Causal && k > q {
						continue
					}
					score := 0.0
					for j := range size {
						score += at(0, q, j) * at(1, k, j)
					}
					weights[k] = math.Exp(score / math.Sqrt(float64(size)))
					sum += weights[k]
				}
				for k, weight := range weights {
					for j := range size {
						mixed[(b*steps+q)*d+h*size+j] += weight / sum * at(2, k, j)
					}
				}
			}
		}
	}
	copy(out, linear(mixed, r.params[op.Name+".out.weight"], r.params[op.Name+".out.bias"], d, d))
}
