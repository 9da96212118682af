package hub

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// TestDrain: an instance that goes away tells every socket a moment of its
// own, serves it until then, and closes it soon after if it has not gone.
func TestDrain(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		const people = 40
		lee := c.instructor("lee")
		id, code := lee.open(people)
		lee.ask(message{"type": "watch", "room_id": id})
		sockets := []*client{lee}
		for n := range people {
			sockets = append(sockets, c.student(room.UserID(fmt.Sprint("s", n))))
		}
		began := time.Now()
		gone := make(chan time.Duration, 1)
		go func() {
			c.drain()
			gone <- time.Since(began)
		}()

		moments := map[*client]time.Duration{}
		for _, s := range sockets {
			moments[s] = time.Duration(s.until("draining")["reconnect_after_ms"].(float64)) * time.Millisecond
		}
		c.refusesSockets()
		slices.SortFunc(sockets, func(a, b *client) int { return int(moments[a] - moments[b]) })
		last := time.Duration(-1)
		for n, s := range sockets {
			if moments[s] <= last || moments[s] != time.Duration(n)*leastSpread/(people+1)/1e6*1e6 {
				t.Errorf("socket %d goes at %v, after one at %v", n, moments[s], last)
			}
			last = moments[s]
		}

		// Each does something at its moment, and every other one goes then.
		for n, s := range sockets {
			time.Sleep(time.Until(began.Add(moments[s])))
			if s == lee {
				s.expect(message{"type": "ping"}, message{"type": "pong"})
			} else if s.expect(message{"type": "join", "code": code}, message{"type": "joined"}); n%2 == 0 {
				s.nc.Close()
			}
		}
		seen := 0
		for seen < slices.Index(sockets, lee) {
			seen += len(lee.until("roster")["joined"].([]any))
		}
		for n, s := range sockets {
			if n%2 == 0 && s != lee {
				continue
			}
			s.closed(closeRestart)
			if late := time.Since(began) - moments[s]; late > mostGrace+departEvery {
				t.Errorf("closed %v after its moment", late)
			}
		}
		if took := <-gone; took > leastSpread+mostGrace+departEvery+closeWait {
			t.Errorf("the end took %v", took)
		}
	})
}

// refusesSockets checks that a handshake is answered 503, and when to try
// again.
func (c *class) refusesSockets() {
	c.t.Helper()
	text := localHandshake + "X-User-ID: " + c.passport("late", room.Student, time.Hour) + "\r\n\r\n"
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		c.t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	c.hub.Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "1" || !strings.Contains(answer.Body.String(), `"unavailable"`) {
		c.t.Errorf("a new socket is answered %d, %v: %s", answer.Code, answer.Header(), answer.Body)
	}
}

// TestDrainInTime: however many sockets there are and however little time, the
// last of them is closed early enough for whoever ends afterwards.
func TestDrainInTime(t *testing.T) {
	for _, drain := range []time.Duration{0, 100 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second, time.Minute} {
		for _, sockets := range []int{0, 1, 2, 2000, 20_000, 1_000_000} {
			if end := spreadOf(sockets, moveEvery, drain) + graceOf(drain); end > patienceOf(drain) || patienceOf(drain) > mostOf(drain) || mostOf(drain) > drain {
				t.Errorf("%d sockets are closed within %v, cut after %v, left after %v, of %v", sockets, end, patienceOf(drain), mostOf(drain), drain)
			}
		}
	}
	for _, test := range []struct {
		sockets              int
		every, drain, spread time.Duration
	}{
		{1, moveEvery, 20 * time.Second, time.Second}, {2000, moveEvery, 20 * time.Second, 2 * time.Second},
		{20_000, moveEvery, time.Minute, 20 * time.Second}, {20_000, moveEvery, 20 * time.Second, 12 * time.Second},
		{2000, moveEvery, time.Second, 600 * time.Millisecond}, {2000, 10 * time.Millisecond, time.Minute, 20 * time.Second},
		{2000, 10 * time.Millisecond, 20 * time.Second, 12 * time.Second},
	} {
		if got := spreadOf(test.sockets, test.every, test.drain); got != test.spread {
			t.Errorf("%d sockets within %v: spread over %v, want %v", test.sockets, test.drain, got, test.spread)
		}
	}
}

// TestDrainInTurn: where new sockets are paced, people are told to go at a pace
// at which another instance lets them in: it sends none of them away.
func TestDrainInTurn(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const rate, people = 50, 200
		config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
		t.Cleanup(func() { sqlite.Close() })
		config.Limits.AcceptRate = rate
		c := begin(t, config)
		other := c.beside()
		var sockets []*client
		for n := range people {
			sockets = append(sockets, c.student(room.UserID(fmt.Sprint("s", n))))
			time.Sleep(time.Second / rate)
		}
		go c.drain()
		var moving sync.WaitGroup
		for n, s := range sockets {
			moving.Go(func() {
				time.Sleep(time.Duration(s.until("draining")["reconnect_after_ms"].(float64)) * time.Millisecond)
				moved := other.student(room.UserID(fmt.Sprint("s", n)))
				moved.expect(message{"type": "ping"}, message{"type": "pong"})
			})
		}
		moving.Wait()
	})
}

// A hangingStore answers no question about a room any more, once it hangs.
type hangingStore struct {
	room.Store
	hangs atomic.Bool
}

func (s *hangingStore) Load(ctx context.Context, id room.ID, since time.Time) (*room.Room, []room.Entry, error) {
	if s.hangs.Load() {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	return s.Store.Load(ctx, id, since)
}

// TestDrainIsShort: neither who answers nothing keeps an instance from leaving
// in time, nor who asked what the store does not answer.
func TestDrainIsShort(t *testing.T) {
	const drain = time.Second
	for name, test := range map[string]struct {
		asks bool
		most time.Duration
	}{
		"answers nothing": {false, patienceOf(drain)},
		"the store hangs": {true, mostOf(drain)},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
				t.Cleanup(func() { sqlite.Close() })
				store := &hangingStore{Store: config.Registrar.Store}
				config.Registrar.Store = store
				c := beginFor(t, config, drain)
				if test.asks {
					s := c.student("ann")
					store.hangs.Store(true)
					s.send(`{"id":1,"type":"watch","room_id":"` + string(room.NewID(time.Now())) + `"}`)
				} else {
					c.handshake("ann", room.Student)
				}
				synctest.Wait()
				began := time.Now()
				go c.drain()
				<-c.gone
				if took := time.Since(began); took > test.most {
					t.Errorf("it took %v to leave, of %v", took, drain)
				}
				c.hub.sockets.Wait() // who was left behind ends too
				if took := time.Since(began); took > requestTakesAtMost {
					t.Errorf("it took %v until all had ended", took)
				}
			})
		})
	}
}
