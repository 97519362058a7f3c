package report

import "strconv"

// methodSection is the method in ten lines.
type methodSection struct {
	section
	Lines []text
}

func (v *view) method() methodSection {
	least, most := v.roundLimits()
	family := textf("In the tables of speed only comparisons with the baseline are judged (%d here), and all of them share one chance of a false alarm. The stars, the claims and when compiling pays are questions of their own, each with a chance of its own; everything else is description.", "速度各表只对与基准的比较下结论（此处 %d 项），它们共用一个总体误报率。星级、论断与编译何时回本各是独立的问题，各有自己的误报率；其余仅作描述。", v.analysis.Family)
	if len(v.run.Parts) > 0 {
		family = textf("In the tables of speed only comparisons with the baseline are judged (%d here), and those of one run share one chance of a false alarm. The stars, the claims and when compiling pays are questions of their own, each with a chance of its own; everything else is description. No verdict is about cells of two runs.", "速度各表只对与基准的比较下结论（此处 %d 项），同一次运行的比较共用一个总体误报率。星级、论断与编译何时回本各是独立的问题，各有自己的误报率；其余仅作描述。不同运行的单元之间不下结论。", v.analysis.Family)
	}
	process := text{"One trial is one fresh child process; the sample is the trial, never the step.", "一次试验就是一个全新的子进程；样本是试验，而不是训练步。"}
	if v.sharedTrials() > 0 {
		process = text{"One trial is one child process, fresh or forked from one that only imported the framework; the sample is the trial, never the step.", "一次试验就是一个子进程：全新启动，或由只导入过框架的进程派生；样本是试验，而不是训练步。"}
	}
	return methodSection{
		section: section{
			ID: "method", Nav: text{"Method and data", "方法与数据"},
			Title: text{"Method in ten lines, and the data", "十条方法说明与原始数据"},
		},
		Lines: []text{
			process,
			{"Every backend loads the same weights and the same batches, byte for byte.", "每个后端加载逐字节相同的权重与批次。"},
			{"Before timing, losses, logits and parameters are held to a float64 oracle within a two-sided error budget; the build that is checked is the build that is timed.", "计时之前，损失、logits 与参数都须在双侧误差预算内与 float64 参考答案一致；核对的与计时的是同一次构建。"},
			{"Then parameters and optimizer state are reset, and the loss of the last measured step is held to the oracle too.", "随后重置参数与优化器状态；最后一个测量步的损失也须与参考答案一致。"},
			{"Warm-up ends when a change-point rule says steady, or at a cap that is reported.", "预热在变点规则判定稳态时结束；到达上限则如实报告。"},
			textf("Rounds are shuffled; pairs are formed within a round; at least %s rounds, at most %s.", "每轮随机排序；在同一轮内配对；至少 %s 轮，至多 %s 轮。", strconv.Itoa(least), strconv.Itoa(most)),
			{"Within a trial: total time over steps for throughput, percentiles for latency. Across trials: the median and its distribution-free 95\u00a0% interval.", "试验内：吞吐量取总时间除以步数，延迟取百分位数。试验间：取中位数及其不依赖分布的 95% 区间。"},
			textf("Faster and slower need evidence of a difference beyond ±%s; “equivalent” needs evidence of one within. Otherwise undecided. The test is sequential and valid whenever it stops.", "有证据表明差异超出 ±%[1]s，才称更快或更慢；有证据表明差异在 ±%[1]s 以内，才称“两者相当”；否则尚无定论。检验是序贯的，随时停止都有效。", v.bound()),
			family,
			{"Disturbances are recorded and shown; no trial is filtered, repeated or dropped.", "干扰被记录并展示；不筛选、不重试、不丢弃任何试验。"},
		},
	}
}
