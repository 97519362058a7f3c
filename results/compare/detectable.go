package compare

import "math"

// DetectableEffect is the smallest relative effect that a gate of so many rounds
// shows with 80 % probability to exceed the minimum effect, where the log ratio of
// a round's two trials has the standard deviation sd and family comparisons share
// alpha. It is 0 where no effect can be shown: too few rounds for the family.
func DetectableEffect(sd float64, rounds int, minEffect float64, family int, alpha float64) float64 {
	need := needed(family, alpha)
	v := plan(DefaultMinRounds, rounds, need).detectable(sd, math.Log1p(minEffect), need)
	if finitePtr(v) == nil {
		return 0
	}
	return v
}

// Spread is the standard deviation of log ratios as comparisons estimate it. It
// takes two of them.
func Spread(logRatios []float64) float64 { return spread(logRatios) }
