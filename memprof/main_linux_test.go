package memprof

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the process whose memory is read.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "role" {
		play(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play answers lines on its input: "hold N" touches N MiB, "free" gives them
// back, "fork" starts a child that obeys the lines after it, in a session of
// its own; "orphan" starts one below a parent that ends at once.
func play(args []string) {
	if args[0] == "between" {
		child := exec.Command(self(), "role", "player")
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		return
	}
	var held []byte
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(os.Getpid())
	var child *player
	for in.Scan() {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch {
		case verb == "fork":
			child = start("player")
		case verb == "orphan":
			child = start("between")
			child.cmd.Wait()
		case verb == "child":
			child.ask(rest)
		case verb == "hold":
			mib, _ := strconv.Atoi(rest)
			held = touch(mib << 20)
		case verb == "free":
			if err := syscall.Munmap(held); err != nil {
				panic(err)
			}
		}
		if child != nil {
			fmt.Println(child.pid)
		} else {
			fmt.Println("done")
		}
	}
}

func touch(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// player is the other end of play.
type player struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	pid string // as the process says itself
}

func start(role string) *player {
	p := &player{cmd: exec.Command(self(), "role", role)}
	p.in, _ = p.cmd.StdinPipe()
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, os.Stderr
	p.out = bufio.NewReader(r)
	if err := p.cmd.Start(); err != nil {
		panic(err)
	}
	w.Close()
	p.pid = p.line()
	return p
}

func (p *player) line() string {
	s, err := p.out.ReadString('\n')
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(s)
}

// ask gives one order and returns the answer.
func (p *player) ask(order string) string {
	fmt.Fprintln(p.in, order)
	return p.line()
}

// newPlayer starts a process for the length of the test.
func newPlayer(t *testing.T) (*player, int) {
	t.Helper()
	p := start("player")
	t.Cleanup(func() {
		p.in.Close()
		time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
		p.cmd.Wait()
	})
	return p, p.cmd.Process.Pid
}
