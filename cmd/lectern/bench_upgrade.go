package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// acceptSuffix is what the server hashes with the key (RFC 6455, section 1.3).
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// An upgrade is the handshake of all sockets of a load (RFC 6455, section 4):
// they have one key in common, so that all is prepared before the clock starts.
type upgrade struct{ key, accept string }

func newUpgrade() upgrade {
	var nonce [16]byte
	rand.Read(nonce[:])
	u := upgrade{key: base64.StdEncoding.EncodeToString(nonce[:])}
	sum := sha1.Sum([]byte(u.key + acceptSuffix))
	u.accept = base64.StdEncoding.EncodeToString(sum[:])
	return u
}

// request is what a client sends first.
func (u *upgrade) request(host, passport string) []byte {
	return []byte("GET /v1/socket HTTP/1.1\r\nHost: " + host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + u.key +
		"\r\nSec-WebSocket-Protocol: lectern.v1\r\nAuthorization: Bearer " + passport + "\r\n\r\n")
}

// A refusedUpgrade is an answer other than 101 to a handshake.
type refusedUpgrade struct {
	status int
	code   string // the problem's, if it has one
}

func (r *refusedUpgrade) Error() string {
	return fmt.Sprintf("the server answered the upgrade with %d %s", r.status, r.code)
}

// maxUpgradeAnswer is far above what any server or balancer answers.
const maxUpgradeAnswer = 16 << 10

// answered reads the answer to the handshake and returns what is behind it,
// the first frames. Whole is false while more of it must come.
func (u *upgrade) answered(data []byte) (behind []byte, whole bool, err error) {
	head, behind, whole := bytes.Cut(data, []byte("\r\n\r\n"))
	if !whole && len(data) > maxUpgradeAnswer {
		return nil, false, errors.New("the server's answer to the upgrade has no end")
	}
	if !whole {
		return data, false, nil
	}
	var status int
	if _, line, _ := bytes.Cut(head, []byte(" ")); len(line) >= 3 {
		status, _ = strconv.Atoi(string(line[:3]))
	}
	if status != http.StatusSwitchingProtocols {
		return nil, true, &refusedUpgrade{status, string(textField(behind, `"code":"`))}
	}
	if !bytes.Contains(head, []byte(": "+u.accept)) {
		return nil, true, errors.New("the server's Sec-WebSocket-Accept is wrong")
	}
	return behind, true, nil
}

// A closedSocket is a close frame from the server.
type closedSocket struct {
	code   int
	reason string
}

func (c *closedSocket) Error() string {
	return fmt.Sprintf("the server closed the socket with %d %s", c.code, c.reason)
}

// closedWith reads the payload of a close frame.
func closedWith(payload []byte) *closedSocket {
	if len(payload) < 2 {
		return &closedSocket{code: 1005}
	}
	return &closedSocket{int(binary.BigEndian.Uint16(payload)), string(payload[2:])}
}
