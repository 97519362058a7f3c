package kernel

// Pooling is how a window slides over images [H,W,C], without leaving them.
type Pooling struct {
	H, W, C      int
	Side, Stride int
}

// Out is the number of window positions down and across.
func (p *Pooling) Out() (h, w int) { return (p.H-p.Side)/p.Stride + 1, (p.W-p.Side)/p.Stride + 1 }

// MaxPool takes the largest element of each channel under the window, for rows r0
// to r1 of the positions of all images of x. Unless from is nil it gets which
// element that was, counted along the rows of the window: of equal ones the
// first; NaN counts as the largest.
func MaxPool[T Float](y []T, from []int32, x []T, p *Pooling, r0, r1 int) {
	oh, ow := p.Out()
	for r := r0; r < r1; r++ {
		rows := x[(r/oh*p.H+r%oh*p.Stride)*p.W*p.C:]
		to := y[r*ow*p.C:][:ow*p.C]
		var at []int32
		if from != nil {
			at = from[r*ow*p.C:][:ow*p.C]
		}
		done := maxPoolVector(to, at, rows, p, ow)
		if done == p.C {
			continue
		}
		for o := range ow {
			maxUnder(to[o*p.C:][:p.C], at, o*p.C, rows[o*p.Stride*p.C:], p, done)
		}
	}
}

// maxUnder does the channels from done on of one position.
func maxUnder[T Float](y []T, from []int32, skip int, x []T, p *Pooling, done int) {
	for c := done; c < p.C; c++ {
		best, where := x[c], 0
		for i := 1; i < p.Side*p.Side; i++ {
			if v := x[(i/p.Side*p.W+i%p.Side)*p.C+c]; v > best || v != v {
				best, where = v, i
			}
		}
		y[c] = best
		if from != nil {
			from[skip+c] = int32(where)
		}
	}
}

// MaxPoolBack hands the gradient dy of images i0 to i1 to the elements that
// MaxPool took, and 0 to the others, or with acc adds it.
func MaxPoolBack[T Float](dx, dy []T, from []int32, p *Pooling, i0, i1 int, acc bool) {
	oh, ow := p.Out()
	in := p.H * p.W * p.C
	for i := i0; i < i1; i++ {
		image := dx[i*in:][:in]
		apart := p.Stride >= p.Side && !acc // each element is under one window at most
		if !acc && !(apart && p.Stride == p.Side && oh*p.Side == p.H && ow*p.Side == p.W) {
			clear(image)
		}
		for y := range oh {
			at := (i*oh + y) * ow * p.C
			rows := image[y*p.Stride*p.W*p.C:]
			dys, froms := dy[at:][:ow*p.C], from[at:][:ow*p.C]
			done := 0
			if apart {
				done = maxPoolBackVector(rows, dys, froms, p, ow)
			}
			if done == p.C {
				continue
			}
			for o := range ow {
				maxUnderBack(rows[o*p.Stride*p.C:], dys[o*p.C:][:p.C], froms[o*p.C:], p, done, apart)
			}
		}
	}
}

// maxUnderBack does the channels from done on of one position.
func maxUnderBack[T Float](dx, dy []T, from []int32, p *Pooling, done int, overwrite bool) {
	for c := done; c < p.C; c++ {
		for i := range p.Side * p.Side {
			to := &dx[(i/p.Side*p.W+i%p.Side)*p.C+c]
			switch {
			case int32(i) == from[c] && overwrite:
				*to = dy[c]
			case int32(i) == from[c]:
				*to += dy[c]
			case overwrite:
				*to = 0
			}
		}
	}
}
