package claims

import (
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// contenders are TensorFlow and PyTorch, if the run has both.
func contenders(s *frameworks.Subject, o *Outcome) (tf, pt frameworks.Side, ok bool) {
	a, ok1 := s.Framework(frameworks.TensorFlow)
	b, ok2 := s.Framework(frameworks.PyTorch)
	switch {
	case !ok1 && !ok2:
		o.lack(absent("TensorFlow", "PyTorch"))
	case !ok1:
		o.lack(absent("TensorFlow"))
	case !ok2:
		o.lack(absent("PyTorch"))
	}
	return s.Side(a), s.Side(b), ok1 && ok2
}

// shared are the groups that plan both sides.
func shared(groups []frameworks.Group, sides ...frameworks.Side) []frameworks.Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g frameworks.Group) bool {
		return slices.ContainsFunc(sides, func(d frameworks.Side) bool {
			return !slices.ContainsFunc(g.Cells, func(c results.Cell) bool { return d.Has(c.Backend) })
		})
	})
}

func trainEqually(s *frameworks.Subject, o *Outcome) {
	if tf, pt, ok := contenders(s, o); ok {
		o.ask(s, s.Ask(pt, tf, shared(s.Mode("train"), tf, pt), stepTime), frameworks.Equal)
	}
}

func inferFaster(s *frameworks.Subject, o *Outcome) {
	if tf, pt, ok := contenders(s, o); ok {
		o.ask(s, s.Ask(pt, tf, shared(s.Mode("infer"), tf, pt), stepTime), frameworks.Ahead)
	}
}

// ask makes a question's answer the claim's.
func (o *Outcome) ask(s *frameworks.Subject, q frameworks.Question, holds ...frameworks.Result) {
	o.Questions = []frameworks.Question{q}
	o.Verdict = universal(each(q, holds...))
	o.explain(s)
}

func jaxFaster(s *frameworks.Subject, o *Outcome) {
	jax, ok := s.Framework(frameworks.JAX)
	if !ok {
		o.lack(absent("JAX"))
	}
	tf, pt, both := contenders(s, o)
	if !ok || !both {
		return
	}
	others := frameworks.Side{Name: BestOfTwo, Has: func(b string) bool { return tf.Has(b) || pt.Has(b) }}
	groups := shared(append(s.Mode("train"), s.Mode("infer")...), s.Side(jax), tf, pt)
	o.ask(s, s.Ask(others, s.Side(jax), groups, stepTime), frameworks.Ahead)
}

// graphs are the catalog's graph and compiled entries by the eager entry of the
// same framework.
var graphs = map[string][]string{
	"tensorflow": {"tensorflow-function", "tensorflow-xla", "tensorflow-session"},
	"pytorch":    {"pytorch-compile", "pytorch-jit"},
	"jax-eager":  {"jax"},
}

// forms pairs the cells of two entries in every group with both, in the same
// environment: pytorch@2.14.0 with pytorch-jit@2.14.0.
func forms(s *frameworks.Subject, base string, heads ...string) []frameworks.Pair {
	var pairs []frameworks.Pair
	for _, g := range s.Groups {
		for _, c := range g.Cells {
			entry, version, _ := strings.Cut(c.Backend, "@")
			if !slices.Contains(heads, entry) || !s.Of(c.Backend).Known {
				continue
			}
			other := base
			if version != "" {
				other += "@" + version
			}
			if b, ok := g.Planned[other]; ok && s.Of(other).Known {
				pairs = append(pairs, frameworks.Pair{Base: b, Head: c})
			}
		}
	}
	return pairs
}

func graphFaster(s *frameworks.Subject, o *Outcome) {
	var pairs []frameworks.Pair
	for _, eager := range []string{"tensorflow", "pytorch", "jax-eager"} {
		pairs = append(pairs, forms(s, eager, graphs[eager]...)...)
	}
	if len(pairs) == 0 {
		o.lack(Text{
			"no framework of this run has both an eager and a graph entry: dlbench run --suite articles-small",
			"本次运行中没有哪个框架同时有动态图与静态图两种形式：dlbench run --suite articles-small",
		})
		return
	}
	o.ask(s, s.AskPairs(Eager, Graph, pairs, 0, stepTime), frameworks.Ahead)
}

func scriptNoSlower(s *frameworks.Subject, o *Outcome) {
	pairs := forms(s, "pytorch", "pytorch-jit")
	if len(pairs) == 0 {
		o.lack(absent("pytorch-jit"))
		return
	}
	q := s.AskPairs("pytorch", "pytorch-jit", pairs, 0, stepTime)
	o.Questions = []frameworks.Question{q}
	if q.Tally().Behind > 0 {
		o.Verdict = Contradicted
	}
	o.Counts = []Count{{
		Text{"comparisons whose interval excludes a loss of more than the minimum effect", "区间已排除变慢超过最小效应的比较"}, "comparisons",
		[]Counted{{Name: "pytorch-jit", Value: float64(noSlower(q)), Of: float64(len(q.Lines))}},
	}}
	o.lack(Text{"a worker without Python: its absence is not measured", "不含 Python 的工作进程：“脱离 Python”这一半没有测量"})
}

// noSlower counts the lines whose interval excludes that the head is slower by
// more than the minimum effect.
func noSlower(q frameworks.Question) int {
	n := 0
	for _, l := range q.Lines {
		c := l.Comparison
		if c != nil && c.Reason == "" && !c.TooShort && l.Result() != frameworks.Absent && c.Hi != nil && *c.Hi < 1+q.MinEffect {
			n++
		}
	}
	return n
}

func gpuExcels(s *frameworks.Subject, o *Outcome) {
	pairs := variants(s, func(c *results.Cell) bool {
		on := c.Device == "cuda"
		c.Device = "cpu"
		return on
	})
	if len(pairs) == 0 {
		o.lack(Text{
			"no cell on a GPU beside the same one on the CPU: an NVIDIA GPU, and a suite file with device: [cpu, cuda]",
			"没有在 GPU 与 CPU 上都测过的单元：需要 NVIDIA GPU，并在套件文件中写 device: [cpu, cuda]",
		})
		return
	}
	o.ask(s, s.AskPairs(OnCPU, OnGPU, pairs, 0, stepTime), frameworks.Ahead)
}
