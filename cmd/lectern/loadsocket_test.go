package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// clientBuffer holds a reply to join whole.
const clientBuffer = 1 << 10

// A loadSocket is a client's end of one WebSocket (RFC 6455) for tests that
// play tricks with it. One goroutine reads; send may be called from any.
type loadSocket struct {
	conn    net.Conn
	in      *bufio.Reader
	message []byte // the last one, reused
}

// dialSocket connects to the server's /v1/socket with a user passport.
func dialSocket(ctx context.Context, server *url.URL, passport string) (*loadSocket, error) {
	dialer := net.Dialer{Timeout: answerTime}
	conn, err := dialer.DialContext(ctx, "tcp", server.Host)
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

func (s *loadSocket) upgrade(host, passport string) error {
	s.conn.SetDeadline(time.Now().Add(answerTime))
	u := newUpgrade()
	_, err := s.conn.Write(u.request(host, passport))
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
	if response.Header.Get("Sec-WebSocket-Accept") != u.accept {
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
	_, err := s.conn.Write(appendFrame(nil, opcode, payload))
	return err
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

// A watcher follows a room's roster as any client does: a snapshot first, and
// then what changes, by the rules of versions.
type watcher struct {
	socket *loadSocket
	room   room.ID

	mu sync.Mutex // guards all below
	roster
	err error // why it has stopped
}

// newWatcher makes a watcher of a socket that nobody reads. It watches once
// watch runs.
func newWatcher(s *loadSocket, id room.ID) *watcher {
	return &watcher{socket: s, room: id, roster: newRoster()}
}

// watch follows the room until the socket ends.
func (w *watcher) watch() {
	err := w.ask(0)
	for err == nil {
		err = w.next()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// ask asks for the roster, or for what has changed since a version.
func (w *watcher) ask(since int64) error {
	request := fmt.Appendf(nil, `{"id":1,"type":"watch","room_id":%q`, w.room)
	if since > 0 {
		request = fmt.Appendf(request, `,"since":%d`, since)
	}
	return w.socket.send(append(request, '}'))
}

func (w *watcher) next() error {
	data, err := w.socket.read()
	if err != nil {
		return err
	}
	var m rosterMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read a message to the watcher: %w", err)
	}
	if m.Type == "error" {
		return fmt.Errorf("watching was refused: %s", m.Code)
	}
	w.mu.Lock()
	_, gap := w.take(&m)
	version := w.version
	w.mu.Unlock()
	if gap {
		return w.ask(version)
	}
	return nil
}

// differs says where the roster is not the given one, "" if it is.
func (w *watcher) differs(stored []seatEntry, version int64) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return fmt.Sprintf("the watcher's socket ended: %v", w.err)
	}
	return w.roster.differs(stored, version)
}
