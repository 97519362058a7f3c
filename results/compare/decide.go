package compare

// decision is what the evidence says about the center of the log ratios of one
// comparison.
type decision struct {
	lo, hi   float64 // range of log ratios that is not excluded; infinite: unbounded
	larger   bool    // the ratio exceeds the margin
	smaller  bool    // its inverse does
	equal    bool    // neither can be: both are within the margin
	evidence float64 // for what was decided, or the largest for anything that could have been
	broken   bool    // the range is empty: no single ratio explains all rounds
}

func (d decision) decided() bool { return d.larger || d.smaller || d.equal }

// decide holds log ratios, in the order of the rounds, against the margin
// delta = log(1 + minimum effect).
//
// Family-wise error. The range [lo, hi] of one comparison misses the true
// center at some time only if lo passes it, where the evidence against a true
// hypothesis reaches need, or hi does, where that against another does. Each
// ever reaches need = 2*family/alpha with probability at most alpha/(2*family),
// so a range ever misses with probability at most alpha/family, and
// any of the family's ranges with probability at most alpha (union bound; no
// independence is used, and the comparisons share their baseline's trials).
// Every verdict is read off a range: larger is lo > delta, smaller is
// hi < -delta, equal is -delta < lo and hi < delta. So a false verdict implies
// a range that misses, and the probability that a run, stopped at whatever
// time, holds any false verdict is at most alpha. The factor 2 is not waste:
// for |center| < delta both "larger" and "smaller" are false, and half of the
// mass beyond either margin makes the two equally likely.
func decide(e evidence, x []float64, delta, need float64) decision {
	up := e.looks(x)
	down := up.mirrored()
	d := decision{lo: up.lower(need), hi: -down.lower(need)}
	larger, smaller := up.against(delta), down.against(delta)
	equal := min(up.against(-delta), down.against(-delta))
	if d.lo > d.hi {
		d.broken = true
		d.evidence = max(larger, smaller, equal)
		return d
	}
	switch {
	case d.lo > delta:
		d.larger, d.evidence = true, larger
	case d.hi < -delta:
		d.smaller, d.evidence = true, smaller
	case d.lo > -delta && d.hi < delta:
		d.equal, d.evidence = true, equal
	default:
		d.evidence = max(larger, smaller, equal)
	}
	return d
}

// needed is the evidence that a decision takes; see decide.
func needed(family int, alpha float64) float64 {
	return 2 * float64(max(1, family)) / alpha
}
