package gorgonia

import (
	"math"

	"github.com/dlbench/dlbench/workloads"
)

// reference computes a program forward in plain float64 loops, one example at
// a time except where statistics cross examples. It shares no code with the
// package under test.
type reference struct {
	p      workloads.Program
	params map[string][]float64
}

// logits returns [examples][K] for x [examples][elements of one example].
func (r reference) logits(x [][]float64) [][]float64 {
	outs := make([][][]float64, len(r.p.Ops))
	for i, o := range r.p.Ops {
		in, shape := x, r.p.Input.Shape
		if o.In[0] >= 0 {
			in, shape = outs[o.In[0]], r.p.Ops[o.In[0]].Shape
		}
		if o.Op == workloads.OpBatchNorm {
			outs[i] = r.batchNorm(o, in, shape)
			continue
		}
		outs[i] = make([][]float64, len(in))
		for e := range in {
			var other []float64
			if o.Op == workloads.OpAdd {
				other = x[e]
				if o.In[1] >= 0 {
					other = outs[o.In[1]][e]
				}
			}
			outs[i][e] = r.one(o, in[e], other, shape)
		}
	}
	return outs[len(outs)-1]
}

// loss is the mean over examples, from logits.
func (r reference) loss(x [][]float64, y []int32) float64 {
	var sum float64
	for e, z := range r.logits(x) {
		if r.p.Loss.Op == workloads.LossSigmoid {
			q := 1 / (1 + math.Exp(-z[0]))
			sum -= float64(y[e])*math.Log(q) + float64(1-y[e])*math.Log(1-q)
			continue
		}
		var total float64
		for _, v := range z {
			total += math.Exp(v)
		}
		sum -= math.Log(math.Exp(z[y[e]]) / total)
	}
	return sum / float64(len(y))
}

func (r reference) one(o workloads.Op, x, other []float64, shape []int) []float64 {
	out := make([]float64, size(o.Shape))
	switch o.Op {
	case workloads.OpDense:
		return r.rows(o.Name+".weight", o.Name+".bias", x, shape[len(shape)-1], o.Attr.Units, o.Attr.Bias)
	case workloads.OpConv2D:
		return r.conv(o, x, shape)
	case workloads.OpMaxPool2D:
		for i := range out {
			c, h, w := i/(o.Shape[1]*o.Shape[2]), i/o.Shape[2]%o.Shape[1], i%o.Shape[2]
			out[i] = math.Inf(-1)
			for a := range o.Attr.Size {
				for b := range o.Attr.Size {
					out[i] = max(out[i], x[(c*shape[1]+h*o.Attr.Stride+a)*shape[2]+w*o.Attr.Stride+b])
				}
			}
		}
	case workloads.OpAvgPool:
		for i, v := range x {
			k := i / (len(x) / shape[0])
			if len(shape) == 2 {
				k = i % shape[1]
			}
			out[k] += v / float64(len(x)/len(out))
		}
	case workloads.OpLayerNorm:
		w, b, d := r.params[o.Name+".weight"], r.params[o.Name+".bias"], shape[len(shape)-1]
		for at := 0; at < len(x); at += d {
			mean, variance := moments(x[at : at+d])
			for i := range d {
				out[at+i] = (x[at+i]-mean)/math.Sqrt(variance+o.Attr.Epsilon)*w[i] + b[i]
			}
		}
	case workloads.OpReLU:
		for i, v := range x {
			out[i] = max(v, 0)
		}
	case workloads.OpSigmoid:
		for i, v := range x {
			out[i] = 1 / (1 + math.Exp(-v))
		}
	case workloads.OpFlatten:
		copy(out, x)
	case workloads.OpAdd:
		for i, v := range x {
			out[i] = v + other[i]
		}
	case workloads.OpEmbedding:
		w := r.params[o.Name+".weight"]
		for t, token := range x {
			copy(out[t*o.Attr.Units:(t+1)*o.Attr.Units], w[int(token)*o.Attr.Units:])
		}
	case workloads.OpLastStep:
		copy(out, x[len(x)-len(out):])
	case workloads.OpLSTM:
		return r.lstm(o, x, shape)
	case workloads.OpAttention:
		return r.attention(o, x, shape)
	case workloads.OpDropout:
		copy(out, x)
	default:
		panic("reference: no " + o.Op)
	}
	return out
}

func (r reference) rows(weight, bias string, x []float64, in, units int, biased bool) []float64 {
	w := r.params[weight]
	out := make([]float64, len(x)/in*units)
	for i := range out {
		row, u := i/units, i%units
		if biased {
			out[i] = r.params[bias][u]
		}
		for k := range in {
			out[i] += x[row*in+k] * w[u*in+k]
		}
	}
	return out
}

func (r reference) conv(o workloads.Op, x []float64, shape []int) []float64 {
	w, a, out := r.params[o.Name+".weight"], o.Attr, make([]float64, size(o.Shape))
	for i := range out {
		f, h, wd := i/(o.Shape[1]*o.Shape[2]), i/o.Shape[2]%o.Shape[1], i%o.Shape[2]
		if a.Bias {
			out[i] = r.params[o.Name+".bias"][f]
		}
		for c := range shape[0] {
			for ky := range a.Kernel {
				for kx := range a.Kernel {
					y, xx := h*a.Stride+ky-a.Pad, wd*a.Stride+kx-a.Pad
					if y < 0 || y >= shape[1] || xx < 0 || xx >= shape[2] {
						continue
					}
					out[i] += x[(c*shape[1]+y)*shape[2]+xx] * w[((f*shape[0]+c)*a.Kernel+ky)*a.Kernel+kx]
				}
			}
		}
	}
	return out
}

func (r reference) lstm(o workloads.Op, x []float64, shape []int) []float64 {
	n, in := o.Attr.Units, shape[1]
	h, c := make([]float64, n), make([]float64, n)
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	var out []float64
	for t := range shape[0] {
		pre := r.rows(o.Name+".weight_ih", o.Name+".bias", x[t*in:(t+1)*in], in, 4*n, true)
		for i, v := range r.rows(o.Name+".weight_hh", "", h, n, 4*n, false) {
			pre[i] += v
		}
		for u := range n {
			c[u] = sigmoid(pre[n+u])*c[u] + sigmoid(pre[u])*math.Tanh(pre[2*n+u])
		}
		for u := range n {
			h[u] = sigmoid(pre[3*n+u]) * math.Tanh(c[u])
		}
		out = append(out, h...)
	}
	return out
}

func (r reference) attention(o workloads.Op, x []float64, shape []int) []float64 {
	steps, d := shape[0], shape[1]
	qkv := r.rows(o.Name+".qkv.weight", o.Name+".qkv.bias", x, d, 3*d, true)
	at := func(part, t, i int) float64 { return qkv[t*3*d+part*d+i] }
	context, size := make([]float64, steps*d), d/o.Attr.Heads
	for head := range o.Attr.Heads {
		for t := range steps {
			weights := make([]float64, steps)
			var total float64
			for s := range steps {
				if o.Attr.Causal && s > t {
					continue
				}
				var dot float64
				for i := head * size; i < (head+1)*size; i++ {
					dot += at(0, t, i) * at(1, s, i)
				}
				weights[s] = math.Exp(dot / math.Sqrt(float64(size)))
				total += weights[s]
			}
			for s, w := range weights {
				for i := head * size; i < (head+1)*size; i++ {
					context[t*d+i] += w / total * at(2, s, i)
				}
			}
		}
	}
	return r.rows(o.Name+".out.weight", o.Name+".out.bias", context, d, d, true)
}

// batchNorm normalises by the batch in training and by the running statistics
// in inference.
func (r reference) batchNorm(o workloads.Op, x [][]float64, shape []int) [][]float64 {
	out := make([][]float64, len(x))
	for e := range x {
		out[e] = make([]float64, len(x[e]))
	}
	per := size(shape) / shape[0]
	for c := range shape[0] {
		var all []float64
		for e := range x {
			all = append(all, x[e][c*per:(c+1)*per]...)
		}
		mean, variance := moments(all)
		if r.p.Mode == workloads.Infer {
			mean, variance = r.params[o.Name+".running_mean"][c], r.params[o.Name+".running_var"][c]
		}
		for e := range x {
			for i := c * per; i < (c+1)*per; i++ {
				out[e][i] = (x[e][i]-mean)/math.Sqrt(variance+o.Attr.Epsilon)*r.params[o.Name+".weight"][c] + r.params[o.Name+".bias"][c]
			}
		}
	}
	return out
}

// moments returns the mean and the biased variance.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, variance
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
