package workloads

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
)

const maxIDX = 1 << 31 // bytes of one file's data

// readIDX reads an IDX file of unsigned bytes with the given number of
// dimensions: two zero bytes, type 8, the rank, the sides as big-endian uint32,
// the data. Everything must agree, and nothing may follow.
func readIDX(r io.Reader, gzipped bool, rank int) (dims []int, data []byte, err error) {
	if gzipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("not gzip: %w", err)
		}
		defer z.Close()
		r = z
	}
	head := make([]byte, 4+4*rank)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("the IDX header is cut short: expected %d bytes", len(head))
	}
	if want := []byte{0, 0, 8, byte(rank)}; !bytes.Equal(head[:4], want) {
		return nil, nil, fmt.Errorf("magic % x: expected % x (IDX, unsigned bytes, %d dimensions)", head[:4], want, rank)
	}
	dims = make([]int, rank)
	for i := range dims {
		dims[i] = int(binary.BigEndian.Uint32(head[4+4*i:]))
	}
	n, ok := elements(dims)
	if !ok || n > maxIDX {
		return nil, nil, fmt.Errorf("sides %v: expected positive ones and at most %d bytes", dims, int64(maxIDX))
	}
	// The header is not trusted with an allocation: memory grows with the file.
	data, err = io.ReadAll(io.LimitReader(r, n+1))
	if err != nil {
		return nil, nil, fmt.Errorf("data: %w", err)
	}
	if int64(len(data)) < n {
		return nil, nil, fmt.Errorf("%d bytes of data: expected %d for sides %v", len(data), n, dims)
	}
	if int64(len(data)) > n {
		return nil, nil, fmt.Errorf("more than %d bytes of data for sides %v", n, dims)
	}
	return dims, data, nil
}
