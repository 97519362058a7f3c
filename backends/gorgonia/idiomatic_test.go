package gorgonia_test

import (
	"slices"
	"testing"
	"time"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/workloads"
)

// BenchmarkAgainstHandWritten steps MnistCnn in turn with this backend and
// with the same model written the way Gorgonia's own convnet example writes
// it, and reports the ratio of their median times: the price of walking a
// program instead of writing the calls.
func BenchmarkAgainstHandWritten(b *testing.B) {
	const batch = 8
	set := workloads.DefaultSettings()
	set.Batch = batch
	job := shipped(b, "MnistCnn", set, backends.ForTime)
	walker := gorgonia.New()
	if _, err := walker.Build(b.Context(), job); err != nil {
		b.Fatal(err)
	}
	defer walker.Close()
	hand := newConvNet(b, batch)
	var walked, handed []time.Duration
	step := 0
	timed := func(f func() error, times *[]time.Duration) {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*times = append(*times, time.Since(start))
	}
	for b.Loop() {
		run := []int{step % job.Program.Data.Batches}
		pair := []func(){
			func() { timed(func() error { return walker.Run(run) }, &walked) },
			func() { timed(hand.step, &handed) },
		}
		first := step % 2 // neither always runs in the other's warm caches
		pair[first]()
		pair[1-first]()
		step++
	}
	w, h := median(walked), median(handed)
	b.ReportMetric(float64(w)/float64(h), "walker/hand")
	b.ReportMetric(float64(w.Microseconds()), "walker-µs/step")
	b.ReportMetric(float64(h.Microseconds()), "hand-µs/step")
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// convNet is MnistCnn by hand: examples/convnet of the library with the
// article's layers, biases and Adam.
type convNet struct {
	vm     G.VM
	solver G.Solver
	model  []G.ValueGrad
	cost   G.Value
}

func newConvNet(b *testing.B, batch int) *convNet {
	g := G.NewGraph()
	weight := func(name string, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name), G.WithInit(G.GlorotU(1)))
	}
	x := G.NewTensor(g, tensor.Float32, 4, G.WithShape(batch, 1, 28, 28), G.WithName("x"), G.WithInit(G.Gaussian(0, 1)))
	y := G.NewMatrix(g, tensor.Float32, G.WithShape(batch, 10), G.WithName("y"), G.WithInit(oneHot))
	w0, b0 := weight("w0", 32, 1, 3, 3), weight("b0", 1, 32, 1, 1)
	w1, b1 := weight("w1", 64, 32, 3, 3), weight("b1", 1, 64, 1, 1)
	w2, b2 := weight("w2", 1600, 128), weight("b2", 1, 128)
	w3, b3 := weight("w3", 128, 10), weight("b3", 1, 10)

	layer := func(in, w, bias *G.Node) *G.Node {
		c := G.Must(G.Conv2d(in, w, tensor.Shape{3, 3}, []int{0, 0}, []int{1, 1}, []int{1, 1}))
		a := G.Must(G.Rectify(G.Must(G.BroadcastAdd(c, bias, nil, []byte{0, 2, 3}))))
		return G.Must(G.MaxPool2D(a, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}
	p1 := layer(layer(x, w0, b0), w1, b1)
	flat := G.Must(G.Reshape(p1, tensor.Shape{batch, 1600}))
	hidden := G.Must(G.Rectify(G.Must(G.BroadcastAdd(G.Must(G.Mul(flat, w2)), b2, nil, []byte{0}))))
	out := G.Must(G.BroadcastAdd(G.Must(G.Mul(hidden, w3)), b3, nil, []byte{0}))
	losses := G.Must(G.HadamardProd(G.Must(G.LogSoftMax(out, 1)), y))
	cost := G.Must(G.Neg(G.Must(G.Mean(G.Must(G.Sum(losses, 1))))))

	net := &convNet{solver: G.NewAdamSolver(G.WithLearnRate(0.001))}
	G.Read(cost, &net.cost)
	learnables := G.Nodes{w0, b0, w1, b1, w2, b2, w3, b3}
	if _, err := G.Grad(cost, learnables...); err != nil {
		b.Fatal(err)
	}
	net.vm = G.NewTapeMachine(g, G.BindDualValues(learnables...))
	net.model = G.NodesToValueGrads(learnables)
	return net
}

func oneHot(dt tensor.Dtype, shape ...int) any {
	data := make([]float32, tensor.ProdInts(shape))
	for i := 0; i < len(data); i += shape[1] {
		data[i+i/shape[1]%shape[1]] = 1
	}
	return data
}

func (n *convNet) step() error {
	if err := n.vm.RunAll(); err != nil {
		return err
	}
	if err := n.solver.Step(n.model); err != nil {
		return err
	}
	n.vm.Reset()
	return nil
}
