package report

import (
	"regexp"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Free text from records is never left bare in the Chinese page: it is
// translated where compare always says it alike, else quoted.
func TestRemarks(t *testing.T) {
	for en, zh := range map[string]string{
		"no trial in a complete round": "没有属于完整轮次的试验",
		"1 failed beside 6 valid trials; the first: protocol in first: ran: too slow": "6 次有效试验之外另有 1 次失败；首次失败：“第一步”阶段违反协议；英文原文：ran: too slow",
		"unsupported in build: no LSTM":                                               "“构建”阶段不支持；英文原文：no LSTM",
		"oom":                                                                         "内存不足",
		"not proven the same work: no oracle for an opaque workload":              "未能证明计算相同：该负载不公开模型结构，没有参考答案可供核对",
		"5 valid trials; an interval takes 6":                                     "有效试验仅 5 次；给出区间至少需要 6 次",
		"1 round left out: one side has no step-time":                             "略去 1 轮：其中一方没有每步时间",
		"trials have no latency-p99":                                              "没有测得延迟 P99 的试验",
		"incomplete, so not counted: round 12":                                    "轮次不完整，未计入：第 12 轮",
		"trials disturbed":                                                        "受到干扰的试验",
		"3 of 7 trials not steady after the longest warm-up":                      "7 次试验中有 3 次预热到上限仍未达稳态",
		"unsupported in import: backend gorgonia has no device cuda":              "“导入”阶段不支持；后端 gorgonia 没有设备 cuda",
		"no CUDA device here: NVML is not available: libnvidia-ml.so.1 not found": "本机没有 CUDA 设备：NVML 不可用：找不到 libnvidia-ml.so.1",
		"unsupported in build: precision f16-mixed, known are [f32 f64]":          "“构建”阶段不支持；没有精度 f16-mixed，只有 f32 f64",
		"unsupported in build: op gelu":                                           "“构建”阶段不支持；没有算子 gelu",
		"unsupported in build: op attention block":                                "“构建”阶段不支持；没有算子 attention",
		"unsupported in build: precision tf32, known are f32, f64":                "“构建”阶段不支持；没有精度 tf32，只有 f32, f64",
		"unsupported in build: precision bf16-mixed: Gorgonia computes in f32 and f64; its tensors have no 16-bit floats": "“构建”阶段不支持；没有精度 bf16-mixed：Gorgonia 以 f32 和 f64 计算，其张量没有 16 位浮点类型",
		"unsupported in build: precision f16: the Go backend rounds what is subnormal in float16 to 0 (compute v0.1.2)":   "“构建”阶段不支持；没有精度 f16：其 Go 后端把 float16 的非规格化数舍入为 0（compute v0.1.2）",
		"unsupported in build: checkpointing":                                                                         "“构建”阶段不支持；梯度检查点",
		"unsupported in build: data loader: this worker has no input pipeline of its own":                             "“构建”阶段不支持；没有自带的输入流水线",
		"unsupported in build: allocator returning: Go programs have their own allocator, not the C library's malloc": "“构建”阶段不支持；内存分配器 returning：Go 程序使用自己的分配器，不用 C 库的 malloc",
		"the worker did not tell":                                                                                                          "工作进程未提供",
		"something that no version has said yet":                                                                                           "英文原文：something that no version has said yet",
		"/run/trials.jsonl:9: dropped a torn last line of 17 bytes":                                                                        "/run/trials.jsonl:9：丢弃了末尾写入不完整的一行（17 字节）",
		"no verdict is possible: 8 comparisons share alpha 0.05, which takes more than 7 rounds":                                           "不可能得出结论：8 项比较共用误报率 0.05，所需轮次多于 7 轮",
		"the baseline gorgonia is flaky: 1 failed beside 6 valid trials; the first: oom":                                                   "基准 gorgonia 不稳定：6 次有效试验之外另有 1 次失败；首次失败：内存不足",
		"the baseline gorgonia is wrong: wrong in check: loss":                                                                             "基准 gorgonia 结果错误：“核对”阶段结果错误；英文原文：loss",
		"the baseline gorgonia is unsupported: unsupported":                                                                                "基准 gorgonia 不支持该单元：不支持",
		"the baseline gorgonia is failed: timeout in first: no reply":                                                                      "基准 gorgonia 失败：“第一步”阶段超时；英文原文：no reply",
		"the baseline gorgonia is missing: no trial in a complete round":                                                                   "基准 gorgonia 未测量：没有属于完整轮次的试验",
		"the baseline gorgonia is unproven: not proven the same work: a trial was not checked":                                             "基准 gorgonia 未证明：未能证明计算相同：有试验未经核对",
		"the host was not quiet: 84 of 144 trials were disturbed":                                                                          "主机并非空闲：144 次试验中有 84 次受到干扰",
		"step-time is 39.0× by wall time, 21.3× by CPU time: the host was busy, trust neither without a quiet run":                         "每步时间之比按实际耗时为 39.0×，按 CPU 时间为 21.3×：主机繁忙；未在空闲的主机上重测之前，两者都不可信",
		"step-time is 1.50× by wall time, 1.01× by CPU time: the host was busy, so there is no verdict; trust neither without a quiet run": "每步时间之比按实际耗时为 1.50×，按 CPU 时间为 1.01×：主机繁忙，故不下结论；未在空闲的主机上重测之前，两者都不可信",
		"step-time is 1.50× by wall time, 1.01× by CPU time: the host was busy, or one side left granted threads idle":                     "每步时间之比按实际耗时为 1.50×，按 CPU 时间为 1.01×：主机繁忙，或其中一方未用满所分配的线程",
		"step-time is 1.50× by wall time, 1.01× by CPU time: one side waited, though nothing disturbed the host":                           "每步时间之比按实际耗时为 1.50×，按 CPU 时间为 1.01×：其中一方有等待，而主机未受干扰",
		"no verdict: most trials of eager measured for less than 10 ms, too short for the harness's clock to confirm":                      "不下结论：eager 的多数试验测量时间不足 10 ms，无法由主控进程的时钟核实",
		"": "",
	} {
		if got := remark(en); got.EN != en || got.ZH != zh {
			t.Errorf("%q: got %q and %q, want %q", en, got.EN, got.ZH, zh)
		}
	}
}

// Warnings of one kind share a line, and each says for whom and how often.
func TestDoubts(t *testing.T) {
	a, b := identify("eager", ""), identify("gomlx", "")
	var p throughputPanel
	p.doubt(&cell{Backend: a, summary: &compare.Summary{Warnings: []string{
		"3 of 7 trials not steady after the longest warm-up", "7 of 7 trials disturbed (other processes ran)",
		"2 of 7 trials used more CPU than granted (up to 1.32 CPUs, granted 1)",
	}}})
	p.doubt(&cell{Backend: b, summary: &compare.Summary{Warnings: []string{
		"1 of 7 trials not steady after the longest warm-up", "6 of 6 trials disturbed (the canary was slow)",
	}}})
	want := []doubt{
		{remark("trials not steady after the longest warm-up"), false, []doubtCell{{a, text{"3 of 7", "7 次中 3 次"}}, {b, text{"1 of 7", "7 次中 1 次"}}}},
		{remark("trials disturbed"), true, []doubtCell{{a, text{"7 of 7", "7 次中 7 次"}}, {b, text{"6 of 6", "6 次中 6 次"}}}},
		{remark("trials used more CPU than granted"), false, []doubtCell{{a, text{"2 of 7 (up to 1.32 CPUs, granted 1)", "7 次中 2 次（最多 1.32 个 CPU，分配 1 个）"}}}},
	}
	if len(p.Doubts) != len(want) {
		t.Fatalf("%+v", p.Doubts)
	}
	for i, d := range p.Doubts {
		if d.Text != want[i].Text || d.Signals != want[i].Signals || len(d.Cells) != len(want[i].Cells) {
			t.Errorf("got %+v, want %+v", d, want[i])
			continue
		}
		for k := range d.Cells {
			if d.Cells[k] != want[i].Cells[k] {
				t.Errorf("got %+v, want %+v", d.Cells[k], want[i].Cells[k])
			}
		}
	}
}

// A long reason stands below the table, not in the row, and whole where the
// trial is shown.
func TestLongReason(t *testing.T) {
	run := resultstest.Golden()
	long := "protocol: " + strings.Repeat("{\"t\":\"ran\"} ", 60) + "the end"
	for i := range run.Records {
		if r := &run.Records[i]; r.End == results.EndCrashed {
			r.End, r.Reason = results.EndProtocol, long
		}
	}
	page := renderHTML(t, run, compare.Analyze(run))
	for _, row := range regexp.MustCompile(`class="vdc">.*</td></tr>`).FindAllString(page, -1) {
		if len(row) > 700 {
			t.Errorf("a verdict of %d bytes: %s", len(row), row)
		}
	}
	if !strings.Contains(between(t, page, `<section id="failures"`, "</section>"), "the end") {
		t.Error("the reason is nowhere whole")
	}
}

// Warnings of the run, which the analysis repeats, stand there once.
func TestWarningsOnce(t *testing.T) {
	run := resultstest.Golden()
	run.Warnings = []string{"trials.jsonl:9: dropped a torn last line of 17 bytes"}
	v := newView(run, compare.Analyze(run))
	n := 0
	for _, w := range v.summary().Warnings {
		if strings.Contains(w.EN, "torn") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d times", n)
	}
}

// A ratio that nothing bounds says so, and is not set in bold.
func TestUnbounded(t *testing.T) {
	run, a := golden(t)
	for i := range a.Groups {
		for j := range a.Groups[i].Comparisons {
			if c := &a.Groups[i].Comparisons[j]; c.Ratio != nil {
				c.Lo, c.Hi, c.Verdict, c.Detectable = nil, nil, compare.Inconclusive, 5.89
			}
		}
	}
	page := between(t, renderHTML(t, run, a), `<section id="throughput"`, "</section>")
	for _, want := range []string{"unbounded", "范围无界", "could show ≥\u00a06.89×", "可分辨 ≥\u00a06.89 倍的差异", `<span class="mut">1.23×</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the section lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>1.23×</b>") {
		t.Error("an undecided ratio in bold")
	}
	if answer := newView(run, a).answer(); !strings.HasPrefix(answer.EN, "None of the comparisons with Gorgonia in this run is decided: dlbench eager is undecided in 4 of 5 comparisons") || !strings.HasPrefix(answer.ZH, "本次运行与 Gorgonia 的各项比较都尚无定论：dlbench eager 5 项比较中 4 项尚无定论") {
		t.Errorf("%s\n%s", answer.EN, answer.ZH)
	}
}

// One is not plural, and all is not "n of n".
func TestCounts(t *testing.T) {
	up := []float64{2.5}
	for _, test := range []struct {
		of     tally
		en, zh string
	}{
		{tally{faster: 1, up: up}, "faster in its one comparison, at an estimated 2.50× the speed of B", "仅有的 1 项比较更快（速度估计为 B 的 2.50 倍）"},
		{tally{slower: 2, down: []float64{0.5, 0.25}}, "slower in all 2 comparisons, at an estimated 0.250× to 0.500× the speed of B", "全部 2 项比较均更慢（速度估计为 B 的 0.250 至 0.500 倍）"},
		{tally{faster: 1, up: up, undecided: 2, without: 1}, "faster in 1 of 4 comparisons, at an estimated 2.50× the speed of B, undecided in 2, not comparable in 1", "4 项比较中 1 项更快（速度估计为 B 的 2.50 倍），2 项尚无定论，1 项无法比较"},
	} {
		if got := test.of.clause("B"); got.EN != test.en || got.ZH != test.zh {
			t.Errorf("got %q and %q", got.EN, got.ZH)
		}
	}
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 7})
	for _, s := range []string{">1 trials", ">1 comparisons", " 1 threads", " 1 cores"} {
		if strings.Contains(renderHTML(t, run, compare.Analyze(run)), s) {
			t.Errorf("%q on the page", s)
		}
	}
}

// Percentiles that no cell carries are a sentence, not a column.
func TestLatencyColumns(t *testing.T) {
	run, a := golden(t)
	v := newView(run, a)
	for _, p := range v.latency().Panels {
		for _, head := range p.Heads {
			if head == "p99" {
				t.Errorf("%s has p99 from 20 steps", p.Title.EN)
			}
		}
		for _, r := range p.Rows {
			if len(r.Figures) != 0 && len(r.Figures) != len(p.Heads) {
				t.Errorf("%d figures under %d heads", len(r.Figures), len(p.Heads))
			}
		}
	}
	page := renderHTML(t, run, a)
	for _, want := range []string{"No p99: needs 662 steps, has 20.", "不给出 p99：需 662 步，仅 20 步。"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// What a suite's author has to say is not cut where a table would cut it.
func TestNotesAreWhole(t *testing.T) {
	run, a := golden(t)
	note := strings.Repeat("word ", 200) + "end."
	run.Meta.Notes = map[string]string{"en": note, "zh": "完。"}
	if got := newView(run, a).summary().Notes[0]; got.EN != note || got.ZH != "完。" {
		t.Errorf("got %v", got)
	}
	run.Meta.Notes["en"] = strings.Repeat("x", 1<<20)
	if got := newView(run, a).summary().Notes[0]; len(got.EN) > noteLimit+10 {
		t.Errorf("a note of %d characters", len(got.EN))
	}
}

func TestUnspaced(t *testing.T) {
	for zh, want := range map[string]string{
		"3 个 中 的 一 个":      "3 个中的一个",
		"与 PyTorch 相比":     "与 PyTorch 相比",
		"f32、1 线程 的峰值":     "f32、1 线程的峰值",
		"负载 上  TensorFlow": "负载上  TensorFlow",
	} {
		if got := unspaced(text{ZH: zh}).ZH; got != want {
			t.Errorf("%q: %q, want %q", zh, got, want)
		}
	}
}
