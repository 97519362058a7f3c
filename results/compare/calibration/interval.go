package calibration

import "math"

// varianceInterval is an interval of 95 % for the variance of what x was drawn
// from: the jackknife of the log of the sample variance with Student's t (R. G.
// Miller, Jackknifing variances, Ann. Math. Stat. 39(2), 1968). Unlike the
// interval from chi-squared it follows the tails of the data, which decide how
// well a variance is known; noise between processes has heavy ones.
func varianceInterval(x []float64) (low, high float64) {
	n := float64(len(x))
	all := variance(x)
	if len(x) < 3 || all <= 0 {
		return all, all
	}
	var mean float64
	for _, v := range x {
		mean += v / n
	}
	pseudo := make([]float64, len(x))
	for i, v := range x {
		// The variance without x[i].
		rest := ((n-1)*all - (v-mean)*(v-mean)*n/(n-1)) / (n - 2)
		if rest <= 0 { // one value is all of the variance: nothing is known
			return 0, math.MaxFloat64
		}
		pseudo[i] = n*math.Log(all) - (n-1)*math.Log(rest)
	}
	var center float64
	for _, v := range pseudo {
		center += v / n
	}
	half := student(n-1) * math.Sqrt(variance(pseudo)/n)
	return math.Exp(center - half), math.Exp(center + half)
}

// student is the 97.5 % point of Student's t, by the expansion in Abramowitz and
// Stegun 26.7.5; within 0.01 of it from 5 degrees of freedom on.
func student(freedom float64) float64 {
	z := 1.959964
	z3, z5, z7 := math.Pow(z, 3), math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*freedom) + (5*z5+16*z3+3*z)/(96*freedom*freedom) + (3*z7+19*z5+17*z3-15*z)/(384*math.Pow(freedom, 3))
}
