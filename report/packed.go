package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
)

// The data of the interactive charts stand in a page as base64 of gzip of JSON, in an
// element that nothing else in a page can look like: only who opens a chart needs
// them, and unpacked they are a sixth of a page. ChartsOpen is how it begins.
const ChartsOpen = `<script type="application/octet-stream" id="chart-data">`

// maxCharts is more than the data of all charts of a page take, in bytes of JSON.
const maxCharts = 64 << 20

// packed is the base64 of what data compress to; the same data give the same bytes
// in one version of Go.
func packed(data []byte) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// unpacked is what packed took, of at most so many bytes and one more; of a longer
// one it is the beginning. Nothing may follow the compressed stream.
func unpacked(packed []byte, most int) ([]byte, error) {
	compressed, err := base64.StdEncoding.Strict().DecodeString(string(packed))
	if err != nil {
		return nil, err
	}
	in := bytes.NewReader(compressed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	data, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if in.Len() > 0 && len(data) <= most {
		return nil, fmt.Errorf("%d bytes follow the gzip stream", in.Len())
	}
	return data, nil
}

// UnpackCharts is the JSON that the element of a page's charts holds.
func UnpackCharts(element []byte) ([]byte, error) {
	data, err := unpacked(element, maxCharts)
	if err == nil && len(data) > maxCharts {
		err = fmt.Errorf("larger than %d bytes", maxCharts)
	}
	return data, err
}
