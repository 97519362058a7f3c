package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/dlbench/dlbench/report"
)

// chartsOf are the charts of a page's data, by the ids of their elements.
func chartsOf(script *html.Node) (map[string]any, bool) {
	data, ok := decode(script)
	if !ok {
		return nil, false
	}
	charts, ok := data["charts"].(map[string]any)
	return charts, ok
}

// chartText is what the element of the charts' data holds, unpacked; false where
// that cannot be.
func chartText(script *html.Node) ([]byte, bool) {
	var b strings.Builder
	for c := range script.ChildNodes() {
		b.WriteString(c.Data)
	}
	data, err := report.UnpackCharts([]byte(b.String()))
	return data, err == nil
}

func decode(script *html.Node) (map[string]any, bool) {
	text, ok := chartText(script)
	if !ok {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var data map[string]any
	return data, d.Decode(&data) == nil && data != nil
}

// charts compares the data that scripts draw.
func (w *walker) charts(a, b *html.Node) {
	says, ok := decode(a)
	means, _ := decode(b)
	if !ok {
		w.add(place{}, "data of the charts", "no packed JSON", "packed JSON")
		return
	}
	n := len(w.found)
	w.values(says, means, "data of the charts")
	if len(w.found) == n { // white space, a key twice
		w.add(place{}, "data of the charts", "other bytes", "the same values")
	}
}

// values compares two values of JSON; path names where they stand.
func (w *walker) values(a, b any, path string) {
	switch y := b.(type) {
	case map[string]any:
		x, ok := a.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]any{}
		maps.Copy(keys, y)
		maps.Copy(keys, x)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			p, inA := x[k]
			q, inB := y[k]
			if inA && inB {
				w.values(p, q, path+"."+k)
			} else {
				w.add(place{}, short(path+"."+k), present(p, inA), present(q, inB))
			}
		}
		return
	case []any:
		x, ok := a.([]any)
		if !ok {
			break
		}
		for i := range min(len(x), len(y)) {
			w.values(x[i], y[i], fmt.Sprintf("%s[%d]", path, i))
		}
		if len(x) != len(y) {
			w.add(place{}, short(path), fmt.Sprintf("%d values", len(x)), fmt.Sprintf("%d values", len(y)))
		}
		return
	default:
		if reflect.DeepEqual(a, b) {
			return
		}
	}
	w.add(place{}, short(path), present(a, true), present(b, true))
}

func present(v any, there bool) string {
	if !there {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// chartData are the charts of a page.
func chartData(page *html.Node) map[string]any {
	for n := range all(page) {
		if isCharts(n) {
			charts, _ := chartsOf(n)
			return charts
		}
	}
	return nil
}
