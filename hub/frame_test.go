package hub

import (
	"bufio"
	"bytes"
	"testing"
)

func TestTextFrame(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("é"), n/2+1)[:n]
		p := &peer{t: t, br: bufio.NewReader(bytes.NewReader(textFrame(payload)))}
		p.expect(opText, string(payload))
		if p.br.Buffered() != 0 {
			t.Errorf("%d bytes too many for %d", p.br.Buffered(), n)
		}
	}
}
