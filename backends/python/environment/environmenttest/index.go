// Package environmenttest serves tests of environments: a package index on this
// machine with wheels that are made on the spot, and the environments of real
// frameworks where they are set up.
package environmenttest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Wheel makes a pure Python wheel. Files are by path; the metadata is added.
func Wheel(name, version string, files map[string]string, requires ...string) []byte {
	info := strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	all := maps.Clone(files)
	all[info+"METADATA"] = metadata
	all[info+"WHEEL"] = "Wheel-Version: 1.0\nGenerator: dlbench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	record := ""
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	write := func(path, text string) {
		w, err := z.Create(path)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil { // into memory
			panic(err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		sum := sha256.Sum256([]byte(all[path]))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(all[path]))
		write(path, all[path])
	}
	write(info+"RECORD", record+info+"RECORD,,\n")
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Hash is how a requirement file names a wheel's content.
func Hash(wheel []byte) string {
	sum := sha256.Sum256(wheel)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Index is a package index on 127.0.0.1.
type Index struct {
	URL string // of the simple API

	mu      sync.Mutex
	wheels  map[string]map[string][]byte // by project, then by file
	asked   []string
	stalled chan struct{} // closed when a wheel is asked for while Stall is on
	stall   bool
}

// NewIndex starts an index that stops with the test.
func NewIndex(t testing.TB) *Index {
	x := &Index{wheels: map[string]map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(x.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	x.URL = server.URL + "/simple/"
	return x
}

// Add puts a wheel into the index.
func (x *Index) Add(name, version string, wheel []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wheels[name] == nil {
		x.wheels[name] = map[string][]byte{}
	}
	x.wheels[name][strings.ReplaceAll(name, "-", "_")+"-"+version+"-py3-none-any.whl"] = wheel
}

// Stall lets downloads of wheels begin and never end. The channel is closed when
// the first one has begun. It lasts until Resume.
func (x *Index) Stall() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stall, x.stalled = true, make(chan struct{})
	return x.stalled
}

// Resume ends Stall for later downloads.
func (x *Index) Resume() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stall = false
}

// Asked lists the paths that were asked for, since the last call.
func (x *Index) Asked() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	asked := x.asked
	x.asked = nil
	return asked
}

func (x *Index) serve(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.asked = append(x.asked, r.URL.Path)
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var wheels map[string][]byte
	if len(parts) >= 2 {
		wheels = x.wheels[parts[1]]
	}
	stall := x.stall && len(parts) == 3
	if stall && x.stalled != nil {
		close(x.stalled)
		x.stalled = nil
	}
	x.mu.Unlock()
	switch {
	case stall:
		w.Header().Set("Content-Length", "1000000")
		w.WriteHeader(http.StatusOK)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		<-r.Context().Done()
	case wheels == nil:
		http.NotFound(w, r)
	case len(parts) == 2:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><html><body>")
		for _, file := range slices.Sorted(maps.Keys(wheels)) {
			fmt.Fprintf(w, "<a href=\"%s#%s\">%s</a>\n", file, strings.Replace(Hash(wheels[file]), ":", "=", 1), file)
		}
		fmt.Fprint(w, "</body></html>")
	case wheels[parts[2]] != nil:
		http.ServeContent(w, r, parts[2], zeroTime, bytes.NewReader(wheels[parts[2]]))
	default:
		http.NotFound(w, r)
	}
}
