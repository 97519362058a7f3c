//go:build linux

package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// TestMain lets the test binary play the supervisor, the harness and every
// kind of worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == SuperviseCommand {
		os.Exit(Supervise(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "role" {
		role, ok := roles[os.Args[2]]
		if !ok {
			fmt.Fprintln(os.Stderr, "no role", os.Args[2])
			os.Exit(2)
		}
		role(os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var roles map[string]func(args []string)

func init() {
	roles = map[string]func(args []string){
		"echo":     func([]string) { io.Copy(os.Stdout, os.Stdin) },
		"exit":     func(a []string) { os.Exit(number(a[0])) },
		"suicide":  func([]string) { fmt.Fprintln(os.Stderr, "last words"); syscall.Kill(os.Getpid(), syscall.SIGKILL) },
		"say":      func(a []string) { fmt.Println(strings.Join(a, " ")) },
		"sleep":    func([]string) { time.Sleep(time.Minute) },
		"stderr":   flood,
		"complain": func(a []string) { fmt.Fprintln(os.Stderr, a[0]); os.Exit(1) },
		"stubborn": stubborn,
		"family":   family,
		"eat":      eat,
		"eaters":   func([]string) { spawn("eat", "120"); spawn("eat", "120"); time.Sleep(time.Minute) },
		"env":      func([]string) { fmt.Println(strings.Join(os.Environ(), "\n")) },
		"status":   func([]string) { b, _ := os.ReadFile("/proc/self/status"); os.Stdout.Write(b) },
		"oomscore": func([]string) { b, _ := os.ReadFile("/proc/self/oom_score_adj"); os.Stdout.Write(b) },
		"burn":     func(a []string) { burn(time.Duration(number(a[0])) * time.Millisecond) },
		"forker":   forker,
		"harness":  harness,
		"regicide": func([]string) { spawn("sleep"); syscall.Kill(os.Getppid(), syscall.SIGKILL); time.Sleep(time.Minute) },
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// spawn starts a role that shares our standard output, in a session of its own,
// and prints its process id.
func spawn(role ...string) {
	cmd := exec.Command(self(), append([]string{"role"}, role...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
}

// flood writes args[0] bytes to stderr, and "end" last.
func flood(args []string) {
	chunk := []byte(strings.Repeat(strings.Repeat("x", 127)+"\n", 512))
	for left := number(args[0]); left > 0; left -= len(chunk) {
		os.Stderr.Write(chunk[:min(left, len(chunk))])
	}
	os.Stderr.WriteString("end")
}

// stubborn ignores what it can, and so does its grandchild in another session.
func stubborn(args []string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if len(args) == 0 {
		spawn("stubborn", "leaf")
	}
	time.Sleep(time.Minute)
}

// family leaves an orphan in its own session behind and exits with code 0.
func family(args []string) {
	if len(args) == 0 {
		fmt.Println(os.Getpid())
		spawn("family", "middle")
		time.Sleep(50 * time.Millisecond)
		return
	}
	spawn("sleep")
}

// forker is a worker that forks: it touches args[0] MiB, then plays the role of
// each line of its input in a process of its own, waits for it, and prints its
// process id when it starts and how it ended.
func forker(args []string) {
	// Not in the heap, which the race detector shadows.
	held, err := syscall.Mmap(-1, 0, number(args[0])<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		cmd := exec.Command(self(), append([]string{"role"}, strings.Fields(in.Text())...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		fmt.Println(cmd.Process.Pid)
		fmt.Println(cmd.Wait())
	}
}

// burn uses so much CPU time, however long that takes on a busy machine.
func burn(d time.Duration) {
	var u syscall.Rusage
	for u.Utime.Nano()+u.Stime.Nano() < d.Nanoseconds() {
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
	}
}

// eat touches args[0] MiB as fast as it can, on args[1] threads, in huge pages
// where the kernel has them. args[2], when there, is a file of 8 bytes that
// counts the touched bytes and survives SIGKILL.
func eat(args []string) {
	size, threads := number(args[0])<<20, 1
	if len(args) > 1 {
		threads = number(args[1])
	}
	touched := new(atomic.Int64)
	if len(args) > 2 {
		f, err := os.OpenFile(args[2], os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		b, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			panic(err)
		}
		touched = (*atomic.Int64)(unsafe.Pointer(&b[0]))
	}
	// NORESERVE: more than the host has is refused at once otherwise.
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		panic(err)
	}
	if threads > 1 {
		syscall.Madvise(b, 14) // MADV_HUGEPAGE
	}
	for i := range threads {
		part := b[i*size/threads : (i+1)*size/threads]
		go func() {
			const step = 1 << 20
			for ; len(part) >= step; part = part[step:] {
				for i := 0; i < step; i += 4096 {
					part[i] = 1
				}
				touched.Add(step)
			}
		}()
	}
	time.Sleep(time.Minute)
}

// harness starts a stubborn worker, prints the processes and hangs.
func harness(args []string) {
	c, err := Start(context.Background(), Spec{Argv: []string{self(), "role", args[0]}})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Root())
	fmt.Println(c.PID())
	io.Copy(os.Stdout, c.Stdout)
	time.Sleep(time.Minute)
}

// start starts a role under the test's time limit.
func start(t *testing.T, s Spec, role ...string) *Child {
	t.Helper()
	s.Argv = append([]string{self(), "role"}, role...)
	c, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill(); c.Wait() })
	return c
}

// wait fails the test when the child does not end in time.
func wait(t *testing.T, c *Child, limit time.Duration) Exit {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(limit):
		c.Kill()
		t.Fatalf("not ended after %v", limit)
	}
	return c.Wait()
}

// readPIDs reads n process ids, one per line.
func readPIDs(t *testing.T, r *bufio.Reader, n int) []int {
	t.Helper()
	var pids []int
	for range n {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %v: %v", pids, err)
		}
		pids = append(pids, number(strings.TrimSpace(line)))
	}
	return pids
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// gone fails the test when one of the processes still lives at the deadline.
func gone(t *testing.T, pids []int, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Errorf("pid %d lives on after %v", pid, within)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
