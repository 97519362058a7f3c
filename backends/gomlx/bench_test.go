package gomlx

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// shippedJob is float32 training of a shipped workload on GOMAXPROCS threads.
func shippedJob(t testing.TB, name string, s workloads.Settings) backends.Job {
	t.Helper()
	spec, ok := workloads.Find(name)
	if !ok {
		t.Fatalf("no shipped workload %s", name)
	}
	spec.Data.Batches = 1
	s.Threads = runtime.GOMAXPROCS(0)
	p, err := spec.Resolve(s)
	if err != nil {
		t.Fatal(err)
	}
	job := jobFor(t, p, s)
	job.For = backends.ForTime
	return job
}

func BenchmarkTrainStep(b *testing.B) {
	for _, c := range []struct {
		workload string
		batch    int
	}{{"MnistMlp", 64}, {"MnistCnn", 4}, {"MnistCnn", 32}, {"TextLstmShort", 8}} {
		b.Run(fmt.Sprintf("%s/batch=%d", c.workload, c.batch), func(b *testing.B) {
			s := workloads.DefaultSettings()
			s.Batch = c.batch
			built := build(b, shippedJob(b, c.workload, s))
			batch := []int{0}
			if err := built.Run(batch); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := built.Run(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWalkerOverhead compares the walker with the same models written by
// hand with graph.Exec and tensors, as the library's own examples are, in
// turns. The metric is the median of the ratios of neighbouring steps; 1.02 is
// the bound that the design sets.
func BenchmarkWalkerOverhead(b *testing.B) {
	for _, c := range []struct {
		workload string
		batch    int
		step     func(params []*graph.Node, x, y *graph.Node) []*graph.Node
	}{{"MnistMlp", 64, handMLP}, {"MnistCnn", 4, handCNN}} {
		b.Run(c.workload, func(b *testing.B) {
			s := workloads.DefaultSettings()
			s.Batch = c.batch
			job := shippedJob(b, c.workload, s)
			walker := build(b, job)
			hand := newHandWritten(b, job, walker, c.step)
			batch := []int{0}
			var ratios []float64
			for b.Loop() {
				start := time.Now()
				hand.run(b)
				middle := time.Now()
				if err := walker.Run(batch); err != nil {
					b.Fatal(err)
				}
				ratios = append(ratios, float64(time.Since(middle))/float64(middle.Sub(start)))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "walker/hand")
		})
	}
}

// handWritten is a training loop as a user of the library writes one.
type handWritten struct {
	engine compute.Backend
	exec   *graph.Exec
	state  []*tensors.Tensor
	x, y   *tensors.Tensor
}

// newHandWritten starts from the walker's parameters and batch 0.
func newHandWritten(b *testing.B, job backends.Job, walker *backend, step func([]*graph.Node, *graph.Node, *graph.Node) []*graph.Node) *handWritten {
	b.Helper()
	engine, err := newEngine(job.Settings.Threads)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(engine.Finalize)
	exec, err := graph.NewExec(engine, func(inputs []*graph.Node) []*graph.Node {
		n := len(inputs)
		return step(inputs[:n-2], inputs[n-2], inputs[n-1])
	})
	if err != nil {
		b.Fatal(err)
	}
	h := &handWritten{engine: engine, exec: exec}
	for _, s := range walker.slots {
		if s.initial == nil {
			h.state = append(h.state, tensors.FromShape(s.shape()))
			continue
		}
		switch flat := s.initial.(type) {
		case []float32:
			h.state = append(h.state, tensors.FromFlatDataAndDimensions(slices.Clone(flat), s.dims...))
		case []float64:
			h.state = append(h.state, tensors.FromFlatDataAndDimensions(slices.Clone(flat), s.dims...))
		}
	}
	file, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		b.Fatal(err)
	}
	x := walker.batches[0].parts[0].x
	h.x = tensors.FromFlatDataAndDimensions(file["x"].F32, x.dims...)
	h.y = tensors.FromFlatDataAndDimensions(file["y"].I32, job.Program.Batch)
	first := float64(tensors.ToScalar[float32](h.run(b)))
	if err := walker.Run([]int{0}); err != nil {
		b.Fatal(err)
	}
	loss, err := walker.Read("loss", 0)
	if err != nil {
		b.Fatal(err)
	}
	if want := loss["loss"].Data[0]; !near(first, want, 1e-5) {
		b.Fatalf("the hand-written model computes loss %v, the walker %v", first, want)
	}
	return h
}

// run executes one step and returns its loss, still on the device.
func (h *handWritten) run(b *testing.B) *tensors.Tensor {
	args := make([]any, 0, len(h.state)+2)
	for _, t := range h.state {
		donated, err := graph.DonateTensorBuffer(t, h.engine, 0)
		if err != nil {
			b.Fatal(err)
		}
		args = append(args, donated)
	}
	outputs, err := h.exec.Call(append(args, h.x, h.y)...)
	if err != nil {
		b.Fatal(err)
	}
	n := len(h.state)
	h.state = outputs[:n]
	return outputs[n]
}

func handMLP(p []*graph.Node, x, y *graph.Node) []*graph.Node {
	velocity := p[6:]
	dense := func(x *graph.Node, i int) *graph.Node {
		out := graph.DotGeneral(x, []int{1}, nil, p[i], []int{1}, nil)
		return graph.Add(out, graph.ExpandAxes(p[i+1], 0))
	}
	relu := func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) }
	h := relu(dense(graph.Reshape(x, x.Shape().Dimensions[0], -1), 0))
	h = relu(dense(h, 2))
	loss := handLoss(dense(h, 4), y)
	var params, state []*graph.Node
	for i, g := range graph.Gradient(loss, p[:6]...) {
		v := graph.Add(graph.MulScalar(velocity[i], 0.9), g)
		state = append(state, v)
		params = append(params, graph.Sub(p[i], graph.MulScalar(v, 0.01)))
	}
	return append(append(params, state...), loss)
}

func handLoss(logits, y *graph.Node) *graph.Node {
	logProbs := graph.LogSoftmax(logits, -1)
	chosen := graph.ReduceSum(graph.Mul(logProbs, graph.OneHot(y, 10, logits.DType())), -1)
	return graph.Neg(graph.ReduceAllMean(chosen))
}

// handCNN takes images as [C,B,H,W] and convolves by patches, as the walker
// does: with the library's own Convolve and MaxPool the model would be several
// times slower, or have no gradient at all.
func handCNN(p []*graph.Node, x, y *graph.Node) []*graph.Node {
	relu := func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) }
	conv := func(x *graph.Node, i int) *graph.Node {
		d := x.Shape().Dimensions
		h, w := d[2]-2, d[3]-2
		var patches []*graph.Node
		for r := range 3 {
			for c := range 3 {
				patches = append(patches, graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(r, r+h), graph.AxisRange(c, c+w)))
			}
		}
		columns := graph.Reshape(graph.Concatenate(patches, 0), 9*d[0], d[1]*h*w)
		out := graph.Reshape(graph.MatMul(p[i], columns), -1, d[1], h, w)
		return relu(graph.Add(out, graph.Reshape(p[i+1], -1, 1, 1, 1)))
	}
	pool := func(x *graph.Node) *graph.Node {
		d := x.Shape().Dimensions
		x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, d[2]/2*2), graph.AxisRange(0, d[3]/2*2))
		return graph.ReduceMax(graph.Reshape(x, d[0], d[1], d[2]/2, 2, d[3]/2, 2), 3, 5)
	}
	dense := func(x *graph.Node, i int) *graph.Node {
		out := graph.DotGeneral(x, []int{1}, nil, p[i], []int{1}, nil)
		return graph.Add(out, graph.ExpandAxes(p[i+1], 0))
	}
	maps := pool(conv(pool(conv(x, 0)), 2))
	features := graph.Reshape(graph.TransposeAllAxes(maps, 1, 0, 2, 3), x.Shape().Dimensions[1], -1)
	loss := handLoss(dense(relu(dense(features, 4)), 6), y)

	const beta1, beta2, rate, epsilon = 0.9, 0.999, 0.001, 1e-7
	power1, power2 := graph.MulScalar(p[24], beta1), graph.MulScalar(p[25], beta2)
	correct1 := graph.ConvertDType(graph.OneMinus(power1), dtypes.Float32)
	correct2 := graph.ConvertDType(graph.OneMinus(power2), dtypes.Float32)
	out := make([]*graph.Node, 26, 27)
	out[24], out[25] = power1, power2
	for i, g := range graph.Gradient(loss, p[:8]...) {
		m := graph.Add(graph.MulScalar(p[8+i], beta1), graph.MulScalar(g, 1-beta1))
		v := graph.Add(graph.MulScalar(p[16+i], beta2), graph.MulScalar(graph.Square(g), 1-beta2))
		step := graph.Div(graph.Div(m, correct1), graph.AddScalar(graph.Sqrt(graph.Div(v, correct2)), epsilon))
		out[i], out[8+i], out[16+i] = graph.Sub(p[i], graph.MulScalar(step, rate)), m, v
	}
	return append(out, loss)
}
