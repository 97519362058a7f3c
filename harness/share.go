package harness

import "math/rand/v2"

// CanShare reports whether trials of the cell may be forked from a process that
// has imported the framework once. On a GPU none may: a context of its driver
// does not survive a fork.
func CanShare(c Cell) bool { return c.Entry.Forks && !onGPU(c) }

// launch is all in which the starts of workers differ: cells with the same one
// have the same command and the same environment.
type launch struct {
	backend   string
	threads   int
	device    string
	allocator string
}

func launchOf(c Cell) launch {
	return launch{c.Name.Backend, c.Settings.Threads, c.Settings.Device, c.Settings.Allocator}
}

// turn is one cell's place in the order of a pass.
type turn struct {
	cell   int  // number of the cell
	shared bool // its trial is forked from the process of its group
	more   bool // so is the next turn's, from the same process
}

// order draws the order of a pass from the seed: of all cells; or, where imports
// are shared, of groups of cells that can share one and of the cells in them.
// What is paired in a round then lies further apart than in a shuffle of all.
func (s *schedule) order(share bool, round, attempt int, cells []Cell) []turn {
	random := rand.New(rand.NewPCG(s.Seed, uint64(round)<<32|uint64(attempt)))
	turns := make([]turn, 0, len(cells))
	if !share {
		for _, i := range random.Perm(len(cells)) {
			turns = append(turns, turn{cell: i})
		}
		return turns
	}
	var groups [][]int
	at := map[launch]int{}
	for i, c := range cells {
		key := launchOf(c)
		g, known := at[key]
		if !known || !CanShare(c) {
			g = len(groups)
			groups = append(groups, nil)
			at[key] = g
		}
		groups[g] = append(groups[g], i)
	}
	random.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	for _, g := range groups {
		random.Shuffle(len(g), func(i, j int) { g[i], g[j] = g[j], g[i] })
		for n, i := range g {
			shared := CanShare(cells[i])
			turns = append(turns, turn{cell: i, shared: shared, more: shared && n+1 < len(g)})
		}
	}
	return turns
}
