package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// ledgerRow is one condition, with a value per backend.
type ledgerRow struct {
	Label  text
	Values []text
	Differ bool
}

// spoken is a backend with the records of the trials in which its worker said
// what it is, and what those trials were planned to be.
type spoken struct {
	backend string
	records []*results.Record
	cells   []*cell
}

// ledger says for each condition what held for each backend. A backend that
// never spoke differs in nothing.
func (v *view) ledger() []ledgerRow {
	all := make([]spoken, len(v.backends))
	for i, b := range v.backends {
		all[i].backend = b.Name
		for _, t := range v.trials {
			if r := t.Record; r.Cell.Backend == b.Name && r.Worker.Kind != "" {
				all[i].records = append(all[i].records, r)
			}
		}
		for _, c := range v.cells() {
			if c.Cell.Backend == b.Name {
				all[i].cells = append(all[i].cells, c)
			}
		}
	}
	var rows []ledgerRow
	// key is what makes two backends differ: counts of trials do not.
	row := func(en, zh string, of func(spoken) (word text, key string)) {
		r := ledgerRow{Label: text{en, zh}}
		var keys []string
		for _, s := range all {
			word, key := text{}, ""
			if len(s.records) > 0 {
				word, key = of(s)
			}
			if word.Empty() {
				r.Values = append(r.Values, same(none))
				continue
			}
			r.Values = append(r.Values, word)
			keys = append(keys, key)
		}
		slices.Sort(keys)
		r.Differ = len(slices.Compact(keys)) > 1
		rows = append(rows, r)
	}
	row("kind", "类型", said(known, func(w results.Worker) string { return w.Kind }))
	row("versions", "版本", said(plainly, func(w results.Worker) string { return pairs(w.Versions) }))
	row("dialect", "算法变体", said(plainly, func(w results.Worker) string { return pairs(w.Dialect) }))
	if slices.ContainsFunc(all, func(s spoken) bool {
		return slices.ContainsFunc(s.records, func(r *results.Record) bool { return len(r.Worker.Kernels) > 0 })
	}) {
		row("kernels", "计算内核", said(plainly, func(w results.Worker) string { return pairs(w.Kernels) }))
	}
	row("data types", "数据类型", said(parts, func(w results.Worker) string { return pairs(w.DTypes) }))
	row("effective threads, as reported", "实际线程数（自报）", effectiveThreads)
	row("cells that used more CPU than granted", "CPU 用量超出分配的单元", aboveGrant)
	row("denormals flushed to zero", "非规格化数按零处理", said(answers, func(w results.Worker) string { return yesNo(w.FlushDenormals) }))
	row("matrix products through TF32", "矩阵乘法使用 TF32", said(answers, func(w results.Worker) string {
		if w.TF32 == nil {
			return "not said"
		}
		return yesNo(*w.TF32)
	}))
	row("segments recomputed", "重新计算的段数", said(plainly, func(w results.Worker) string { return strconv.Itoa(w.Segments) }))
	row("memory allocator", "内存分配器", allocators)
	row("environment variables of its own", "专有的环境变量", func(s spoken) (text, string) {
		env := v.run.Meta.Backends[s.backend].Env
		if len(env) == 0 {
			return text{"none", "无"}, ""
		}
		var list []string
		for _, k := range slices.Sorted(maps.Keys(env)) {
			list = append(list, k+"="+env[k])
		}
		return same(line(strings.Join(list, " "))), strings.Join(list, "\x00")
	})
	row("compile cache at the first step", "第一步时的编译缓存", compileCache)
	row("processes", "进程", processes)
	return rows
}

// said collects what the workers of a backend said of one thing, in any of
// their trials.
func said(word func([]string) text, f func(results.Worker) string) func(spoken) (text, string) {
	return func(s spoken) (text, string) {
		var values []string
		for _, r := range s.records {
			if x := f(r.Worker); x != "" && !slices.Contains(values, x) {
				values = append(values, x)
			}
		}
		if len(values) == 0 {
			return text{}, ""
		}
		slices.Sort(values)
		return word(values), strings.Join(values, "\x00")
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// effectiveThreads shows how many threads workers report, and the grant where
// it is another.
func effectiveThreads(s spoken) (text, string) {
	type pair struct{ effective, granted int }
	var all []pair
	for _, r := range s.records {
		if p := (pair{r.Worker.Threads, r.Cell.Threads}); p.effective > 0 && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b pair) int { return 1000*(a.granted-b.granted) + a.effective - b.effective })
	var words []text
	var key []string
	for _, p := range all {
		if p.effective == p.granted {
			words = append(words, same(strconv.Itoa(p.effective)))
		} else {
			words = append(words, textf("%d (granted %d)", "%d（分配 %d）", p.effective, p.granted))
		}
		key = append(key, words[len(words)-1].EN)
	}
	return joined(words, ", ", "，"), strings.Join(key, "\x00")
}

// aboveGrant counts the measured cells whose median use of CPUs is above what
// they were granted, and names the worst.
func aboveGrant(s spoken) (text, string) {
	over, measured, worst, granted := 0, 0, 0.0, 0
	for _, c := range s.cells {
		used, ok := c.cpus()
		if !ok {
			continue
		}
		measured++
		if c.overGrant(used) {
			over++
			if used/float64(c.Cell.Threads) > worst {
				worst, granted = used/float64(c.Cell.Threads), c.Cell.Threads
			}
		}
	}
	switch {
	case measured == 0:
		return text{}, ""
	case over == 0:
		return text{"none", "无"}, "none"
	}
	return textf("%d of %d: up to %s CPUs, granted %d", "%[2]d 个中 %[1]d 个：最多 %[3]s 个 CPU，分配 %[4]d 个", over, measured, sig(worst*float64(granted)), granted), "over"
}

// allocators names the allocators of the backend's cells that were run.
func allocators(s spoken) (text, string) {
	var words []text
	var key []string
	for _, r := range s.records {
		word := text{"default", "默认"}
		switch a := r.Cell.Allocator; a {
		case "":
		case "tuned":
			word = text{"tuned", "调优"}
		case "returning":
			word = text{"returning", "释放即归还"}
		default:
			word = foreign(a)
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
			key = append(key, word.EN)
		}
	}
	slices.Sort(key)
	return joined(words, ", ", "，"), strings.Join(key, "\x00")
}

// compileCache counts in how many trials what a first step compiles had to be
// compiled, and in how many it lay on disk.
func compileCache(s spoken) (text, string) {
	n := map[string]int{}
	for _, r := range s.records {
		if c := r.Worker.CompileCache; c != "" {
			n[c]++
		}
	}
	if len(n) == 0 {
		return text{"none", "无"}, ""
	}
	var words []text
	for _, c := range slices.Sorted(maps.Keys(n)) {
		word := foreign(c)
		switch c {
		case "cold":
			word = text{"cold", "冷"}
		case "warm":
			word = text{"warm", "热"}
		}
		words = append(words, textf("%s in %d", "%s：%d 次", word, n[c]))
	}
	t := joined(words, ", ", "，")
	trials := " trials"
	if len(n) == 1 && slices.Max(slices.Collect(maps.Values(n))) == 1 {
		trials = " trial"
	}
	return text{t.EN + trials, t.ZH}, strings.Join(slices.Sorted(maps.Keys(n)), "\x00")
}

// processes says whether trials had a process of their own from the start, or
// one that was forked after the import.
func processes(s spoken) (text, string) {
	shared, trials := 0, len(s.records)
	for _, r := range s.records {
		if r.Shared {
			shared++
		}
	}
	switch shared {
	case 0:
		return text{"fresh for each trial", "每次试验全新"}, "fresh"
	case trials:
		return text{"forked after a shared import", "共享导入之后派生"}, "shared"
	}
	return textf("forked after a shared import in %d of %d trials", "%[2]d 次试验中有 %[1]d 次在共享导入之后派生", shared, trials), "both"
}

// sharedTrials counts trials that were forked from a process which had imported
// their framework.
func (v *view) sharedTrials() int {
	n := 0
	for _, t := range v.trials {
		if t.Record.Shared {
			n++
		}
	}
	return n
}
