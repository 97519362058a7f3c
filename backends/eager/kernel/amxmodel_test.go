//go:build amd64 && !purego

package kernel

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// The model runs the assembly of amxBF16 as it stands in bf16_amd64.s, line by line: the
// few instructions on general registers, and those of AMX from their bytes, by the
// definitions of Intel's Software Developer's Manual, volume 2. So machines without AMX
// check the program's addresses, loops and operands, but not a processor.
type amxModel struct {
	mu     sync.Mutex // threads take turns
	lines  []string
	labels map[string]int
	reg    map[string]uintptr
	zero   bool // of the last arithmetic
	set    bool // a configuration is loaded
	tiles  [8][16][64]byte
}

// modelTile is the family AMX on the model.
func modelTile(t *testing.T) []*tile16 {
	text, err := os.ReadFile("bf16_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "TEXT ·amxBF16(SB)")
	if !ok {
		t.Fatal("bf16_amd64.s has no amxBF16")
	}
	m := &amxModel{labels: map[string]int{}}
	for _, line := range strings.Split(body, "\n")[1:] {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "TEXT") {
			break
		} else if name, isLabel := strings.CutSuffix(line, ":"); isLabel {
			m.labels[name] = len(m.lines)
		} else if line != "" {
			m.lines = append(m.lines, line)
		}
	}
	return []*tile16{{name: "AMX on a model", usable: true, mr: 32, deep: 32, contiguous: true, run: func(c *call16, _ int) { m.run(t, c) }}}
}

var (
	fromMemory = regexp.MustCompile(`^(\d+)\((\w+)\)$`)
	oneByte    = regexp.MustCompile(`BYTE \$0x([0-9a-f]{2});`)
)

func (m *amxModel) run(t *testing.T, c *call16) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reg, m.set = map[string]uintptr{}, false
	for at, steps := 0, 0; ; at++ {
		if steps++; steps > 100_000 {
			t.Fatal("the program does not end")
		}
		line := m.lines[at]
		if strings.HasPrefix(line, "BYTE") {
			var code []byte
			for _, b := range oneByte.FindAllStringSubmatch(line, -1) {
				v, err := strconv.ParseUint(b[1], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				code = append(code, byte(v))
			}
			m.tile(t, code)
			continue
		}
		op, rest, _ := strings.Cut(line, " ")
		args := strings.Split(rest, ", ")
		last := args[len(args)-1]
		switch op {
		case "RET":
			if m.set {
				t.Fatal("returned without TILERELEASE")
			}
			return
		case "JMP":
			at = m.labels[last] - 1
		case "JZ":
			if m.zero {
				at = m.labels[last] - 1
			}
		case "JNZ":
			if !m.zero {
				at = m.labels[last] - 1
			}
		case "MOVQ":
			m.reg[last] = m.value(t, args[0], c)
		case "ADDQ":
			m.reg[last] += m.value(t, args[0], c)
		case "SHLQ":
			m.reg[last] <<= m.value(t, args[0], c)
		case "TESTQ":
			m.zero = m.value(t, args[0], c)&m.reg[last] == 0
		case "DECQ":
			m.reg[last]--
			m.zero = m.reg[last] == 0
		default:
			t.Fatalf("the model has no %s", line)
		}
	}
}

// value reads an operand.
func (m *amxModel) value(t *testing.T, arg string, c *call16) uintptr {
	t.Helper()
	switch {
	case arg == "c+0(FP)":
		return uintptr(unsafe.Pointer(c))
	case arg == "config+8(FP)":
		return uintptr(unsafe.Pointer(&amxConfig))
	case strings.HasPrefix(arg, "$"):
		v, err := strconv.Atoi(arg[1:])
		if err != nil {
			t.Fatal(err)
		}
		return uintptr(v)
	case fromMemory.MatchString(arg):
		part := fromMemory.FindStringSubmatch(arg)
		offset, _ := strconv.Atoi(part[1])
		if m.reg[part[2]] != uintptr(unsafe.Pointer(c)) {
			t.Fatalf("%s reads beside the call", arg)
		}
		return *(*uintptr)(unsafe.Add(unsafe.Pointer(c), offset))
	}
	v, ok := m.reg[arg]
	if !ok {
		t.Fatalf("%s is read before it is written", arg)
	}
	return v
}

// tile runs one instruction of AMX.
func (m *amxModel) tile(t *testing.T, code []byte) {
	t.Helper()
	names := []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}
	if code[0] != 0xc4 || code[1]&0x1f != 2 || code[2]&0x84 != 0 {
		t.Fatalf("% x: no VEX.128.0F38.W0", code)
	}
	high := func(bit int) int { return int(^code[1]>>bit&1) << 3 }
	pp, vvvv, modrm := code[2]&3, int(^code[2]>>3&15), code[4]
	reg, rm := int(modrm>>3&7), int(modrm&7)
	memory := modrm>>6 != 3
	switch op := code[3]; {
	case op == 0x49 && pp == 0 && memory && reg == 0:
		config := *(*[64]byte)(pointer(m.reg[names[rm]]))
		if config != amxConfig || config[0] != 1 {
			t.Fatalf("configuration % x", config)
		}
		m.set = true
		m.tiles = [8][16][64]byte{}
		return
	case op == 0x49 && pp == 0 && !memory && modrm == 0xc0:
		m.set = false
		return
	case !m.set:
		t.Fatalf("% x without a configuration", code)
	case op == 0x49 && pp == 3 && !memory:
		m.tiles[reg] = [16][64]byte{}
	case op == 0x4b && memory && rm == 4 && modrm>>6 == 1: // SIB and a byte of displacement
		base, index := m.reg[names[high(5)+int(code[5]&7)]], m.reg[names[high(6)+int(code[5]>>3&7)]]
		for r := range 16 {
			row := (*[64]byte)(pointer(base + uintptr(int8(code[6])) + uintptr(r)*index))
			switch pp {
			case 3:
				m.tiles[reg][r] = *row
			case 2:
				*row = m.tiles[reg][r]
			default:
				t.Fatalf("% x", code)
			}
		}
	case op == 0x5c && pp == 2 && !memory:
		m.dot(reg, rm, vvvv)
	default:
		t.Fatalf("the model has no % x", code)
	}
}

// dot is TDPBF16PS: to += a b.
func (m *amxModel) dot(to, a, b int) {
	flushed := func(v float32) float32 {
		if math.Abs(float64(v)) < 0x1p-126 {
			return 0
		}
		return v
	}
	word := func(tile, row, i int) uint32 { return *(*uint32)(unsafe.Pointer(&m.tiles[tile][row][4*i])) }
	for r := range 16 {
		for p := range 16 {
			x := word(a, r, p)
			for n := range 16 {
				y := word(b, p, n)
				sum := (*float32)(unsafe.Pointer(&m.tiles[to][r][4*n]))
				for _, half := range [][2]uint32{{x << 16, y << 16}, {x &^ 0xffff, y &^ 0xffff}} {
					*sum = flushed(float32(float64(flushed(fromBits(half[0])))*float64(flushed(fromBits(half[1]))) + float64(*sum)))
				}
			}
		}
	}
}

// pointer is the address in a register of the model. The operands that it belongs to
// are alive: the caller holds them.
func pointer(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }
