package results

import "bytes"

// The keys of a line, in the order in which they are written: that of the
// fields. TestScannerKnowsEveryField holds these tables to the types.

var recordFields = []field[Record]{
	{"schema", func(s *scanner, r *Record) bool { return s.count(&r.Schema) }},
	{"kind", func(s *scanner, r *Record) bool { return s.text(&r.Kind) }},
	{"round", func(s *scanner, r *Record) bool { return s.count(&r.Round) }},
	{"attempt", func(s *scanner, r *Record) bool { return s.count(&r.Attempt) }},
	{"order", func(s *scanner, r *Record) bool { return s.count(&r.Order) }},
	{"planned", func(s *scanner, r *Record) bool { return s.count(&r.Planned) }},
	{"cell", func(s *scanner, r *Record) bool { return remembered(s, &r.Cell, s.cells) }},
	{"work", func(s *scanner, r *Record) bool { return remembered(s, &r.Work, s.works) }},
	{"start", func(s *scanner, r *Record) bool { return s.unique(&r.Start) }},
	{"wall_ns", func(s *scanner, r *Record) bool { return s.whole(&r.WallNS) }},
	{"end", func(s *scanner, r *Record) bool { return s.text(&r.End) }},
	{"reason", func(s *scanner, r *Record) bool { return s.text(&r.Reason) }},
	{"phase", func(s *scanner, r *Record) bool { return s.text(&r.Phase) }},
	{"signal", func(s *scanner, r *Record) bool { return s.text(&r.Signal) }},
	{"stderr", func(s *scanner, r *Record) bool { return s.text(&r.Stderr) }},
	{"shared", func(s *scanner, r *Record) bool { return s.truth(&r.Shared) }},
	{"worker", func(s *scanner, r *Record) bool { return remembered(s, &r.Worker, s.workers) }},
	{"phases", scanPhases},
	{"block_ns", scanBlocks},
	{"steps_per_block", func(s *scanner, r *Record) bool { return s.count(&r.StepsPerBlock) }},
	{"usage", func(s *scanner, r *Record) bool { return object(s, fresh(&r.Usage), usageFields) }},
	{"steady", func(s *scanner, r *Record) bool { return object(s, fresh(&r.Steady), steadyFields) }},
	{"loss", func(s *scanner, r *Record) bool { return s.numberPtr(&r.Loss) }},
	{"check", func(s *scanner, r *Record) bool { return object(s, fresh(&r.Check), checkFields) }},
	{"final_check", func(s *scanner, r *Record) bool { return object(s, fresh(&r.FinalCheck), checkFields) }},
	{"memory", func(s *scanner, r *Record) bool { return s.slow(&r.Memory) }},
	{"disturbance", func(s *scanner, r *Record) bool { return object(s, fresh(&r.Disturb), disturbanceFields) }},
}

var phaseFields = []field[Phase]{
	{"name", func(s *scanner, p *Phase) bool { return s.text(&p.Name) }},
	{"wall_ns", func(s *scanner, p *Phase) bool { return s.whole(&p.WallNS) }},
	{"hwm", func(s *scanner, p *Phase) bool { return s.wholePtr(&p.HWM) }},
	{"hwm_why", func(s *scanner, p *Phase) bool { return s.text(&p.HWMWhy) }},
	{"steps", func(s *scanner, p *Phase) bool { return s.count(&p.Steps) }},
}

var usageFields = []field[Usage]{
	{"wall_ns", func(s *scanner, u *Usage) bool { return s.whole(&u.WallNS) }},
	{"cpu_ns", func(s *scanner, u *Usage) bool { return s.whole(&u.CPUNS) }},
	{"sys_ns", func(s *scanner, u *Usage) bool { return s.wholePtr(&u.SysNS) }},
	{"minor_faults", func(s *scanner, u *Usage) bool { return s.wholePtr(&u.MinorFaults) }},
	{"voluntary_switches", func(s *scanner, u *Usage) bool { return s.wholePtr(&u.Voluntary) }},
	{"involuntary_switches", func(s *scanner, u *Usage) bool { return s.wholePtr(&u.Involuntary) }},
	{"gc_ns", func(s *scanner, u *Usage) bool { return s.wholePtr(&u.GCNS) }},
}

var steadyFields = []field[Steady]{
	{"reached", func(s *scanner, v *Steady) bool { return s.truth(&v.Reached) }},
	{"steps", func(s *scanner, v *Steady) bool { return s.count(&v.Steps) }},
}

var checkFields = []field[Check]{
	{"status", func(s *scanner, c *Check) bool { return s.text(&c.Status) }},
	{"worst", func(s *scanner, c *Check) bool { return s.text(&c.Worst) }},
	{"got", func(s *scanner, c *Check) bool { return s.number(&c.Got) }},
	{"want", func(s *scanner, c *Check) bool { return s.number(&c.Want) }},
	{"error", func(s *scanner, c *Check) bool { return s.number(&c.Error) }},
	{"ceiling", func(s *scanner, c *Check) bool { return s.number(&c.Ceiling) }},
	{"floor", func(s *scanner, c *Check) bool { return s.number(&c.Floor) }},
	{"reason", func(s *scanner, c *Check) bool { return s.text(&c.Reason) }},
	{"losses", func(s *scanner, c *Check) bool {
		c.Losses = []float64{}
		return s.list(func() bool {
			c.Losses = append(c.Losses, 0)
			return s.number(&c.Losses[len(c.Losses)-1])
		})
	}},
	{"curve", func(s *scanner, c *Check) bool { return s.slow(&c.Curve) }}, // one per cell
	{"curve_why", func(s *scanner, c *Check) bool { return s.text(&c.CurveWhy) }},
}

var disturbanceFields = []field[Disturbance]{
	{"steal_ns", func(s *scanner, d *Disturbance) bool { return s.wholePtr(&d.StealNS) }},
	{"psi_cpu_ns", func(s *scanner, d *Disturbance) bool { return s.wholePtr(&d.PSICPUNS) }},
	{"throttled_ns", func(s *scanner, d *Disturbance) bool { return s.wholePtr(&d.ThrottledNS) }},
	{"others_cpu_ns", func(s *scanner, d *Disturbance) bool { return s.wholePtr(&d.OthersCPUNS) }},
	{"canary_ns", func(s *scanner, d *Disturbance) bool { return s.whole(&d.CanaryNS) }},
	{"gpu", func(s *scanner, d *Disturbance) bool { return s.slow(&d.GPU) }},
}

// fresh points p at a new zero value.
func fresh[T any](p **T) *T {
	*p = new(T)
	return *p
}

func scanPhases(s *scanner, r *Record) bool {
	s.phases = s.phases[:0]
	ok := s.list(func() bool {
		s.phases = append(s.phases, Phase{})
		return object(s, &s.phases[len(s.phases)-1], phaseFields)
	})
	r.Phases = append(make([]Phase, 0, len(s.phases)), s.phases...)
	return ok
}

// scanBlocks reads the block times into the memo, where they stay until the
// next record.
func scanBlocks(s *scanner, r *Record) bool {
	s.blocks = s.blocks[:0]
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		r.BlockNS = []int64{}
		return true
	}
	for {
		d, ok := s.digits()
		if !ok {
			return false
		}
		s.blocks = append(s.blocks, int64(d))
		if !s.next(',') {
			break
		}
	}
	r.BlockNS = s.blocks
	return s.next(']')
}

// scanRecord reads one line with its newline. The record's blocks are the
// scanner's own and must be copied before the next line is read.
func (m *memo) scanRecord(line []byte) (r Record, ok bool) {
	s := scanner{b: bytes.TrimSuffix(line, []byte("\n")), memo: m}
	ok = object(&s, &r, recordFields) && s.i == len(s.b) && r.Schema == Schema
	return r, ok
}
