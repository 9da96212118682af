package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

const (
	// lookAgain is how often a display may be drawn: changes that come faster
	// are no use to eyes.
	lookAgain = 250 * time.Millisecond
	// serverSilence is well over two of the server's pings, which come every
	// 25 s.
	serverSilence = time.Minute
	// firstPause and longestPause bound the pause before a reconnect, of which
	// a random share is waited (full jitter): as the browser client has them.
	firstPause, longestPause = 500 * time.Millisecond, 20 * time.Second
	// steadyAfter is how long a connection lasts that was a good one.
	steadyAfter = 5 * time.Second
)

// A watchedRoom is a room object, as far as it is shown.
type watchedRoom struct {
	ID       room.ID
	Code     string
	Title    string
	Capacity int
	Status   room.Status
}

// A watchMessage is what the server says to a follower.
type watchMessage struct {
	rosterMessage
	Room           *watchedRoom
	Message        string      // of an error
	Reason         room.Reason // room_closed
	ReconnectAfter int64       `json:"reconnect_after_ms"`
	RetryAfter     int64       `json:"retry_after_ms"`
}

// A display shows what is followed.
type display interface {
	// hear is called with each message, as it came and as it is understood,
	// and what it changes in the roster.
	hear(f *follower, data []byte, m *watchMessage, changes []change) error
	// note is called when the connection is lost, and why.
	note(text string)
	// refresh is called every lookAgain.
	refresh(f *follower) error
	// over is called once the room is closed.
	over(f *follower, why room.Reason) error
}

// A follower follows one room, whatever becomes of the connection.
type follower struct {
	server   *url.URL
	http     *http.Client
	passport func() (string, error)
	id       room.ID
	show     display

	room      watchedRoom // no ID: nothing is known yet
	roster    roster
	tries     int       // in vain, since a connection was good
	notBefore time.Time // when the server wants us back
	token     string    // the passport of the last try
	connected bool
}

// errClosed ends it in order: the room is closed.
type errClosed struct{ reason room.Reason }

func (*errClosed) Error() string { return "the room is closed" }

// A lost connection is made again.
type lost struct {
	err   error
	after time.Duration // at the earliest
}

func (l *lost) Error() string { return l.err.Error() }

// run follows until the room is closed, ctx is done, or there is no use in
// going on, which is the error.
func (f *follower) run(ctx context.Context) error {
	for {
		began := time.Now()
		err := f.stay(ctx)
		var closed *errClosed
		var gone *lost
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &closed):
			return f.show.over(f, closed.reason)
		case !errors.As(err, &gone):
			return err
		case !f.connected:
			return unreachable(f.server, gone.err)
		}
		if time.Since(began) > steadyAfter {
			f.tries = 0
		}
		pause := f.pause(gone.after)
		f.show.note(fmt.Sprintf("connection lost (%v): trying again in %v", root(gone.err), pause.Round(100*time.Millisecond)))
		if err := f.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// unreachable is the error of a server that has never answered.
func unreachable(server *url.URL, err error) error {
	return fmt.Errorf("%s does not answer (%w): --server says where the server is", server, root(err))
}

// root is what went wrong in the end: the layers above it say nothing to
// people.
func root(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

// pause returns how long to wait before the next try.
func (f *follower) pause(atLeast time.Duration) time.Duration {
	longest := min(longestPause, firstPause<<min(f.tries, 10))
	f.tries++
	return max(rand.N(longest), atLeast, time.Until(f.notBefore))
}

func (f *follower) wait(ctx context.Context, pause time.Duration) error {
	over := time.After(pause)
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return nil
		case <-look.C:
			if err := f.show.refresh(f); err != nil {
				return err
			}
		}
	}
}

// stay follows over one connection for as long as it lasts.
func (f *follower) stay(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var heard atomic.Int64 // when, in nanoseconds since 1970
	conn, err := f.dial(ctx, func() { heard.Store(time.Now().UnixNano()) })
	if err != nil {
		cancel()
		return err
	}
	f.connected = true
	messages, ended := make(chan []byte), make(chan error, 1)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer conn.CloseNow()
	defer cancel()
	reading.Go(func() { ended <- receive(ctx, conn, messages, &heard) })

	if err := f.ask(ctx, conn); err != nil {
		return err
	}
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case data := <-messages:
			err = f.hear(ctx, conn, data)
		case <-look.C:
			err = f.show.refresh(f)
			if silent := time.Since(time.Unix(0, heard.Load())); silent > serverSilence {
				err = &lost{err: fmt.Errorf("nothing was heard for %v", silent.Round(time.Second))}
			}
		case err = <-ended:
			return f.after(err)
		}
		if err != nil {
			return err
		}
	}
}

// hear takes in one message.
func (f *follower) hear(ctx context.Context, conn *websocket.Conn, data []byte) error {
	var m watchMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	changes, gap := f.roster.take(&m.rosterMessage)
	if m.Room != nil {
		f.room = *m.Room
	}
	if err := f.show.hear(f, data, &m, changes); err != nil {
		return err
	}
	switch {
	case m.Type == "error":
		return refusedWatch(&m)
	case m.Type == "draining":
		f.notBefore = time.Now().Add(time.Duration(m.ReconnectAfter) * time.Millisecond)
	case m.Type == "unwatch_forced":
		return errors.New("the roster is not shown to this passport's holder any more")
	case m.Type == "room_closed":
		return &errClosed{m.Reason}
	case f.room.Status == room.Closed && f.roster.pages == nil && (m.Type == "watching" || m.Type == "roster_page"):
		return &errClosed{} // it was before we came
	case gap:
		return f.ask(ctx, conn)
	}
	return nil
}
