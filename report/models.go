package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// modelSection shows the workloads, layer by layer.
type modelSection struct {
	section
	Models []model
}

type model struct {
	Title   text
	Name    string
	Source  text
	Layers  []layerRow
	Params  string
	FLOPs   string
	Acts    string
	PerStep []text // cost of a step under each of the run's settings
}

type layerRow struct {
	Op, Name            string
	Shape               string
	Params, FLOPs, Acts string
}

func (v *view) models() modelSection {
	s := modelSection{section: section{
		ID: "models", Nav: text{"The models", "模型"},
		Title: text{"The models, layer by layer", "各模型的逐层结构"},
		Lead: text{
			"What every backend was given. Shapes, operations and activations are those of one example, forward; 2 operations per multiply-add. A training step counts one forward pass and two such for the gradients; the roofline leaves out the gradient of the network's input. Parameters and activations are counts of values.",
			"每个后端拿到的都是这些模型。形状、运算量与激活值均按单个样本的一次前向计算；一次乘加计 2 次运算。一个训练步按一次前向加两倍于前向的梯度计算计；屋顶线一节不含首层对网络输入的梯度。参数与激活值以个数计。",
		},
	}}
	seen := map[string]bool{}
	for _, g := range v.groups {
		name := g.Key.Workload
		w, ok := v.run.Meta.Workloads[name]
		if seen[name] || !ok {
			continue
		}
		seen[name] = true
		m := model{Title: g.Title, Name: line(name), Params: whole(w.Params)}
		if a := w.Source["article"]; a != "" {
			m.Source = textf("article %s", "文章 %s", line(a))
			if place := line(w.Source["place"]); place != "" {
				m.Source = textf("%s, %s", "%s，%s", m.Source, place)
			}
		}
		var flops, acts int64
		for _, l := range w.Layers {
			flops += l.FLOPs
			acts += l.Activations
			m.Layers = append(m.Layers, layerRow{
				Op: line(l.Op), Name: line(l.Name), Shape: shape(l.Shape),
				Params: figure(l.Params), FLOPs: figure(l.FLOPs), Acts: figure(l.Activations),
			})
		}
		m.FLOPs, m.Acts = whole(flops), whole(acts)
		for _, h := range v.groups {
			if h.Key.Workload == name {
				m.PerStep = append(m.PerStep, perStep(h))
			}
		}
		s.Models = append(s.Models, m)
	}
	return s
}

func perStep(g *group) text {
	var w results.Work
	for _, c := range g.cells {
		if w = c.work(); w != (results.Work{}) {
			break
		}
	}
	if w == (results.Work{}) {
		return g.Detail
	}
	return textf("%s: %s operations, parameters %s, activations %s per step", "%s：每步 %s 次运算，参数 %s，激活值 %s",
		g.Detail, count(float64(w.ModelFLOPs)), bytesize(float64(w.ParamBytes)), bytesize(float64(w.ActivationBytes)))
}

func shape(dims []int) string {
	if len(dims) == 0 {
		return none
	}
	parts := make([]string, 0, min(len(dims), 9))
	for i, d := range dims {
		if i == 8 {
			parts = append(parts, fmt.Sprintf("… (%d)", len(dims)))
			break
		}
		parts = append(parts, strconv.Itoa(d))
	}
	return strings.Join(parts, "×")
}

// figure shows a count, a dash for none.
func figure(v int64) string {
	if v == 0 {
		return none
	}
	return whole(v)
}
