package results

// Capabilities is what a backend was seen to do, by the compliance suite that
// every catalog entry must pass: not what its worker claims.
type Capabilities struct {
	Date       string            `json:"date"`     // of the compliance run, YYYY-MM-DD
	Versions   map[string]string `json:"versions"` // that were tested
	Precisions []string          `json:"precisions"`
	Features   []string          `json:"features"` // accumulate, checkpoint, host
	Ops        []string          `json:"ops"`
	// Failed names what the worker claims and the suite refuted; it is then in none
	// of the lists above.
	Failed []string `json:"failed,omitempty"`
}
