package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

// receive hands on what comes until the connection ends.
func receive(ctx context.Context, conn *websocket.Conn, messages chan<- []byte, heard *atomic.Int64) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		heard.Store(time.Now().UnixNano())
		select {
		case messages <- data:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dial connects. What the server refuses for good is an error, all else a
// lost connection.
func (f *follower) dial(ctx context.Context, heard func()) (*websocket.Conn, error) {
	token, err := f.passport()
	if err != nil {
		return nil, err
	}
	f.token = token
	heard()
	conn, response, err := websocket.Dial(ctx, f.server.JoinPath("v1/socket").String(), &websocket.DialOptions{
		HTTPClient: f.http, Subprotocols: []string{"lectern.v1"},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
		OnPingReceived: func(context.Context, []byte) bool {
			heard()
			return true
		},
	})
	if err == nil {
		conn.SetReadLimit(maxServerFrame)
		return conn, nil
	}
	if response == nil {
		return nil, &lost{err: err}
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return nil, errors.New("the server does not accept the passport: `lectern passport --verify` says what is wrong with it")
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		return nil, fmt.Errorf("%s answered the upgrade with %s: is it a Lectern, and this the name by which it may be called?", f.server, response.Status)
	}
	return nil, &lost{err: fmt.Errorf("the server answered %s", response.Status)}
}

// ask asks for the roster, or for what has changed in it.
func (f *follower) ask(ctx context.Context, conn *websocket.Conn) error {
	request := fmt.Appendf(nil, `{"id":1,"type":"watch","room_id":%q`, f.id)
	if f.roster.version > 0 {
		request = fmt.Appendf(request, `,"since":%d`, f.roster.version)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, append(request, '}')); err != nil {
		return &lost{err: err}
	}
	return nil
}

// refusedWatch says what it means that the roster was refused.
func refusedWatch(m *watchMessage) error {
	switch room.Code(m.Code) {
	case room.CodeRateLimited, room.CodeUnavailable, room.CodeInternal:
		return &lost{errors.New(m.Message), time.Duration(m.RetryAfter) * time.Millisecond}
	case room.CodeRoomClosed:
		return &errClosed{}
	case room.CodeNotFound, room.CodeForbidden:
		return fmt.Errorf("the roster is not shown to this passport's holder, who must be the room's instructor (%s)", m.Code)
	}
	return fmt.Errorf("the roster was refused: %s (%s)", m.Message, m.Code)
}

// after says what it means that a connection ended.
func (f *follower) after(err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return &lost{err: err}
	}
	why := fmt.Errorf("the server closed the connection: %s (%d)", closed.Reason, closed.Code)
	switch closed.Code {
	case 4001:
		if fresh, err := f.passport(); err == nil && fresh != f.token {
			return &lost{err: why}
		}
		return errors.New("the passport has expired: get a fresh one")
	case websocket.StatusNormalClosure, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData,
		websocket.StatusPolicyViolation, websocket.StatusMessageTooBig, 4003:
		return why
	}
	return &lost{err: why}
}
