package main

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A pupil is a student who asks for a seat, on a socket that stays open.
type pupil struct {
	user   room.UserID
	at     *instance
	socket *loadSocket
	asked  []asking // in order
	err    error    // of the socket
}

// An asking is one request for a seat and what was answered.
type asking struct {
	at       *instance
	from, to time.Time
	answer   answer
}

// enrol gives pupils a socket each, with one instance after another.
func (c *cluster) enrol(prefix string, n int) []*pupil {
	c.t.Helper()
	pupils := make([]*pupil, n)
	work := make(chan int)
	var dialling sync.WaitGroup
	for range 16 { // so many dial at a time
		dialling.Go(func() {
			for k := range work {
				p := &pupil{user: room.UserID(fmt.Sprintf("%s-%d", prefix, k))}
				p.err = p.connect(c, c.instances[k%len(c.instances)])
				pupils[k] = p
			}
		})
	}
	for k := range n {
		work <- k
	}
	close(work)
	dialling.Wait()
	for _, p := range pupils {
		if p.err != nil {
			c.t.Fatal(p.err)
		}
	}
	return pupils
}

// connect opens the pupil's socket, which ends with the test.
func (p *pupil) connect(c *cluster, to *instance) error {
	passport, err := c.target.passport(p.user, string(p.user), room.Student)
	if err != nil {
		return err
	}
	socket, err := dialSocket(c.t.Context(), to.loadTarget.url, passport)
	if err != nil {
		return err
	}
	socket.patient()
	c.t.Cleanup(func() { socket.conn.Close() })
	p.at, p.socket = to, socket
	return nil
}

// ask asks once. It returns false if the socket has ended.
func (p *pupil) ask(code string) bool {
	a := asking{at: p.at, from: time.Now()}
	a.answer, p.err = p.socket.ask(fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, code))
	a.to = time.Now()
	if p.err == nil {
		p.asked = append(p.asked, a)
	}
	return p.err == nil
}

// askAgain is the pause after an answer that tells nothing: a socket has 10
// requests a second.
const askAgain = 150 * time.Millisecond

// insist asks until it is told.
func (p *pupil) insist(code string) {
	for p.ask(code) && p.answer().Code == string(room.CodeUnavailable) {
		<-time.After(askAgain)
	}
}

// answer is the last that the pupil got.
func (p *pupil) answer() answer {
	if len(p.asked) == 0 {
		return answer{}
	}
	return p.asked[len(p.asked)-1].answer
}

// atOnce has all pupils ask at the same time, and returns when the last of
// them was answered.
func atOnce(pupils []*pupil, code string) time.Time {
	var asking sync.WaitGroup
	bell := make(chan struct{})
	for _, p := range pupils {
		asking.Go(func() {
			<-bell
			p.ask(code)
		})
	}
	close(bell)
	asking.Wait()
	var last time.Time
	for _, p := range pupils {
		for _, a := range p.asked {
			if a.to.After(last) {
				last = a.to
			}
		}
	}
	return last
}

// check holds what pupils were told against what is true, and returns how
// many were told what: "joined", or a refusal's code.
func (c *cluster) check(l *lecture, seats int, pupils []*pupil) map[string]int {
	c.t.Helper()
	told, outcomes := acknowledged{}, map[string]int{}
	for _, p := range pupils {
		if p.err != nil {
			c.t.Errorf("the socket of %s: %v", p.user, p.err)
		}
		for _, a := range p.asked {
			if seat, before := told[p.user]; before && (a.answer.Type != "joined" || a.answer.Seat != seat) && a.answer.Code != string(room.CodeUnavailable) {
				c.t.Errorf("%s had seat %d and was answered %+v", p.user, seat, a.answer)
			}
			if a.answer.Type == "joined" {
				told[p.user] = a.answer.Seat
			}
		}
		outcomes[cmp.Or(p.answer().Code, p.answer().Type)]++
	}
	stored, _ := c.truth(l.id)
	for _, broken := range told.broken(seats, stored, false) {
		c.t.Error(broken)
	}
	if len(stored) > seats {
		c.t.Errorf("%d people are stored in a room of %d seats", len(stored), seats)
	}
	return outcomes
}

// waits returns how long those askings took that are meant.
func waits(pupils []*pupil, meant func(asking) bool) (waits []time.Duration) {
	for _, p := range pupils {
		for _, a := range p.asked {
			if meant(a) {
				waits = append(waits, a.to.Sub(a.from))
			}
		}
	}
	return waits
}

func everyAsking(asking) bool { return true }
