package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// answerTime is how long a dial and the answer to a request may take
	// before they count as errors: much longer than the server lets them.
	answerTime = 30 * time.Second
	// clientBuffer holds a reply to join whole.
	clientBuffer = 1 << 10
	// maxServerFrame is what the protocol allows the server.
	maxServerFrame = 1 << 20
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// A loadSocket is a client's end of one WebSocket (RFC 6455), made to cost so
// little that the server is what is measured. One goroutine reads; send may
// be called from any.
type loadSocket struct {
	conn    net.Conn
	in      *bufio.Reader
	message []byte // the last one, reused
}

// A refusedUpgrade is an answer other than 101 to a handshake.
type refusedUpgrade struct {
	status int
	code   string // the problem's, if it has one
}

func (r *refusedUpgrade) Error() string {
	return fmt.Sprintf("the server answered the upgrade with %d %s", r.status, r.code)
}

// dialSocket connects to the server's /v1/socket with a user passport.
func dialSocket(ctx context.Context, server *url.URL, passport string) (*loadSocket, error) {
	conn, err := dialServer(ctx, server)
	if err != nil {
		return nil, err
	}
	s := &loadSocket{conn: conn, in: bufio.NewReaderSize(conn, clientBuffer)}
	if err := s.upgrade(server.Host, passport); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func dialServer(ctx context.Context, server *url.URL) (net.Conn, error) {
	dialer := net.Dialer{Timeout: answerTime}
	port := server.Port()
	if server.Scheme == "https" {
		if port == "" {
			port = "443"
		}
		overTLS := tls.Dialer{NetDialer: &dialer}
		return overTLS.DialContext(ctx, "tcp", net.JoinHostPort(server.Hostname(), port))
	}
	if port == "" {
		port = "80"
	}
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort(server.Hostname(), port))
}

// acceptSuffix is what the server hashes with the key (RFC 6455, section 1.3).
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func (s *loadSocket) upgrade(host, passport string) error {
	s.conn.SetDeadline(time.Now().Add(answerTime))
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	_, err := io.WriteString(s.conn, "GET /v1/socket HTTP/1.1\r\nHost: "+host+
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+
		"\r\nSec-WebSocket-Protocol: lectern.v1\r\nAuthorization: Bearer "+passport+"\r\n\r\n")
	if err != nil {
		return fmt.Errorf("send the handshake: %w", err)
	}
	response, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return fmt.Errorf("read the handshake: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		var problem struct{ Code string }
		json.NewDecoder(io.LimitReader(response.Body, maxServerFrame)).Decode(&problem)
		return &refusedUpgrade{response.StatusCode, problem.Code}
	}
	accept := sha1.Sum([]byte(key + acceptSuffix))
	if response.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(accept[:]) {
		return errors.New("the server's Sec-WebSocket-Accept is wrong")
	}
	return nil
}

// patient lets the socket live without a deadline from now on.
func (s *loadSocket) patient() { s.conn.SetDeadline(time.Time{}) }

// send sends a text message.
func (s *loadSocket) send(message []byte) error { return s.write(opText, message) }

// write sends one whole frame, masked as a client's must be, in one call, so
// that the frames of several goroutines never interleave.
func (s *loadSocket) write(opcode byte, payload []byte) error {
	b := make([]byte, 0, 14+len(payload))
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
	_, err := s.conn.Write(b)
	return err
}

// A closedSocket is a close frame from the server.
type closedSocket struct {
	code   int
	reason string
}

func (c *closedSocket) Error() string {
	return fmt.Sprintf("the server closed the socket with %d %s", c.code, c.reason)
}

// read returns the next text message, which is valid until the next call. It
// answers pings meanwhile.
func (s *loadSocket) read() ([]byte, error) {
	s.message = s.message[:0]
	for {
		opcode, last, payload, err := s.readFrame()
		if err != nil {
			return nil, err
		}
		switch opcode {
		case opText, opContinue:
			if last {
				return s.message, nil
			}
		case opPing:
			if err := s.write(opPong, payload); err != nil {
				return nil, err
			}
		case opPong:
		case opClose:
			closed := &closedSocket{code: 1005}
			if len(payload) >= 2 {
				closed.code, closed.reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			s.write(opClose, payload)
			return nil, closed
		default:
			return nil, fmt.Errorf("the server sent a frame with opcode %d", opcode)
		}
	}
}

// readFrame reads one frame: data behind s.message, a control frame's payload
// into a slice of its own.
func (s *loadSocket) readFrame() (opcode byte, last bool, payload []byte, err error) {
	var head [8]byte
	if _, err = io.ReadFull(s.in, head[:2]); err != nil {
		return 0, false, nil, err
	}
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
		return 0, false, nil, errors.New("the server sent a frame that is compressed or masked")
	}
	opcode, last = head[0]&0x0F, head[0]&0x80 != 0
	size := uint64(head[1])
	switch size {
	case 126:
		_, err = io.ReadFull(s.in, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(s.in, head[:8])
		size = binary.BigEndian.Uint64(head[:8])
	}
	switch {
	case err != nil:
		return 0, false, nil, err
	case size > maxServerFrame:
		return 0, false, nil, fmt.Errorf("the server sent a frame of %d bytes", size)
	case opcode >= opClose:
		payload = make([]byte, size)
		_, err = io.ReadFull(s.in, payload)
		return opcode, last, payload, err
	}
	start := len(s.message)
	s.message = append(s.message, make([]byte, size)...)
	_, err = io.ReadFull(s.in, s.message[start:])
	return opcode, last, nil, err
}

// An answer is a reply, as far as joining takes.
type answer struct {
	ID      *int64
	Type    string
	Code    string // of an error
	Seat    int
	Version int64
}

// ask sends a request and returns the answer: the next message with an id.
func (s *loadSocket) ask(request []byte) (answer, error) {
	if err := s.send(request); err != nil {
		return answer{}, err
	}
	for {
		message, err := s.read()
		if err != nil {
			return answer{}, err
		}
		var a answer
		if err := json.Unmarshal(message, &a); err != nil {
			return answer{}, fmt.Errorf("read an answer: %w", err)
		}
		if a.ID != nil {
			return a, nil
		}
	}
}

// attend reads, and so answers pings, until the connection ends.
func (s *loadSocket) attend() error {
	for {
		if _, err := s.read(); err != nil {
			return err
		}
	}
}
