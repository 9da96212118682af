package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// maxServerFrame is what the protocol allows the server.
const maxServerFrame = 1 << 20

// Opcodes of RFC 6455, section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// A frame is one of a server's, not masked.
type frame struct {
	opcode  byte
	last    bool
	payload []byte
}

// cutFrame returns the frame that data begins with, and what is behind it.
// Nothing is copied. Whole is false while more of the frame must come.
func cutFrame(data []byte) (f frame, behind []byte, whole bool, err error) {
	if len(data) < 2 {
		return f, data, false, nil
	}
	if data[0]&0x70 != 0 || data[1]&0x80 != 0 {
		return f, data, false, errors.New("the server sent a frame that is compressed or masked")
	}
	head, size := 2, uint64(data[1])
	switch {
	case size == 126:
		head = 4
	case size == 127:
		head = 10
	}
	if len(data) < head {
		return f, data, false, nil
	}
	switch head {
	case 4:
		size = uint64(binary.BigEndian.Uint16(data[2:]))
	case 10:
		size = binary.BigEndian.Uint64(data[2:])
	}
	if size > maxServerFrame {
		return f, data, false, fmt.Errorf("the server sent a frame of %d bytes", size)
	}
	end := head + int(size)
	if len(data) < end {
		return f, data, false, nil
	}
	return frame{data[0] & 0x0F, data[0]&0x80 != 0, data[head:end]}, data[end:], true, nil
}

// appendFrame appends one whole frame, masked as a client's must be.
func appendFrame(b []byte, opcode byte, payload []byte) []byte {
	b = append(b, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i&3])
	}
	return b
}

// textOf returns a request as a frame.
func textOf(format string, args ...any) []byte {
	return appendFrame(nil, opText, fmt.Appendf(nil, format, args...))
}

// A kind is a type of message that a load knows.
type kind int

const (
	kindOther kind = iota
	kindHello
	kindJoined
	kindWaiting
	kindError
	kindWatching
	kindPage
	kindRoster
	kindCount
	kindChanged
	kindUpdated
	kindDraining
	kindClosed
	kinds // how many there are
)

// kindNames are the types as the protocol has them.
var kindNames = [kinds]string{
	"other", "hello", "joined", "waiting_for_seat", "error", "watching", "roster_page", "roster", "count", "room_changed",
	"updated", "draining", "room_closed",
}

// kindOf reads a message's type without decoding the rest: a message begins
// with its id, if it has one, and its type. The first member of that name is
// the message's, since none before it is an object.
func kindOf(message []byte) kind {
	text := textField(message, `"type":"`)
	for k := kindHello; k < kinds; k++ {
		if string(text) == kindNames[k] {
			return k
		}
	}
	return kindOther
}

// textField returns what is between a member's name, given with its quotes,
// colon and opening quote, and the next quote. In JSON a quote inside a string
// has a backslash before it, so that no string can hold the name.
func textField(message []byte, name string) []byte {
	i := bytes.Index(message, []byte(name))
	if i < 0 {
		return nil
	}
	text := message[i+len(name):]
	return text[:max(0, bytes.IndexByte(text, '"'))]
}

// numberField returns the number behind a member's name, given with its quotes
// and colon, 0 if there is none.
func numberField(message []byte, name string) int64 {
	i := bytes.Index(message, []byte(name))
	if i < 0 {
		return 0
	}
	digits := message[i+len(name):]
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(string(digits[:end]), 10, 64)
	return n
}
