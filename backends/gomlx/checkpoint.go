package gomlx

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/workloads"
)

// checkpoints puts the program's recomputed segments into a graph. What enters
// a segment passes Node.Checkpoint, its output Node.StopCheckpoint; the library
// then clones what lies between when the backward pass needs it, behind a
// barrier that waits for the gradient.
type checkpoints struct {
	segments []workloads.Segment
	entries  []segmentEntry
	exits    []*graph.Node // by segment
}

// segmentEntry is a value that enters a segment.
type segmentEntry struct {
	segment int
	source  *graph.Node
	node    *graph.Node // source behind the checkpoint
}

// of returns the number of the segment that op i lies in, or -1.
func (c *checkpoints) of(i int) int {
	for s, segment := range c.segments {
		if segment.First <= i && i <= segment.Last {
			return s
		}
	}
	return -1
}

// enter returns source behind a checkpoint of the segment, the same node for
// all its readers there.
func (c *checkpoints) enter(segment int, source *value) value {
	from := source.joined()
	for _, e := range c.entries {
		if e.segment == segment && e.source == from {
			return value{node: e.node, channelMajor: source.channelMajor}
		}
	}
	e := segmentEntry{segment: segment, source: from, node: from.Checkpoint()}
	c.entries = append(c.entries, e)
	return value{node: e.node, channelMajor: source.channelMajor}
}

// leave returns the output of a segment, which is kept.
func (c *checkpoints) leave(out value) value {
	exit := out.joined().StopCheckpoint()
	c.exits = append(c.exits, exit)
	return value{node: exit, channelMajor: out.channelMajor}
}

// recomputed counts the segments that the finished graph honours: of which the
// backward pass, all that was emitted after the loss, reads no value that was
// computed between entry and exit in the forward pass.
func (c *checkpoints) recomputed(loss *graph.Node) int {
	nodes := loss.Graph().Nodes()
	inside := make([]int, len(nodes)) // segment+1 of the values inside one, else 0
	for _, e := range c.entries {
		inside[e.node.Id()] = e.segment + 1
	}
	entry := append([]int{}, inside...)
	for id, n := range nodes[:loss.Id()] {
		for _, in := range n.Inputs() {
			if s := inside[in.Id()]; s > 0 && id < int(c.exits[s-1].Id()) {
				inside[id] = s
			}
		}
	}
	held := map[int]bool{}
	for _, n := range nodes[loss.Id()+1:] {
		for _, in := range n.Inputs() {
			if s := inside[in.Id()]; s > 0 && entry[in.Id()] == 0 {
				held[s] = true
			}
		}
	}
	return len(c.exits) - len(held)
}
