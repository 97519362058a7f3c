package backends

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The limits of the wire. Both ends keep them.
const (
	MaxLine     = 1 << 20 // bytes of one line without its line feed
	MaxBlocks   = 16384   // samples that one reply may carry
	MaxPerBlock = 1 << 17 // steps of one block
	MaxSteps    = 16384   // steps of one check

	quoted = 200 // bytes of an offending line that an error shows
)

// errLineTooLong marks a line above MaxLine; what was read of it is returned beside.
var errLineTooLong = errors.New("line is longer than 1 MiB")

// lineReader splits a stream at line feeds and never holds more than MaxLine
// bytes plus its read buffer, however long the line of a broken peer is.
type lineReader struct {
	r    *bufio.Reader
	line []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line without its line feed; the slice is valid until
// the following call. At the end of the stream it returns what stood behind
// the last line feed with io.EOF.
func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		room := MaxLine - len(l.line)
		if n := len(bytes.TrimSuffix(part, []byte("\n"))); n > room {
			return append(l.line, part[:room]...), errLineTooLong
		}
		l.line = append(l.line, part...)
		switch {
		case err == nil:
			return l.line[:len(l.line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return l.line, err
		}
	}
}

// writeLine sends v as one JSON line in a single Write.
func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(line) > MaxLine {
		return fmt.Errorf("message of %d bytes: %w", len(line), errLineTooLong)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// quote shows the first bytes of a line so that NUL bytes and the like can be
// read in a log.
func quote(line []byte) string {
	return strconv.QuoteToASCII(string(line[:min(len(line), quoted)]))
}

// fields splits a JSON object into its members, so that a key that is absent
// can be told from one that is zero. null counts as absent.
func fields(line []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	for key, value := range members {
		if string(value) == "null" {
			delete(members, key)
		}
	}
	return members, nil
}

// kindOf returns the message's "t", "" where it has none.
func kindOf(members map[string]json.RawMessage) string {
	var t string
	if raw, ok := members["t"]; !ok || json.Unmarshal(raw, &t) != nil {
		return ""
	}
	return t
}
