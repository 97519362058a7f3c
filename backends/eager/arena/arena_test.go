package arena

import "testing"

func TestReuse(t *testing.T) {
	var a Arena[float32]
	x := a.Get(1000)
	a.Put(x)
	y := a.Get(990)
	if &x[0] != &y[0] {
		t.Error("a returned buffer of the same class was not handed out again")
	}
	z := a.Get(1000)
	if &z[0] == &y[0] {
		t.Error("a buffer in use was handed out again")
	}
	if a.Live() != a.Peak() || a.Made() != a.Live() {
		t.Errorf("live %d, peak %d, made %d: expected all equal", a.Live(), a.Peak(), a.Made())
	}
	a.Put(y)
	a.Put(z)
	a.Put(nil)
	if a.Live() != 0 {
		t.Errorf("live %d after all were returned", a.Live())
	}
}

func TestClassWastesAtMostAnEighth(t *testing.T) {
	for n := 1; n < 100000; n += 1 + n/50 {
		c := class(n)
		if c < n || c > n+n/8+1 || class(c) != c {
			t.Fatalf("class(%d) = %d, of which the class is %d", n, c, class(c))
		}
	}
}

func TestSteadyUseDoesNotAllocate(t *testing.T) {
	var a Arena[float64]
	step := func() {
		x, y := a.Get(100), a.Get(200)
		a.Put(x)
		a.Put(y)
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("a steady step allocates %v times", n)
	}
}
