package report

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// remark shows a sentence that compare or a worker wrote in English. What
// compare always says alike is translated; anything else stands in the Chinese
// text as a quotation, behind a Chinese phrase.
func remark(s string) text {
	s = line(s)
	if s == "" {
		return text{}
	}
	return text{s, chinese(s)}
}

// remarks are the sentences of compare and results. A tail that is free text is
// captured last and translated by itself.
var remarks = []struct {
	en   *regexp.Regexp
	zh   string // $1, $2: what was captured
	tail bool
}{
	{regexp.MustCompile(`^no trial in a complete round$`), "没有属于完整轮次的试验", false},
	{regexp.MustCompile(`^(\d+) failed beside (\d+) valid trials; the first: (.+)$`), "$2 次有效试验之外另有 $1 次失败；首次失败：", true},
	{regexp.MustCompile(`^not proven the same work: (.+)$`), "未能证明计算相同：", true},
	{regexp.MustCompile(`^gradients not checked: (.+)$`), "梯度未核对：", true},
	{regexp.MustCompile(`^no memory figures: (.+)$`), "没有内存数据：", true},
	{regexp.MustCompile(`^backend (\S+) has no device (\S+)$`), "后端 $1 没有设备 $2", false},
	{regexp.MustCompile(`^precision (\S+), known are \[?([^\]]*)\]?$`), "没有精度 $1，只有 $2", false},
	{regexp.MustCompile(`^precision (\S+): (.+)$`), "没有精度 $1：", true},
	{regexp.MustCompile(`^Gorgonia computes in f32 and f64; its tensors have no 16-bit floats$`), "Gorgonia 以 f32 和 f64 计算，其张量没有 16 位浮点类型", false},
	{regexp.MustCompile(`^the Go backend rounds what is subnormal in float16 to 0 \(([^)]+)\)$`), "其 Go 后端把 float16 的非规格化数舍入为 0（$1）", false},
	{regexp.MustCompile(`^op (\S+)(?: \S+)?$`), "没有算子 $1", false},
	{regexp.MustCompile(`^checkpointing$`), "梯度检查点", false},
	{regexp.MustCompile(`^accumulation$`), "梯度累积", false},
	{regexp.MustCompile(`^training: this worker infers only$`), "训练：该工作进程只做推理", false},
	{regexp.MustCompile(`^data loader: this (?:backend|worker) has no input pipeline of its own$`), "没有自带的输入流水线", false},
	{regexp.MustCompile(`^allocator (\S+): Go programs have their own allocator, not the C library's malloc$`), "内存分配器 $1：Go 程序使用自己的分配器，不用 C 库的 malloc", false},
	{regexp.MustCompile(`^no CUDA device here: (.+)$`), "本机没有 CUDA 设备：", true},
	{regexp.MustCompile(`^NVML is not available: (.+)$`), "NVML 不可用：", true},
	{regexp.MustCompile(`^(libnvidia-ml\S+) not found$`), "找不到 $1", false},
	{regexp.MustCompile(`^the worker did not tell$`), "工作进程未提供", false},
	{regexp.MustCompile(`^a trial was not checked$`), "有试验未经核对", false},
	{regexp.MustCompile(`^no oracle for an opaque workload$`), "该负载不公开模型结构，没有参考答案可供核对", false},
	{regexp.MustCompile(`^(\d+) valid trials?; an interval takes (\d+)$`), "有效试验仅 $1 次；给出区间至少需要 $2 次", false},
	{regexp.MustCompile(`^no trial has a (\S+)$`), "没有试验测得 $1", false},
	{regexp.MustCompile(`^the baseline (.+) is not planned for (\S+)$`), "$2 的计划中没有基准 $1", false},
	{regexp.MustCompile(`^the baseline (\S+) is flaky: (.+)$`), "基准 $1 不稳定：", true},
	{regexp.MustCompile(`^the baseline (\S+) is wrong: (.+)$`), "基准 $1 结果错误：", true},
	{regexp.MustCompile(`^the baseline (\S+) is unsupported: (.+)$`), "基准 $1 不支持该单元：", true},
	{regexp.MustCompile(`^the baseline (\S+) is failed: (.+)$`), "基准 $1 失败：", true},
	{regexp.MustCompile(`^the baseline (\S+) is missing: (.+)$`), "基准 $1 未测量：", true},
	{regexp.MustCompile(`^the baseline (\S+) is unproven: (.+)$`), "基准 $1 未证明：", true},
	{regexp.MustCompile(`^the host was not quiet: (\d+) of (\d+) trials were disturbed$`), "主机并非空闲：$2 次试验中有 $1 次受到干扰", false},
	{regexp.MustCompile(`^(\S+) is (\S+) by wall time, (\S+) by CPU time: (.+)$`), "$1 之比按实际耗时为 $2，按 CPU 时间为 $3：", true},
	{regexp.MustCompile(`^the host was busy, trust neither without a quiet run$`), "主机繁忙；未在空闲的主机上重测之前，两者都不可信", false},
	{regexp.MustCompile(`^the host was busy, so there is no verdict; trust neither without a quiet run$`), "主机繁忙，故不下结论；未在空闲的主机上重测之前，两者都不可信", false},
	{regexp.MustCompile(`^the host was busy, or one side left granted threads idle$`), "主机繁忙，或其中一方未用满所分配的线程", false},
	{regexp.MustCompile(`^one side waited, though nothing disturbed the host$`), "其中一方有等待，而主机未受干扰", false},
	{regexp.MustCompile(`^no verdict: most trials of (\S+) measured for less than (\d+) ms, too short for the harness's clock to confirm$`), "不下结论：$1 的多数试验测量时间不足 $2 ms，无法由主控进程的时钟核实", false},
	{regexp.MustCompile(`^(\d+) rounds? left out: one side has no (\S+)$`), "略去 $1 轮：其中一方没有 $2", false},
	{regexp.MustCompile(`^no round has both sides$`), "没有一轮同时测得双方", false},
	{regexp.MustCompile(`^the ratio moved during the run: its median lies outside of the range that earlier rounds left open$`), "比值在运行期间发生漂移：其中位数落在此前各轮尚未排除的范围之外", false},
	{regexp.MustCompile(`^no single ratio explains all rounds: it moved during the run$`), "没有一个比值能解释所有轮次：比值在运行期间发生漂移", false},
	{regexp.MustCompile(`^incomplete, so not counted: rounds? (.+)$`), "轮次不完整，未计入：第 $1 轮", false},
	{regexp.MustCompile(`^no verdict is possible: (\d+) comparisons share alpha (\S+), which takes more than (\d+) rounds$`), "不可能得出结论：$1 项比较共用误报率 $2，所需轮次多于 $3 轮", false},
	{regexp.MustCompile(`^(.+): not there: the run ended before its first trial$`), "$1 不存在：运行在首次试验之前就已结束", false},
	{regexp.MustCompile(`^(.+): dropped a torn last line of (\d+) bytes$`), "$1：丢弃了末尾写入不完整的一行（$2 字节）", false},
	{regexp.MustCompile(`^(\d+) of (\d+) trials not steady after the longest warm-up$`), "$2 次试验中有 $1 次预热到上限仍未达稳态", false},
	{regexp.MustCompile(`^trials not steady after the longest warm-up$`), "预热到上限仍未达稳态的试验", false},
	{regexp.MustCompile(`^trials measured for less than (\d+) ms, too short for the harness's clock to confirm$`), "测量时间不足 $1 ms、无法由主控进程的时钟核实的试验", false},
	{regexp.MustCompile(`^trials used more CPU than granted$`), "CPU 用量超出分配的试验", false},
	{regexp.MustCompile(`^trials disturbed$`), "受到干扰的试验", false},
	{regexp.MustCompile(`^trials have no (\S+)$`), "没有测得 $1 的试验", false},
	{regexp.MustCompile(`^up to (\S+) CPUs, granted (\d+)$`), "最多 $1 个 CPU，分配 $2 个", false},
	{regexp.MustCompile(`^the curve does not begin like the judged steps$`), "曲线的开头与核对过的各步不符", false},
	{regexp.MustCompile(`^no answer to (\d+) steps within (\S+); the process tree was killed$`), "$2 内未答复 $1 步的请求，已终止进程树", false},

	// Of histories.
	{regexp.MustCompile(`^runs that count: (\d+); a change shows from (\d+) on$`), "计入的运行仅 $1 次；至少 $2 次才能看出变化", false},
	{regexp.MustCompile(`^host (\d+) is not host 1, so its runs are series of their own: (.+)$`), "主机 $1 与主机 1 不同，其运行自成序列：", true},
	{regexp.MustCompile(`^(\S+): its program changed, so there is a series for each$`), "$1：程序已变，各自成序列", false},
	{regexp.MustCompile(`^(\S+): runs with shared imports are series of their own$`), "$1：共享导入的运行自成序列", false},
	{regexp.MustCompile(`^(.+) is left out: the same run as (.+)$`), "略去 $1：与 $2 是同一次运行", false},
	{regexp.MustCompile(`^(.+) is left out: it has no label; hint: dlbench run --label TEXT$`), "略去 $1：没有标签；提示：dlbench run --label TEXT", false},
	{regexp.MustCompile(`^(.+) is left out: its label (".*") is not in the order of labels$`), "略去 $1：其标签 $2 不在标签次序中", false},
	{regexp.MustCompile(`^(.+) is left out: (.+)$`), "略去 $1：", true},
}

// ended is how compare begins the reason of a trial that was not ok: its end,
// and the phase in which it came.
var ended = regexp.MustCompile(`^(wrong|unsupported|protocol|timeout|oom|crashed)(?: in (import|build|first|check|learn|warm-up|measure))?(?:: (.+))?$`)

// captured is what a sentence of remarks takes from the English one.
var captured = regexp.MustCompile(`\$[1-9]`)

// metricZH names metrics that remarks speak of.
var metricZH = map[string]string{
	"step-time": "每步时间", "first-step-time": "第一步时间", "import-time": "导入时间", "build-time": "构建时间", "warmup-time": "预热时间",
	"first-result-time": "首个结果时间", "throughput": "吞吐量", "cpu-per-step": "每步 CPU 时间",
	"latency-p50": "延迟 P50", "latency-p90": "延迟 P90", "latency-p99": "延迟 P99",
	"peak-memory": "内存峰值", "peak-memory-above-import": "高出导入后的内存峰值", "device-memory": "显存",
	"peak-resident": "常驻内存峰值", "peak-resident-above-import": "高出导入后的常驻内存峰值",
}

func chinese(s string) string {
	for _, r := range remarks {
		m := r.en.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		zh := captured.ReplaceAllStringFunc(r.zh, func(group string) string {
			of := m[group[1]-'0']
			return cmp.Or(metricZH[of], of)
		})
		zh = unspaced(text{ZH: zh}).ZH
		if r.tail {
			zh += chinese(m[len(m)-1])
		}
		return zh
	}
	if m := ended.FindStringSubmatch(s); m != nil {
		zh := endBadge(m[1]).Word.ZH
		if m[2] != "" {
			zh = "“" + phaseWord(m[2]).ZH + "”阶段" + zh
		}
		if m[3] != "" {
			zh += "；" + chinese(m[3])
		}
		return zh
	}
	return "英文原文：" + s
}

// doubt is a warning about figures of a panel, with the backends it concerns.
type doubt struct {
	Text    text
	Signals bool // the section on disturbances tells more
	Cells   []doubtCell
}

// Whole reports whether the warning is of cells as such, not of some of their
// trials.
func (d doubt) Whole() bool { return d.Cells[0].Note.Empty() }

type doubtCell struct {
	Backend identity
	Note    text // in how many trials
}

// shown is how much of a reason stands below a table; the part on trials that
// were not ok has it whole.
const shown = 200

// doubts are the warnings about a panel's cells, those of one kind together,
// and why a cell that was measured is not ranked.
func (p *throughputPanel) doubt(c *cell) {
	add := func(of text, signals bool, note text) {
		for i := range p.Doubts {
			if p.Doubts[i].Text == of {
				p.Doubts[i].Cells = append(p.Doubts[i].Cells, doubtCell{c.Backend, note})
				return
			}
		}
		p.Doubts = append(p.Doubts, doubt{of, signals, []doubtCell{{c.Backend, note}}})
	}
	if !c.ranked() && c.throughput().Mid != nil {
		why := c.why()
		add(text{clean(why.EN, shown), clean(why.ZH, shown)}, false, text{})
	}
	for _, w := range c.warnings() {
		w = line(w)
		m := counted.FindStringSubmatch(w)
		if m == nil {
			add(remark(w), false, text{})
			continue
		}
		rest := strings.TrimPrefix(w, m[0])
		kind := "trials " + bracketed.ReplaceAllString(rest, "")
		note := textf("%s of %s", "%[2]s 次中 %[1]s 次", m[1], m[2])
		signals := kind == "trials disturbed"
		if b := bracketed.FindStringSubmatch(rest); b != nil && !signals {
			note = textf("%s (%s)", "%s（%s）", note, remark(b[1]))
		}
		add(remark(kind), signals, note)
	}
}

// reason words the reason of a trial that did not end ok, as it was recorded.
func reason(r *results.Record) text {
	s := clean(r.Reason, 2000)
	if s == "" {
		return text{}
	}
	return text{s, "记录的原因（英文原文）：" + s}
}
