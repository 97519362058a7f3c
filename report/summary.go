package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// summarySection says what was run, where and with what.
type summarySection struct {
	section
	Notes    []text
	Warnings []text
	Facts    []fact
	Command  string
	Runs     []runRow // where there are several
	Versions []versionRow
}

type versionRow struct {
	Backend identity
	Kind    text
	Version string
	Reason  string // why there is none
}

func (v *view) summary() summarySection {
	m, h := v.run.Meta, v.run.Meta.Host
	s := summarySection{
		section: section{
			ID: "run", Nav: text{"The run", "本次运行"}, Title: text{"The run", "本次运行"},
			Lead: text{"Every verdict on this page is for this host and these settings.", "本页所有结论只对这台主机和这些设置成立。"},
		},
		Command: clean(strings.Join(m.Command, " "), 1000),
	}
	if en := m.Notes["en"]; en != "" {
		s.Notes = append(s.Notes, text{paragraph(en), paragraph(cmp.Or(m.Notes["zh"], en))})
	}
	if n := v.sharedTrials(); n > 0 {
		s.Notes = append(s.Notes, textf(
			"Shared imports (--share-process): in each pass a framework was imported once per backend, and %d of %d trials were forked from there. Each began in the state that importing leaves; those that are compared lie further apart in time than in a run of fresh processes.",
			"共享导入（--share-process）：每轮中每个后端的框架只导入一次，%[2]d 次试验中有 %[1]d 次由此派生。每次试验都从导入后的状态开始；相比全新进程的运行，被比较的试验在时间上相隔更远。",
			n, len(v.trials)))
	}
	for _, w := range v.warnings() {
		s.Warnings = append(s.Warnings, remark(w))
	}
	add := func(en, zh string, value text) {
		if !value.Empty() {
			s.Facts = append(s.Facts, fact{text{en, zh}, value})
		}
	}
	add("suite", "套件", same(line(m.Suite)))
	several := len(v.run.Parts) > 0
	if s.Runs = v.runs(); !several {
		add("started", "开始时间", same(utc(m.Started)))
		add("seed", "种子", same(strconv.FormatUint(m.Seed, 10)))
	}
	add("dlbench", "dlbench", same(line(m.Version)))
	add("binary", "可执行文件", same(short(m.Binary)))
	add("plan", "计划", same(short(m.Plan)))
	add("baseline", "基准", same(v.baseline.Label))
	p := v.analysis.Policy
	if p.MaxRounds > 0 && !several {
		add("rule", "判定规则", textf("bound ±%s; %s to %s rounds; false alarms at most %s over all %s", "以 ±%s 为界；%s 至 %s 轮；%[5]s的总体误报率至多 %[4]s",
			percent(p.MinEffect), strconv.Itoa(p.MinRounds), strconv.Itoa(p.MaxRounds), percent(p.Alpha), counts(v.analysis.Family, "comparison", "项比较")))
	}
	var limits []text
	if m.Limits.TrialNS > 0 {
		limits = append(limits, textf("trial %s", "单次试验 %s", shortest(duration(float64(m.Limits.TrialNS)))))
	}
	if m.Limits.SuiteNS > 0 {
		limits = append(limits, textf("suite %s", "套件 %s", shortest(duration(float64(m.Limits.SuiteNS)))))
	}
	if m.Limits.MemoryBytes > 0 {
		limits = append(limits, textf("memory %s", "内存 %s", shortest(bytesize(float64(m.Limits.MemoryBytes)))))
	}
	add("limits", "上限", joined(limits, ", ", "，"))
	add("processor", "处理器", same(line(h.CPU)))
	if h.Cores > 0 {
		add("CPUs", "CPU", textf("%d; may be used: number %s", "共 %d 个；可用编号：%s", h.Cores, ranges(h.Mask)))
	}
	if h.MemBytes > 0 {
		add("memory", "内存", same(bytesize(float64(h.MemBytes))))
	}
	add("system", "系统", same(line(strings.Join([]string{h.OS, h.Arch, h.Kernel}, " "))))
	add("virtualization", "虚拟化", virtual(h.Virtual))
	add("frequency governor", "调频策略", same(line(h.Governor)))
	add("GPUs", "GPU", same(line(strings.Join(h.GPUs, ", "))))
	add("CPU features", "CPU 特性", same(line(strings.Join(h.Flags, " "))))
	add("Go", "Go", same(line(h.Go)))
	var env []string
	for _, k := range slices.Sorted(maps.Keys(h.Env)) {
		env = append(env, k+"="+h.Env[k])
	}
	add("workers' environment", "工作进程的环境变量", same(line(strings.Join(env, " "))))
	s.Versions = v.versions()
	return s
}

// warnings are those of the run and of the analysis, which repeats the run's.
func (v *view) warnings() []string {
	var all []string
	for _, w := range slices.Concat(v.run.Warnings, v.analysis.Warnings) {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

func (v *view) versions() []versionRow {
	workers := v.workers()
	var rows []versionRow
	for _, b := range v.backends {
		row := versionRow{Backend: b}
		var kinds, vers []string
		for _, w := range workers[b.Name] {
			kinds = append(kinds, w.Kind)
			if p := pairs(w.Versions); p != "" {
				vers = append(vers, p)
			}
		}
		slices.Sort(kinds)
		slices.Sort(vers)
		row.Kind = known(slices.Compact(kinds))
		row.Version = line(strings.Join(slices.Compact(vers), "; "))
		rows = append(rows, row)
	}
	return rows
}

// short is the beginning of a hash.
func short(h string) string {
	h = line(h)
	if algo, hex, ok := strings.Cut(h, ":"); ok && len(hex) > 16 {
		return algo + ":" + hex[:16] + "…"
	}
	return h
}

// ranges writes CPU numbers as 0–3, 6.
func ranges(cpus []int) string {
	if len(cpus) == 0 {
		return none
	}
	s := slices.Clone(cpus)
	slices.Sort(s)
	s = slices.Compact(s)
	var parts []string
	for i := 0; i < len(s); {
		j := i
		for j+1 < len(s) && s[j+1] == s[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(s[i]))
		} else {
			parts = append(parts, strconv.Itoa(s[i])+"–"+strconv.Itoa(s[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
