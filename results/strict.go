package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// strict decodes one JSON value that must fill data, without unknown keys and
// of our schema, which is v's field. It returns the offset of an error.
func strict(data []byte, v any, schema *int) (int, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n")
		if len(rest) > 0 {
			return len(data) - len(rest), errors.New("something follows the JSON value")
		}
		if *schema == Schema {
			return 0, nil
		}
	}
	// Another schema may have other keys: say that, rather than the key.
	var other struct {
		Schema *int `json:"schema"`
	}
	if json.Unmarshal(data, &other) == nil {
		if other.Schema == nil {
			return 0, fmt.Errorf("no schema version; expected \"schema\": %d", Schema)
		}
		if *other.Schema != Schema {
			return 0, fmt.Errorf("schema version %d; this dlbench reads version %d; hint: use the dlbench that wrote it", *other.Schema, Schema)
		}
	}
	at := int(d.InputOffset())
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = max(0, int(syntax.Offset)-1)
		field := fieldBefore(data, at)
		if start, word := notFinite(data, at); word != "" {
			return start, fmt.Errorf("field %q is %s: expected a finite number, JSON has no other; hint: who wrote this file did not check its numbers", field, word)
		}
		if field != "" {
			return at, fmt.Errorf("not valid: %w, in or behind field %q", syntax, field)
		}
	case errors.As(err, &kind):
		at = max(0, int(kind.Offset)-1)
		return at, fmt.Errorf("%s: expected %s, got a JSON %s", kind.Field, kind.Type, kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return len(data), errors.New("the JSON value ends too early")
	}
	return at, errors.New("not valid: " + strings.TrimPrefix(err.Error(), "json: "))
}

// infinite is how programs write what is no finite number.
var infinite = regexp.MustCompile(`^[+-]?(?i:nan|inf(?:inity)?)\b`)

// notFinite finds such a word around the offset at which a parser stumbled over
// it: its first letters may be those of null, or a sign.
func notFinite(data []byte, at int) (start int, word string) {
	for start = max(0, at-2); start <= at && start < len(data); start++ {
		if m := infinite.Find(data[start:min(len(data), start+16)]); m != nil {
			return start, string(m)
		}
	}
	return at, ""
}

// fieldBefore is the last key before an offset; empty where there is none.
func fieldBefore(data []byte, at int) string {
	before := data[:min(at, len(data))]
	colon := bytes.LastIndex(before, []byte(`":`))
	if colon < 0 {
		return ""
	}
	name := before[bytes.LastIndexByte(before[:colon], '"')+1 : colon]
	return string(name[:min(len(name), 40)])
}
