package report

import (
	"strings"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// starSection is the articles' star table [T1], measured.
type starSection struct {
	section
	Frameworks []frameworkHead
	Wide       int // columns of a row that was not measured
	Rows       []starRow
	Rules      []text
	Panels     []costPanel
}

// opinions are the stars that the source article gave, by aspect.
var opinions = map[frameworks.Aspect]map[string]int{
	frameworks.Training:    {frameworks.TensorFlow: 4, frameworks.PyTorch: 4},
	frameworks.Inference:   {frameworks.TensorFlow: 5, frameworks.PyTorch: 4},
	frameworks.Memory:      {frameworks.TensorFlow: 4, frameworks.PyTorch: 4},
	frameworks.Distributed: {frameworks.TensorFlow: 5, frameworks.PyTorch: 4},
	frameworks.Mobile:      {frameworks.TensorFlow: 5, frameworks.PyTorch: 3},
}

// aspectWord names a row as the articles do.
func aspectWord(a frameworks.Aspect) text {
	zh := map[frameworks.Aspect]string{
		frameworks.Training: "训练速度", frameworks.Inference: "推理速度", frameworks.Memory: "内存效率",
		frameworks.Distributed: "分布式训练", frameworks.Mobile: "移动端部署",
	}
	return text{strings.ToUpper(string(a[:1])) + string(a[1:]), zh[a]}
}

// aspectID is the anchor of a row.
func aspectID(a frameworks.Aspect) string {
	return map[frameworks.Aspect]string{
		frameworks.Training: "stars-train", frameworks.Inference: "stars-infer", frameworks.Memory: "stars-memory",
		frameworks.Distributed: "stars-distributed", frameworks.Mobile: "stars-mobile",
	}[a]
}

func (v *view) stars() starSection {
	j := v.judged()
	s := starSection{section: section{
		ID: "stars", Nav: text{"The star table", "星级表"},
		Title: text{"The star table, measured", "星级表：实测结果"},
		Lead: text{
			"The articles gave stars by opinion. Here each star follows from measured cost by one printed rule, and a row that nobody measured stays empty. Small print says what the article had.",
			"文章凭印象给星；这里的每颗星都由实测开销按一条公开规则得出，没有测过的行就空着。小字为原文所给的星数。",
		},
	}, Rules: v.starRules()}
	for _, f := range j.subject.Frameworks {
		s.Frameworks = append(s.Frameworks, headOf(f))
	}
	s.Wide = len(s.Frameworks) + 1
	for _, r := range j.rows {
		s.Rows = append(s.Rows, v.starRow(r))
		if r.Lowest >= 0 || r.Needed > 0 {
			s.Panels = append(s.Panels, v.costPanel(r))
		}
	}
	return s
}

// starRules print the rule; the method section of the page need not.
func (v *view) starRules() []text {
	p := v.judged().subject.Policy
	return []text{
		{
			"Stars = 5 − log₂(cost ÷ lowest cost in the row), to the nearest half, at least 1: each doubling of the cost takes one star. Cost of speed: time per example; cost of memory: what the workload took, the peak of the process tree (PSS) in memory trials less its level after import, which is the size of a library; the whole process’s peak stands beside it in words and is not rated. Of speed, cost ÷ lowest is the geometric mean over the workloads of the ratios paired by round, as verdicts see them; of memory, that of the ratios of medians. Each framework stands with its entry of smallest median on each workload. The tables of entries below have ratios of medians throughout, which are other figures.",
			"星数 = 5 − log₂(开销 ÷ 该行最低开销)，取最接近的半星，至少 1 星：开销每翻一倍少一颗星。速度的开销是每个样本的时间；内存的开销是负载本身所占：内存试验中进程树的峰值（PSS）减去导入后的水平，后者只是库本身的大小；整个进程的峰值以文字附在旁边，不参与评级。速度的“开销 ÷ 最低开销”是按轮配对之比在各负载上的几何平均，与下结论所用的比值相同；内存则是中位数之比的几何平均。每个框架在每个负载上由中位数最小的形式代表。下方各形式的表中一律为中位数之比，与此不是同一个数字。",
		},
		textf(
			"Two frameworks whose mean is not shown to differ by more than %[1]s share the higher rating. Each pair of frameworks in a row is a question of its own: all pairs of their entries on all workloads of the row share a chance of %[2]s of any wrong verdict, so choosing the best entry afterwards adds no wrong verdicts.",
			"若不能证明两个框架的平均开销相差超过 %[1]s，两者都取较高的星数。每行中每两个框架构成一个独立的问题：两者的所有形式在该行所有负载上的全部配对，共用 %[2]s 的误判概率，因此事后挑选最优形式不会增加误判。",
			percent(p.MinEffect), percent(p.Alpha)),
		{
			"A workload that a framework could not finish, or not provably right, leaves the row for all, and the row says so; a framework that finished less than half of them is not rated.",
			"若某个框架未能完成某个负载，或未能证明结果正确，该负载对所有框架都不计入，并在行内注明；完成不到一半的框架不予评级。",
		},
	}
}

// articleStars are the article's, in words.
func articleStars(a frameworks.Aspect) text {
	o := opinions[a]
	return textf("article: TensorFlow %d, PyTorch %d", "原文：TensorFlow %d 星，PyTorch %d 星", o[frameworks.TensorFlow], o[frameworks.PyTorch])
}
