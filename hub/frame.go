package hub

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
)

// Codes with which a socket ends. The socket protocol (web/docs) says what a client does
// about each. 1005 and 1006 (RFC 6455, section 7.4.1) are never on the wire.
const (
	closeGoingAway   = 1001
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeNoStatus    = 1005
	closeLost        = 1006
	closeBadText     = 1007
	closeMisuse      = 1008
	closeRestart     = 1012
	closeTryLater    = 1013
	closeExpired     = 4001
	closeSlow        = 4002
	closeTooMany     = 4003
)

// maxCloseReason is what a control frame's 125 bytes leave beside the code
// (RFC 6455, section 5.5).
const maxCloseReason = 123

// maxHeader is the longest header of a frame that is not masked.
const maxHeader = 10

// draftFrame returns what a payload, of about so many bytes, is appended to
// and finish then makes a frame of.
func draftFrame(size int) []byte { return make([]byte, maxHeader, maxHeader+size) }

// finish returns a draft as one whole text message from the server: header and
// payload, not masked, made once and shared by all sockets it goes to.
func finish(draft []byte) []byte { return finishAs(opText, draft) }

func finishAs(opcode byte, draft []byte) []byte {
	n := len(draft) - maxHeader
	var header [maxHeader]byte
	b := append(header[:0], 0x80|opcode)
	switch {
	case n < 126:
		b = append(b, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	frame := draft[maxHeader-len(b):]
	copy(frame, b)
	return frame
}

// textFrame is finish for a payload that is there already.
func textFrame(payload []byte) []byte { return frame(opText, payload) }

func frame(opcode byte, payload []byte) []byte {
	return finishAs(opcode, append(draftFrame(len(payload)), payload...))
}

// closeFrame returns a close frame. A reason too long for one is cut between
// two characters.
func closeFrame(code int, reason string) []byte {
	if code == closeNoStatus {
		return frame(opClose, nil)
	}
	if len(reason) > maxCloseReason {
		end := maxCloseReason
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	return frame(opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// parseClose reads the payload of a close frame that the library made.
func parseClose(payload []byte) (code int, reason string) {
	if len(payload) < 2 {
		return closeNoStatus, ""
	}
	return int(binary.BigEndian.Uint16(payload)), string(payload[2:])
}
