package backendtest_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
)

// miscounting is the eager engine with a mistake in how correct answers are
// counted and in nothing else: what is read before the first step, which the
// digest of a check holds too, is right.
type miscounting struct {
	backends.Backend
	mistake string
	reads   int // of logits since the last reset
	ahead   bool
}

func (b *miscounting) Reset() error {
	b.reads, b.ahead = 0, false
	return b.Backend.Reset()
}

func (b *miscounting) Run(batches []int) error {
	if b.ahead { // this step was made already
		b.ahead = false
		return nil
	}
	return b.Backend.Run(batches)
}

func (b *miscounting) Read(what string, batch int) (map[string]backends.Tensor, error) {
	if what != "logits" {
		return b.Backend.Read(what, batch)
	}
	if b.reads++; b.reads == 1 {
		return b.Backend.Read(what, batch)
	}
	switch b.mistake {
	case "the batch before":
		batch = (batch + 3) % 4
	case "after the update":
		if err := b.Backend.Run([]int{batch}); err != nil {
			return nil, err
		}
		b.ahead = true
	case "moves the parameters":
		read, err := b.Backend.Read(what, batch)
		if err == nil {
			err = b.Backend.Run([]int{batch})
		}
		return read, err
	}
	return b.Backend.Read(what, batch)
}

// Whoever counts another batch, or too late, or trains while it counts, is found
// in every program of the case.
func TestMiscountsAreFound(t *testing.T) {
	for mistake, says := range map[string]string{
		"":                     "",
		"the batch before":     "examples are right before step",
		"after the update":     "examples are right before step",
		"moves the parameters": "",
	} {
		t.Run(mistake, func(t *testing.T) {
			opts := options(t)
			opts.Only = func(name string) bool { return strings.HasPrefix(name, "learn/") }
			r := backendtest.Run(t.Context(), backendtest.Served(eager.Info(), func() backends.Backend {
				return &miscounting{Backend: eager.New(), mistake: mistake}
			}), opts)
			want := backendtest.Fail
			if mistake == "" {
				want = backendtest.Pass
			}
			if len(r.Results) != 5 {
				t.Errorf("%d cases, want 5:\n%s", len(r.Results), text(r))
			}
			for _, c := range r.Results {
				if c.Status != want || !strings.Contains(c.Reason, says) {
					t.Errorf("%s: %s (%s), want %s and %q", c.Name, c.Status, c.Reason, want, says)
				}
			}
		})
	}
}

// A worker of an older version is not held to what it does not know.
func TestCountsAreOptional(t *testing.T) {
	opts := options(t)
	opts.Only = func(name string) bool { return strings.HasPrefix(name, "learn/") }
	r := backendtest.Run(t.Context(), rewritten(func(line string) string {
		return strings.Replace(line, `"correct":true`, `"corect":true`, 1)
	}), opts)
	if len(r.Results) != 5 || r.Count(backendtest.Skip) != 5 {
		t.Errorf("want five cases skipped:\n%s", text(r))
	}
}

// rewritten is the eager engine that reads its requests through change.
func rewritten(change func(line string) string) backendtest.Connect {
	return func(ctx context.Context) (*backendtest.Conn, error) {
		conn, err := backendtest.Served(eager.Info(), eager.New)(ctx)
		if err != nil {
			return nil, err
		}
		conn.In = &changing{WriteCloser: conn.In, change: change}
		return conn, nil
	}
}

type changing struct {
	io.WriteCloser
	change func(line string) string
}

func (c *changing) Write(line []byte) (int, error) {
	_, err := io.WriteString(c.WriteCloser, c.change(string(line)))
	return len(line), err
}
