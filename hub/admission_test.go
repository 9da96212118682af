package hub

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// A crowd is people who want to come in, in a time of its own.
type crowd struct {
	t    *testing.T
	rate int
	// instances let people in; whoever comes back comes to any of them.
	instances []*admission
	comes     map[time.Duration][]room.UserID // when, after began
	began     time.Time
	first     map[room.UserID]time.Duration // when someone came first
	in        map[room.UserID]time.Duration // and came in
	admitted  []time.Duration
	told      int
	nobody    []time.Duration // when someone comes who does not come back, in order
	were      int             // of them so far
}

func newCrowd(t *testing.T, rate, instances int) *crowd {
	c := &crowd{t: t, rate: rate, began: time.Now(), comes: map[time.Duration][]room.UserID{}, first: map[room.UserID]time.Duration{}, in: map[room.UserID]time.Duration{}}
	for range instances {
		c.instances = append(c.instances, newAdmission(rate))
	}
	return c
}

// come has people come at a time, and then whenever they are told to, a little
// late.
func (c *crowd) come(at time.Duration, prefix string, people int) {
	for n := range people {
		user := room.UserID(fmt.Sprint(prefix, n))
		c.comes[at] = append(c.comes[at], user)
		c.first[user] = at
	}
}

// pass lets time pass until everyone is in, and returns how long that took.
func (c *crowd) pass(most time.Duration) time.Duration {
	c.t.Helper()
	for now := time.Duration(0); now <= most; now += time.Millisecond {
		if now%sweepEvery == 0 {
			for _, a := range c.instances {
				a.sweep(c.began.Add(now))
			}
		}
		for _, user := range c.comes[now] {
			c.knock(user, now)
		}
		delete(c.comes, now)
		for ; c.were < len(c.nobody) && c.nobody[c.were] == now; c.were++ {
			c.instances[0].enter(room.UserID(fmt.Sprint("nobody", c.were)), c.began.Add(now))
		}
		if len(c.in) == len(c.first) {
			return now
		}
	}
	c.t.Fatalf("%d of %d are in after %v", len(c.in), len(c.first), most)
	return 0
}

func (c *crowd) knock(user room.UserID, now time.Duration) {
	at := c.instances[rand.IntN(len(c.instances))]
	wait := at.enter(user, c.began.Add(now))
	if wait == 0 {
		c.in[user] = now
		c.admitted = append(c.admitted, now)
		return
	}
	c.told++
	longest := min(mostTold+time.Millisecond, time.Duration((len(c.first)+len(c.nobody))/c.rate+2)*time.Second)
	if wait < 0 || wait > longest || wait%time.Millisecond != 0 {
		c.t.Errorf("told to come after %v", wait)
	}
	back := now + wait + rand.N(100*time.Millisecond).Truncate(time.Millisecond)
	c.comes[back] = append(c.comes[back], user)
}

// inPace checks that at no time more came in than may.
func (c *crowd) inPace() {
	c.t.Helper()
	for from := range c.admitted {
		for to := from; to < len(c.admitted); to += 10 {
			passed := c.admitted[to] - c.admitted[from]
			most := len(c.instances) * (c.rate + int(float64(c.rate)*passed.Seconds()) + 1)
			if n := to - from + 1; n > most {
				c.t.Fatalf("%d came in within %v", n, passed)
			}
		}
	}
}

// TestAdmission: who comes back when told is in at the pace that is allowed,
// in order of coming, and nobody is told twice.
func TestAdmission(t *testing.T) {
	c := newCrowd(t, 50, 1)
	c.come(0, "s", 500)
	took := c.pass(time.Minute)
	c.inPace()
	if took < 8900*time.Millisecond || took > 9300*time.Millisecond || c.told != 450 {
		t.Errorf("500 people are in after %v and were told %d times", took, c.told)
	}
	later := c.began.Add(took + time.Second)
	for n := range 51 {
		wait := c.instances[0].enter(room.UserID(fmt.Sprint("later", n)), later)
		if paced := n == 50; paced != (wait > 0) {
			t.Errorf("a second later number %d was told %v", n, wait)
		}
	}
}

// TestAdmissionOfLatecomers: who comes later waits for those before, and puts
// none of them off.
func TestAdmissionOfLatecomers(t *testing.T) {
	c := newCrowd(t, 50, 1)
	c.come(0, "s", 250)
	for n := range 100 {
		c.come(time.Duration(n)*40*time.Millisecond, fmt.Sprint("late", n, "-"), 2)
	}
	if took := c.pass(time.Minute); took > 10*time.Second {
		t.Errorf("450 people are in after %v", took)
	}
	c.inPace()
	for user, in := range c.in {
		if first := c.first[user]; first == 0 && in > 5*time.Second || in-first > 6*time.Second {
			t.Errorf("%s came after %v and was in after %v", user, first, in)
		}
	}
}

// TestAdmissionElsewhere: where people come back to any of several instances,
// none keeps its places for those who are elsewhere.
func TestAdmissionElsewhere(t *testing.T) {
	c := newCrowd(t, 50, 3)
	c.come(0, "s", 1500)
	if took := c.pass(time.Minute); took > 20*time.Second {
		t.Errorf("1,500 people on three instances are in after %v", took)
	}
	c.inPace()
}

// TestAdmissionOfNobody: turns for which nobody comes, however many there are,
// keep nobody waiting for long: neither while more are taken, nor afterwards.
func TestAdmissionOfNobody(t *testing.T) {
	const rate, flood, lasting, after = 80, 200, 2 * time.Minute, 40 * time.Second
	c := newCrowd(t, rate, 1)
	for now := time.Duration(0); now < lasting+after; now += 100 * time.Millisecond {
		c.come(now+rand.N(100*time.Millisecond).Truncate(time.Millisecond), fmt.Sprint("s", now, "-"), 1)
	}
	worst := map[bool]time.Duration{} // after the flood is forgotten, and before
	for now, taken := time.Duration(0), 0; now < lasting; now += time.Millisecond {
		for ; taken < int(now.Seconds()*flood); taken++ {
			c.nobody = append(c.nobody, now)
		}
	}
	c.pass(10 * time.Minute)
	for user, in := range c.in {
		forgotten := c.first[user] >= lasting+mostTold+turnKept
		worst[forgotten] = max(worst[forgotten], in-c.first[user])
	}
	t.Logf("waits of up to %v, and %v afterwards", worst[false], worst[true])
	if worst[false] > mostTold+turnKept+2*comeSooner || worst[true] > time.Second {
		t.Errorf("waits of up to %v, and %v afterwards", worst[false], worst[true])
	}
}

// TestAdmissionIsFull: who has a turn keeps it while others want more turns than
// are noted.
func TestAdmissionIsFull(t *testing.T) {
	a, now := newAdmission(1), time.Now()
	a.enter("first", now)
	wait := a.enter("ann", now)
	for n := range metered + 1000 {
		a.enter(room.UserID(fmt.Sprint("s", n)), now)
	}
	if got := a.enter("ann", now); wait == 0 || got == 0 || got > 2*time.Second+time.Millisecond {
		t.Errorf("who was told %v is told %v", wait, got)
	}
	if len(a.turns) > metered || len(a.line) > metered {
		t.Errorf("%d turns are noted, %d in line", len(a.turns), len(a.line))
	}
}

// TestAdmissionOfTabs: whose turn has come is let in with another tab too, but
// not with as many as there may be.
func TestAdmissionOfTabs(t *testing.T) {
	const rate = 10
	a, now := newAdmission(rate), time.Now()
	for n := range 20 * rate {
		a.enter(room.UserID(fmt.Sprint("s", n)), now)
	}
	now = now.Add(5 * time.Second)
	for n := range rate / 2 {
		a.enter(room.UserID(fmt.Sprint("s", rate+n)), now)
	}
	in := 0
	for range 2 * turnSockets {
		if a.enter("s20", now) == 0 {
			in++
		}
	}
	if wait := a.enter("s21", now); in != turnSockets || wait > 0 {
		t.Errorf("%d tabs came in, and the next person was told %v", in, wait)
	}
}

// TestAdmissionOfTheLate: who finds no share left, since many come late for their
// turns at once, has another soon, and puts nobody off by asking again.
func TestAdmissionOfTheLate(t *testing.T) {
	const rate = 10
	a, now := newAdmission(rate), time.Now()
	for n := range 10 * rate {
		a.enter(room.UserID(fmt.Sprint("s", n)), now)
	}
	now = now.Add(5 * time.Second)
	for n := range 2 * rate {
		for range 100 {
			wait := a.enter(room.UserID(fmt.Sprint("s", rate+n)), now)
			if n < rate && wait == 0 {
				break
			}
			if most := time.Duration(n-rate+2)*a.share + time.Millisecond; n < rate || wait == 0 || wait > most {
				t.Fatalf("number %d is told %v", n, wait)
			}
		}
	}
}

// TestAdmissionIsNotHurried: who comes again and again before the turn keeps
// it, and the others theirs.
func TestAdmissionIsNotHurried(t *testing.T) {
	const rate, share = 10, 100 * time.Millisecond
	a, began := newAdmission(rate), time.Now()
	in := map[int]time.Duration{}
	for now := time.Duration(0); now <= time.Second; now += share / 2 {
		for n := range 2 * rate {
			if _, is := in[n]; is {
				continue
			}
			wait := a.enter(room.UserID(fmt.Sprint("s", n)), began.Add(now))
			turn := time.Duration(max(0, n-rate+1)) * share
			if least := turn - now; wait == 0 && least > 0 || wait > 0 && (wait < least || wait > least+share+time.Millisecond) {
				t.Errorf("number %d was told %v after %v, and has a turn at %v", n, wait, now, turn)
			}
			if wait == 0 {
				in[n] = now
			}
		}
	}
	if len(in) != 2*rate {
		t.Errorf("%d are in", len(in))
	}
}

// TestAcceptRate: sockets beyond the rate hear when to come, are closed with
// 1013, and are in when they come back then.
func TestAcceptRate(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const rate, people = 50, 500
		registry := prometheus.NewRegistry()
		config, sqlite := newConfig(t, folder, registry)
		t.Cleanup(func() { sqlite.Close() })
		config.Limits.AcceptRate = rate
		c := begin(t, config)
		_, code := c.instructor("lee").open(people)
		time.Sleep(time.Second)

		began := time.Now()
		told := make(chan time.Duration, 10*people)
		var coming sync.WaitGroup
		for n := range people {
			coming.Go(func() { c.comeInTurn(room.UserID(fmt.Sprint("s", n)), code, told) })
		}
		coming.Wait()
		took := time.Since(began)
		close(told)
		var delays []time.Duration
		for wait := range told {
			delays = append(delays, wait)
		}
		slices.Sort(delays)
		t.Logf("%d sockets at %d a second: all in after %v, %d of them told to come after %v to %v", people, rate, took, len(delays), delays[0], delays[len(delays)-1])
		if took < 8900*time.Millisecond || took > 10*time.Second || len(delays) != people-rate || delays[0] <= 0 || delays[len(delays)-1] > 10*time.Second {
			t.Errorf("told %v", delays)
		}
		counted := samples(t, registry)
		if n, of := counted["paced_total{}"], counted["connections_total{result=paced}"]; n != float64(len(delays)) || of != n {
			t.Errorf("%v are counted, %v of sockets", n, of)
		}
	})
}

// comeInTurn has a student join, as often as it is told to come later.
func (c *class) comeInTurn(user room.UserID, code string, told chan<- time.Duration) {
	for {
		s := c.student(user)
		s.send(fmt.Sprintf(`{"id":1,"type":"join","code":%q}`, code))
		m := s.any()
		if m["type"] != "draining" {
			m.check(c.t, message{"type": "joined"})
			return
		}
		s.closed(closeTryLater)
		wait := time.Duration(m["reconnect_after_ms"].(float64)) * time.Millisecond
		told <- wait
		time.Sleep(wait)
	}
}

// TestAcceptRateOfCalls: a place without a socket is taken at the same pace.
func TestAcceptRateOfCalls(t *testing.T) {
	s := newSchool(t, func(c *Config) { c.Limits.AcceptRate = 1 })
	_, code, _ := s.open(`{"title":"Algebra","capacity":2}`)
	attend := `{"code":"` + code + `"}`
	s.must(http.StatusCreated, "POST", "/v1/attend", attend, s.student("s1"))
	got := s.must(http.StatusServiceUnavailable, "POST", "/v1/attend", attend, s.student("s2"))
	if ms := got.body["retry_after_ms"].(float64); got.body["code"] != "unavailable" || got.Header.Get("Retry-After") == "" || ms <= 0 || ms > 2001 {
		t.Errorf("%v: %s", got.Header, got.text)
	}
}
