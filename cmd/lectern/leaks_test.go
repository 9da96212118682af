package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// leakyConnects are made in waves of so many at once.
	leakyConnects = 10_000
	leakyWave     = 500
	// idleCrew is how many goroutines a hub may keep for others to come.
	idleCrew = 256
)

// TestConnectsLeakNothing: 10,000 connects, which end in every way that there
// is, leave neither a goroutine nor a file descriptor behind.
func TestConnectsLeakNothing(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	w := &wave{lecture: i.open("lee", leakyWave)}
	for n := range leakyWave {
		w.passports = append(w.passports, i.pass(fmt.Sprint("s", n), room.Student))
	}
	w.roll(t) // what is kept for the next ones is made once
	before := i.settled()
	for range leakyConnects / leakyWave {
		w.roll(t)
	}
	var after holdings
	eventually(t, func() string {
		after = i.settled()
		if after.goroutines > before.goroutines || after.descriptors > before.descriptors+2 || after.descriptors < before.descriptors-2 {
			return fmt.Sprintf("the server holds %v, and held %v before %d connects", after, before, leakyConnects)
		}
		return ""
	})
	if after.crew > idleCrew {
		t.Errorf("%d goroutines wait for something to receive", after.crew)
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d connects: the server held %v before, and %v after", leakyConnects, before, after)
	}
}

// A wave is many sockets that are open at once.
type wave struct {
	*lecture
	passports []string
}

// roll opens all sockets and, once they are, ends each in one of the ways.
func (w *wave) roll(t *testing.T) {
	t.Helper()
	var open, over sync.WaitGroup
	open.Add(len(w.passports))
	for n, passport := range w.passports {
		over.Go(func() {
			if err := w.visit(n, passport, &open); err != nil {
				t.Errorf("visit %d: %v", n, err)
			}
		})
	}
	over.Wait()
}

// visit connects, waits until all others of the wave have too, and goes.
func (w *wave) visit(n int, passport string, all *sync.WaitGroup) error {
	arrived := sync.OnceFunc(all.Done)
	defer arrived()
	if n%9 == 0 { // never finishes its handshake
		conn, err := net.DialTimeout("tcp", w.loadTarget.url.Host, answerTime)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /v1/socket HTTP/1.1\r\nHost: local")
		arrived()
		all.Wait()
		return err
	}
	if n%9 == 1 {
		_, err := dialSocket(w.t.Context(), w.loadTarget.url, passport+"x")
		var refused *refusedUpgrade
		if !errors.As(err, &refused) || refused.status != http.StatusUnauthorized {
			return fmt.Errorf("with a bad passport: %w", err)
		}
		return nil
	}
	s, err := dialSocket(w.t.Context(), w.loadTarget.url, passport)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	if n%9 == 2 {
		if a, err := s.ask(fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, w.code)); err != nil || a.Type != "joined" {
			return fmt.Errorf("join: %v, %w", a, err)
		}
	}
	arrived()
	all.Wait()
	return goAway(s, n%9)
}

// goAway ends a socket in one of the ways, and waits where the server has to
// say something.
func goAway(s *loadSocket, way int) error {
	var code int
	switch way {
	case 3: // reset
		return s.conn.(*net.TCPConn).SetLinger(0)
	case 4: // in the middle of a frame
		_, err := s.conn.Write(appendFrame(nil, opText, []byte(`{"id":1,"type":"ping"}`))[:9])
		return err
	case 5: // with an answer on its way
		return s.send([]byte(`{"id":1,"type":"ping"}`))
	case 6:
		code = 1003
		if err := s.write(0x2, []byte("binary")); err != nil {
			return err
		}
	case 7:
		code = 1007
		if err := s.write(opText, []byte("\xff")); err != nil {
			return err
		}
	case 8:
		code = 1000
		if err := s.write(opClose, []byte("\x03\xe8")); err != nil {
			return err
		}
	default: // cut
		return nil
	}
	var closed *closedSocket
	if err := s.attend(); !errors.As(err, &closed) || closed.code != code {
		return fmt.Errorf("closed with %w, want %d", err, code)
	}
	return nil
}

// holdings are what a server has.
type holdings struct{ goroutines, crew, descriptors, sockets int }

func (h holdings) String() string {
	return fmt.Sprintf("%d goroutines beside %d that may wait, and %d descriptors", h.goroutines, h.crew, h.descriptors)
}

// settled waits until there are no sockets, and what the server holds stays
// the same for a moment.
func (i *instance) settled() (now holdings) {
	i.t.Helper()
	eventually(i.t, func() string {
		last := now
		<-time.After(200 * time.Millisecond)
		if now = i.holds(); now.sockets > 0 || now != last {
			return fmt.Sprintf("there are %d sockets, and %v", now.sockets, now)
		}
		return ""
	})
	return now
}

func (i *instance) holds() (h holdings) {
	i.t.Helper()
	for stack := range strings.SplitSeq(i.page("/debug/pprof/goroutine?debug=2"), "\n\n") {
		if strings.Contains(stack, "hub.(*crew).serve") {
			h.crew++
		} else {
			h.goroutines++
		}
	}
	for line := range strings.Lines(i.page("/metrics")) {
		for name, field := range map[string]*int{"process_open_fds ": &h.descriptors, "lectern_connections ": &h.sockets} {
			if value, found := strings.CutPrefix(line, name); found {
				if err := json.Unmarshal([]byte(value), field); err != nil {
					i.t.Fatalf("%v in %s", err, line)
				}
			}
		}
	}
	if h.descriptors == 0 {
		i.t.Fatal("the number of descriptors is not told")
	}
	return h
}

// page reads a page of the operations listener, whose connection is kept.
func (i *instance) page(path string) string {
	i.t.Helper()
	answer, err := i.http.Get(i.loadTarget.ops + path)
	if err != nil {
		i.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}
