package results

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
)

// scanner reads JSON as a Journal writes it, several times faster than
// encoding/json does. It knows less on purpose: whatever a Journal never writes
// (white space, null, keys in another order, unknown or twice) makes it give
// up, and the line is left to encoding/json, which alone decides what is a
// valid record and what is wrong with one that is not. So a scanner must never
// accept what encoding/json refuses or reads differently; FuzzScanRecord holds
// it to that.
//
// All methods report false where they give up.
type scanner struct {
	b []byte
	i int
	*memo
}

// memo keeps what many trials of a run have in common, so that it is decoded
// and held once. Values that come from it share their maps.
type memo struct {
	strings map[string]string
	cells   map[string]Cell
	works   map[string]Work
	workers map[string]Worker
	blocks  []int64 // of one trial, to be copied
	phases  []Phase // likewise
	lines   int     // how many the next chunk may have
}

// memoSize bounds each map of a memo: what varies from trial to trial is no
// common part.
const memoSize = 1 << 14

func newMemo() *memo {
	return &memo{strings: map[string]string{}, cells: map[string]Cell{}, works: map[string]Work{}, workers: map[string]Worker{}}
}

// field is one key of an object and how its value is read into a T.
type field[T any] struct {
	key  string
	read func(*scanner, *T) bool
}

// object reads an object whose keys are some of the fields, in their order.
func object[T any](s *scanner, v *T, fields []field[T]) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	at := 0
	for {
		key, ok := s.key()
		if !ok {
			return false
		}
		for at < len(fields) && fields[at].key != string(key) {
			at++
		}
		if at == len(fields) || !fields[at].read(s, v) {
			return false
		}
		at++
		if !s.next(',') {
			return s.next('}')
		}
	}
}

// next moves past c where it stands next.
func (s *scanner) next(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// key reads a key and its colon.
func (s *scanner) key() ([]byte, bool) {
	raw, ok := s.simple()
	return raw, ok && s.next(':')
}

// simple reads a string of printable ASCII without an escape.
func (s *scanner) simple() ([]byte, bool) {
	if !s.next('"') {
		return nil, false
	}
	for i := s.i; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			raw := s.b[s.i:i]
			s.i = i + 1
			return raw, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// text reads a string.
func (s *scanner) text(v *string) bool {
	at := s.i
	if raw, ok := s.simple(); ok {
		*v = s.intern(raw)
		return true
	}
	s.i = at
	return s.slow(v)
}

// unique reads a string that no other trial has.
func (s *scanner) unique(v *string) bool {
	at := s.i
	if raw, ok := s.simple(); ok {
		*v = string(raw)
		return true
	}
	s.i = at
	return s.slow(v)
}

// intern is b as a string; short ones that come again are one.
func (m *memo) intern(b []byte) string {
	if known, ok := m.strings[string(b)]; ok {
		return known
	}
	v := string(b)
	if len(v) <= 32 && len(m.strings) < memoSize {
		m.strings[v] = v
	}
	return v
}

// slow leaves one value to encoding/json.
func (s *scanner) slow(v any) bool {
	raw, ok := s.raw()
	if !ok {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v) == nil && int(d.InputOffset()) == len(raw)
}

// raw moves past a string, object or array by its quotes and brackets; what is
// between them may still be no JSON.
func (s *scanner) raw() ([]byte, bool) {
	depth := 0
	for i := s.i; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			for i++; i < len(s.b) && s.b[i] != '"'; i++ {
				if s.b[i] == '\\' {
					i++
				}
			}
			if i >= len(s.b) {
				return nil, false
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth <= 0 {
			raw := s.b[s.i : i+1]
			s.i = i + 1
			return raw, depth == 0 && len(raw) > 1
		}
	}
	return nil, false
}

// remembered reads an object through one of the maps of the memo.
func remembered[T any](s *scanner, v *T, known map[string]T) bool {
	at := s.i
	raw, ok := s.raw()
	if !ok {
		return false
	}
	if old, ok := known[string(raw)]; ok {
		*v = old
		return true
	}
	s.i = at
	if !s.slow(v) {
		return false
	}
	if len(known) < memoSize {
		known[string(raw)] = *v
	}
	return true
}

// digits reads up to 18 decimal digits: no number of them overflows.
func (s *scanner) digits() (uint64, bool) {
	from := s.i
	var v uint64
	if s.i+8 <= len(s.b) {
		// Eight characters at once: '0' to '9' become 0 to 9, and the highest bit
		// of m marks what is no digit. A carry runs only into characters behind one
		// that is marked.
		t := binary.LittleEndian.Uint64(s.b[s.i:]) ^ 0x3030303030303030
		m := (t + 0x7676767676767676 | t) & 0x8080808080808080
		n := bits.TrailingZeros64(m) / 8
		t <<= 64 - 8*n // zeros in front
		// Pairs, then fours and eights by two multiplications each.
		t = t*10 + t>>8
		v = (t&0x000000FF000000FF*0x000F424000000064 + t>>16&0x000000FF000000FF*0x0000271000000001) >> 32
		s.i += n
		if n < 8 {
			return v, n > 0 && (n == 1 || s.b[from] != '0')
		}
	}
	for ; s.i < len(s.b) && s.b[s.i]-'0' <= 9; s.i++ {
		if s.i-from == 18 {
			return 0, false
		}
		v = v*10 + uint64(s.b[s.i]-'0')
	}
	n := s.i - from
	return v, n > 0 && (n == 1 || s.b[from] != '0')
}

// whole reads an integer that is neither negative nor written in another form
// than digits.
func (s *scanner) whole(v *int64) bool {
	d, ok := s.digits()
	*v = int64(d)
	return ok && !s.numeric()
}

// numeric reports whether a number goes on.
func (s *scanner) numeric() bool {
	return s.i < len(s.b) && (s.b[s.i] == '.' || s.b[s.i]|0x20 == 'e')
}

func (s *scanner) count(v *int) bool {
	var d int64
	ok := s.whole(&d)
	*v = int(d)
	return ok && int64(*v) == d
}

func (s *scanner) wholePtr(v **int64) bool {
	*v = new(int64)
	return s.whole(*v)
}

// number reads a float64, in JSON's grammar of numbers: strconv knows more.
func (s *scanner) number(v *float64) bool {
	from := s.i
	s.next('-')
	if !s.next('0') && !s.run() {
		return false
	}
	if s.next('.') && !s.run() {
		return false
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if !s.run() {
			return false
		}
	}
	f, err := strconv.ParseFloat(string(s.b[from:s.i]), 64)
	*v = f
	return err == nil
}

// run moves past digits.
func (s *scanner) run() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > from
}

func (s *scanner) numberPtr(v **float64) bool {
	*v = new(float64)
	return s.number(*v)
}

func (s *scanner) truth(v *bool) bool {
	rest := s.b[s.i:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		*v = true
		s.i += len("true")
	case bytes.HasPrefix(rest, []byte("false")):
		*v = false
		s.i += len("false")
	default:
		return false
	}
	return true
}

// list reads an array by reading its elements.
func (s *scanner) list(element func() bool) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for element() {
		if !s.next(',') {
			return s.next(']')
		}
	}
	return false
}
