package host

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

// tree builds a file system of one-line files.
func tree(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for path, text := range files {
		m[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestFingerprintOfThisHost(t *testing.T) {
	h := Fingerprint([]int{0})
	if h.OS != runtime.GOOS || h.Arch != runtime.GOARCH || h.Go == "" || h.Kernel == "" || h.Cores < 1 || h.MemBytes < 1<<26 {
		t.Errorf("%+v", h)
	}
	if !slices.Equal(h.Mask, []int{0}) {
		t.Errorf("mask %v", h.Mask)
	}
	if again := Fingerprint([]int{0}); !slices.Equal(h.Flags, again.Flags) || h.CPU != again.CPU || h.Virtual != again.Virtual {
		t.Errorf("a second look differs:\n%+v\n%+v", h, again)
	}
}

func TestKernelFlags(t *testing.T) {
	got := kernelFlags([]string{"fpu", "avx512f", "avx2", "fma", "amx_bf16", "avx512_novelty"})
	if want := []string{"fma", "avx2", "avx512f", "amx_bf16"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGovernor(t *testing.T) {
	root := tree(map[string]string{
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
		"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave\n",
		"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "performance\n",
	})
	for _, tt := range []struct {
		cpus  []int
		want  string
		level Level
	}{
		{nil, "performance", Good}, {[]int{1}, "powersave", Warn}, {[]int{0, 2}, "performance", Good},
		{[]int{0, 1, 2}, "performance,powersave", Warn}, {[]int{9}, "", Good},
	} {
		if got := governor(root, tt.cpus); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.cpus, got, tt.want)
		}
		if f := checkGovernor(root, tt.cpus); f.Level != tt.level {
			t.Errorf("%v: %+v", tt.cpus, f)
		}
	}
}

func TestChoose(t *testing.T) {
	siblings := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i, p := range pairs {
			m["sys/devices/system/cpu/cpu"+string(rune('0'+i))+"/topology/thread_siblings_list"] = p
		}
		return m
	}
	smt := siblings("0,2", "1,3", "0,2", "1,3")
	hybrid := siblings("0-1", "0-1", "2", "3")
	for i, f := range []string{"5000000", "5000000", "3800000", "3800000"} {
		hybrid["sys/devices/system/cpu/cpu"+string(rune('0'+i))+"/cpufreq/cpuinfo_max_freq"] = f
	}
	tests := []struct {
		name    string
		files   map[string]string
		allowed []int
		threads int
		want    []int
	}{
		{"leave CPU 0", nil, []int{0, 1}, 1, []int{1}},
		{"all", nil, []int{0, 1}, 2, []int{0, 1}},
		{"a mask with holes", nil, []int{2, 5, 7}, 2, []int{5, 7}},
		{"one per core", smt, []int{0, 1, 2, 3}, 2, []int{2, 3}},
		{"then siblings", smt, []int{0, 1, 2, 3}, 3, []int{1, 2, 3}},
		{"fast cores first", hybrid, []int{0, 1, 2, 3}, 1, []int{1}},
		{"slow cores before siblings", hybrid, []int{0, 1, 2, 3}, 2, []int{1, 3}},
		{"too many", nil, []int{0, 1}, 3, nil},
		{"none", nil, []int{0, 1}, 0, nil},
	}
	for _, tt := range tests {
		got, err := choose(tree(tt.files), tt.allowed, tt.threads)
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want == nil) {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestCgroup(t *testing.T) {
	tests := []struct {
		name      string
		files     map[string]string
		throttled int64
		quota     float64
		memory    int64 // 0: none, like the others
	}{
		{"v2", map[string]string{
			"proc/self/cgroup":                "0::/user/app\n",
			"sys/fs/cgroup/user/app/cpu.stat": "usage_usec 5\nthrottled_usec 7\n",
			"sys/fs/cgroup/user/app/cpu.max":  "150000 100000\n", "sys/fs/cgroup/user/app/memory.max": "1073741824\n",
		}, 7000, 1.5, 1 << 30},
		{"v2 without limits", map[string]string{
			"proc/self/cgroup":   "0::/\n",
			"sys/fs/cgroup/x":    "",
			"sys/fs/cgroup/a/b":  "",
			"sys/fs/cgroup/stat": "", "sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n",
		}, 0, 0, 0},
		{"v2 seen from a container", map[string]string{
			"proc/self/cgroup":       "0::/docker/6f3a\n",
			"sys/fs/cgroup/cpu.stat": "throttled_usec 3\n", "sys/fs/cgroup/cpu.max": "50000 100000",
		}, 3000, 0.5, 0},
		{"v1", map[string]string{
			"proc/self/cgroup":                                    "4:memory:/m\n2:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/cpu,cpuacct/c/cpu.stat":                "nr_periods 1\nthrottled_time 99\n",
			"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us":        "200000\n",
			"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us":       "100000\n",
			"sys/fs/cgroup/memory/m/memory.limit_in_bytes":        "9223372036854771712\n",
			"sys/fs/cgroup/memory/other/memory.limit_in_bytes":    "4096\n",
			"sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_quota_us":    "1\n",
			"sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_period_us":   "1\n",
			"sys/fs/cgroup/cpu,cpuacct/other/throttled_something": "1\n",
		}, 99, 2, 0},
		{"v1 without a quota", map[string]string{
			"proc/self/cgroup":                    "1:cpu:/\n4:memory:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n",
		}, 0, 0, 4096},
		{"no cgroups", nil, 0, 0, 0},
		{"nonsense", map[string]string{
			"proc/self/cgroup": "0::\nx\n1:cpu\n::::\n", "sys/fs/cgroup/cpu.max": "1", "sys/fs/cgroup/cpu.stat": "throttled_usec -4",
		}, 0, 0, 0},
	}
	for _, tt := range tests {
		root := tree(tt.files)
		c, m := newCgroup(root, "cpu"), newCgroup(root, "memory")
		if ns, ok := c.throttled(); ns != tt.throttled && ok || ok != (tt.throttled > 0) {
			t.Errorf("%s: throttled %d, %v", tt.name, ns, ok)
		}
		if q, ok := c.quota(); ok != (tt.quota > 0) || ok && q != tt.quota {
			t.Errorf("%s: quota %v, %v", tt.name, q, ok)
		}
		if n, ok := m.memoryLimit(); ok != (tt.memory > 0) || ok && n != tt.memory {
			t.Errorf("%s: memory limit %d, %v", tt.name, n, ok)
		}
	}
}

func TestParseStat(t *testing.T) {
	s, ok := parseStat("cpu  10 1 2 100 5 3 4 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
	tick := int64(10 * time.Millisecond)
	if !ok || s.busy != 20*tick || s.steal != 6*tick || s.total != 131*tick {
		t.Errorf("%+v, %v", s, ok)
	}
	for _, text := range []string{"", "cpu", "cpu 1 2 3", "cpu a b c d e f g h", "cpu -1 2 3 4 5 6 7 8", "intr 1 2 3 4 5 6 7 8 9"} {
		if s, ok := parseStat(text); ok {
			t.Errorf("%q gives %+v", text, s)
		}
	}
}

func TestParsePressure(t *testing.T) {
	ns, ok := parsePressure("some avg10=0.62 avg60=0.82 avg300=1.57 total=20172189\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
	if !ok || ns != 20172189000 {
		t.Errorf("%d, %v", ns, ok)
	}
	for _, text := range []string{"", "some avg10=0", "some total=x", "full total=5", "some total=-5"} {
		if ns, ok := parsePressure(text); ok {
			t.Errorf("%q gives %d", text, ns)
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("cpu  10 1 2 100 5 3 4 6 0 0\n", "some avg10=0.62 total=20172189\n", "throttled_usec 7\n")
	f.Fuzz(func(t *testing.T, stat, pressure, keyedText string) {
		if s, ok := parseStat(stat); ok && (s.busy < 0 || s.steal < 0 || s.busy+s.steal > s.total) {
			t.Errorf("%+v of %q", s, stat)
		}
		if ns, ok := parsePressure(pressure); ok && ns < 0 {
			t.Errorf("%d of %q", ns, pressure)
		}
		if n, ok := keyed(keyedText, "throttled_usec"); ok && n < 0 {
			t.Errorf("%d of %q", n, keyedText)
		}
	})
}

func TestDisturbances(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only linux tells what else happens on the host")
	}
	cpus, err := Granted(1)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	d := Disturbances(cpus, func() time.Duration { return 0 })
	spin(300 * time.Millisecond)
	r := d.Stop()
	wall := time.Since(began)
	if r.StealNS == nil || r.OthersCPUNS == nil || *r.StealNS < 0 || *r.OthersCPUNS < 0 {
		t.Fatalf("%+v", r)
	}
	if r.CanaryNS < int64(100*time.Microsecond) || r.CanaryNS > int64(time.Second) {
		t.Errorf("canary %v", time.Duration(r.CanaryNS))
	}
	// No more than all CPUs all the time, and the kernel's rounding.
	if room := int64(runtime.NumCPU())*int64(wall) + int64(100*time.Millisecond); *r.OthersCPUNS > room {
		t.Errorf("others used %v", time.Duration(*r.OthersCPUNS))
	}
}

func TestOwnTimeIsNotOthers(t *testing.T) {
	second := int64(time.Second)
	at := func(busy, own, steal int64) counters { return counters{busy: &busy, own: &own, steal: &steal} }
	root := tree(map[string]string{"proc/stat": "cpu  500 0 0 100 0 0 0 50 0 0\n"}) // 5 s busy, 0.5 s stolen
	var living time.Duration
	d := &Disturbed{root: root, own: func() time.Duration { return living }, before: at(1*second, 0, second/4)}
	own, _ := ownCPU()
	d.before.own = &own
	r := d.Stop()
	if r.OthersCPUNS == nil || *r.OthersCPUNS > 4*second || *r.OthersCPUNS < 3*second || *r.StealNS != second/4 {
		t.Errorf("%+v", r)
	}
	if r.PSICPUNS != nil || r.ThrottledNS != nil {
		t.Errorf("figures that nobody told are not nil: %+v", r)
	}
	living = 2 * time.Second // of children that were not waited for
	if r := d.Stop(); *r.OthersCPUNS > 2*second || *r.OthersCPUNS < second {
		t.Errorf("with 2 s of a living child: others %v", time.Duration(*r.OthersCPUNS))
	}
}

func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		runtime.KeepAlive(canary(1000))
	}
}

func TestCanaryIsTheSameWork(t *testing.T) {
	a, b := canary(1000), canary(1000)
	if a != b || a <= 0 || a >= 1 || canary(1001) == a {
		t.Errorf("%v, %v", a, b)
	}
}

func TestDoctor(t *testing.T) {
	all := Doctor(t.TempDir() + "/not/yet/there")
	if len(all) < 4 {
		t.Fatalf("%v", all)
	}
	for _, f := range all {
		t.Logf("%-4s %s", f.Level, f.What)
		if f.What == "" || f.Level == Bad && f.Hint == "" || f.Level == Good && f.Hint != "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestDoctorChecks(t *testing.T) {
	const cpu, power = "sys/devices/system/clocksource/clocksource0/current_clocksource", "sys/class/power_supply/"
	tests := []struct {
		name  string
		got   Finding
		level Level
	}{
		{"load", judgeLoad(3, 4), Warn},
		{"no load", judgeLoad(0.2, 4), Good},
		{"stolen", checkSteal(tree(map[string]string{"proc/stat": "cpu 100 0 0 100 0 0 0 10 0 0"})), Warn},
		{"not stolen", checkSteal(tree(map[string]string{"proc/stat": "cpu 100 0 0 100 0 0 0 1 0 0"})), Good},
		{"no stat", checkSteal(tree(nil)), Warn},
		{"huge pages", checkHugePages(tree(map[string]string{"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never"})), Warn},
		{"no huge pages", checkHugePages(tree(nil)), Good},
		{"quota", checkQuota(newCgroup(tree(map[string]string{"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1 2"}), "cpu")), Warn},
		{"little memory", checkMemoryLimit(newCgroup(tree(map[string]string{"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1048576"}), "memory")), Warn},
		{"no pressure", checkPressure(tree(nil)), Warn},
		{"slow clock", checkClock(tree(map[string]string{cpu: "hpet\n"})), Warn},
		{"fast clock", checkClock(tree(map[string]string{cpu: "tsc\n"})), Good},
		{"battery", checkPower(tree(map[string]string{power + "BAT0/type": "Battery", power + "BAT0/status": "Discharging"})), Warn},
		{"mains", checkPower(tree(map[string]string{power + "BAT0/type": "Battery", power + "BAT0/status": "Full", power + "AC/type": "Mains"})), Good},
		{"mouse", checkPower(tree(map[string]string{power + "m/type": "Battery", power + "m/scope": "Device", power + "m/status": "Discharging"})), Good},
	}
	for _, tt := range tests {
		if tt.got.Level != tt.level || tt.level == Warn && tt.got.Hint == "" {
			t.Errorf("%s: %+v", tt.name, tt.got)
		}
	}
}

func TestExisting(t *testing.T) {
	dir := t.TempDir()
	if got, err := existing(dir + "/a/b/c"); got != dir || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := diskFree(dir); got <= 0 || err != nil {
		t.Errorf("%d bytes free, %v", got, err)
	}
}

func BenchmarkCanary(b *testing.B) {
	for b.Loop() {
		runtime.KeepAlive(canary(canaryRounds))
	}
}
