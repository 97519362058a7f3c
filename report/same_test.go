package report

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// digests are the hashes of all forms of the golden report.
func digests(t testing.TB) string {
	run, a := golden(t)
	out := ""
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, run, a); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%s %x\n", w.name, sha256.Sum256(b.Bytes()))
	}
	return out
}

// The same run gives the same bytes in any time zone, locale and number of
// processors. The other process is this test again.
func TestSameBytes(t *testing.T) {
	const marker = "DLBENCH_REPORT_DIGESTS"
	if path := os.Getenv(marker); path != "" {
		zone, _ := time.Now().Zone()
		if err := os.WriteFile(path, []byte(zone+"\n"+digests(t)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := digests(t)
	if again := digests(t); again != want {
		t.Fatalf("twice in one process:\n%s\n%s", want, again)
	}
	zones := map[string]bool{}
	for _, env := range [][]string{
		{"TZ=Asia/Kolkata", "LANG=zh_CN.UTF-8", "LC_ALL=zh_CN.UTF-8", "GOMAXPROCS=1"},
		{"TZ=America/St_Johns", "LANG=de_DE.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=7", "NO_COLOR=1"},
	} {
		path := t.TempDir() + "/digests"
		cmd := exec.Command(os.Args[0], "-test.run=^TestSameBytes$", "-test.count=1")
		cmd.Env = append(append(os.Environ(), env...), marker+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", env, err, out)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		zone, rest, _ := bytes.Cut(got, []byte("\n"))
		zones[string(zone)] = true
		if string(rest) != want {
			t.Errorf("%v:\n%s\nhere:\n%s", env, rest, want)
		}
	}
	if len(zones) != 2 {
		t.Errorf("the time zones did not take effect: %v", zones)
	}
}
