package results

import "slices"

// CompileCold is what a worker says of its compile cache where its first step
// had to compile. In a memory trial the compiler's processes are in the figures.
const CompileCold = "cold"

// Warm leaves out the memory trials that compiled where the same cell has
// another one that ended ok and did not. All other records stay, in their order.
func Warm(records []*Record) []*Record {
	compiled := func(r *Record) bool { return r.Worker.CompileCache == CompileCold }
	warm := map[Cell]bool{}
	for _, r := range records {
		if r.Kind == KindMemory && r.End == EndOK && !compiled(r) {
			warm[r.Cell] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(records), func(r *Record) bool {
		return r.Kind == KindMemory && compiled(r) && warm[r.Cell]
	})
}

// usedMemory are the run's memory trials that are used, see Warm.
func (r Run) usedMemory() []*Record {
	var memory []*Record
	for i := range r.Records {
		if r.Records[i].Kind == KindMemory {
			memory = append(memory, &r.Records[i])
		}
	}
	return Warm(memory)
}
